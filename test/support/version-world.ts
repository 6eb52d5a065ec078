/**
 * A few replicas of one key without a network, driven by lists of small numbers (from fast-check): puts with fresh,
 * stale or no context, or the context of an earlier put's reply, merges in any order, old records that arrive late,
 * retries through another replica, crashes that roll a replica back and give it a new actor. Every step is done twice, on
 * `SiblingSet` and on the naive twin.
 */
import { utf8 } from "../../src/base/bytes.ts";
import { openRecord, sealRecord } from "../../src/version/record.ts";
import { type Seen, SiblingSet } from "../../src/version/sibling-set.ts";
import type { Dot, VersionVector } from "../../src/version/version-vector.ts";
import { dotOf, dotText, NaiveSet } from "./naive-version.ts";

/** Both forms of one replica's state. */
export interface Pair {
  readonly set: SiblingSet;
  readonly naive: NaiveSet;
}

interface Replica {
  pair: Pair;
  /** What a crash leaves. */
  synced: Pair;
  actorLow: number;
  counter: number;
}

/** What a writer has read, in both forms. */
interface Context {
  readonly seen: Seen;
  readonly naive: ReadonlySet<string>;
}

interface Write extends Context {
  readonly id: string;
}

/** A step: an operation and three operands, all reduced to what exists. */
export type Step = readonly [number, number, number, number];

const nothing: Pair = { set: SiblingSet.empty, naive: NaiveSet.empty };

/** What a vector says of these dots. */
function coveredBy(version: VersionVector, dots: ReadonlySet<string>): Set<string> {
  return new Set([...dots].filter((text) => version.covers(dotOf(text))));
}

/** What a get of this state gives. */
function contextOf({ set, naive }: Pair): Context {
  return { seen: { version: set.version, own: null }, naive: coveredBy(set.version, naive.seen) };
}

/** A request id that spells `id`. */
export function idOf(id: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(utf8(id));
  return bytes;
}

export class VersionWorld {
  readonly replicas: Replica[] = [];
  /** Every state that was ever sent or read. */
  readonly states: Pair[] = [nothing];
  readonly writes: Write[] = [];
  /** The contexts of all puts' replies. */
  readonly replies: Context[] = [];
  /** Ids that some put's context covered: only these may ever go. */
  readonly superseded = new Set<string>();
  /** Ids that were minted more than once. */
  readonly twins = new Set<string>();
  readonly #dotsOf = new Map<string, string[]>();
  readonly #withTwins: boolean;
  #second = 1_000_000;
  #actors = 0;

  constructor(replicas: number, withTwins: boolean) {
    this.#withTwins = withTwins;
    for (let i = 0; i < replicas; i += 1) {
      this.replicas.push({ pair: nothing, synced: nothing, actorLow: this.#newActor(), counter: 0 });
    }
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.step(step);
  }

  /** Performs a step; returns the replica it changed. */
  step([op, a, b, c]: Step): Replica {
    const replica = this.replicas[a % this.replicas.length] as Replica;
    const state = this.states[b % this.states.length] as Pair;
    switch (op % 10) {
      case 0:
      case 1: // with what this replica holds
        this.#put(replica, contextOf(replica.pair), c);
        break;
      case 2: // with something read earlier, anywhere
        this.#put(replica, contextOf(state), c);
        break;
      case 3:
        this.#put(replica, contextOf(nothing), c);
        break;
      case 4:
      case 5:
        this.#receive(replica, (this.replicas[b % this.replicas.length] as Replica).pair);
        break;
      case 6:
        this.#receive(replica, state);
        break;
      case 7:
        if (this.#withTwins && this.writes.length > 0) this.#retry(replica, b);
        else replica.synced = replica.pair;
        break;
      case 8:
        this.#crash(replica, c);
        break;
      default: // with what a put has answered, lately or long ago
        this.#put(replica, this.replies[Math.max(0, this.replies.length - 1 - (b % 16))] ?? contextOf(nothing), c);
    }
    this.states.push(replica.pair);
    return replica;
  }

  /** All live replicas' states merged. */
  merged(): Pair {
    return this.replicas.reduce<Pair>((all, { pair }) => mergePairs(all, pair), nothing);
  }

  #newActor(): number {
    this.#actors += 1;
    return Math.imul(this.#actors, 0x9e3779b9) >>> 0;
  }

  #put(replica: Replica, context: Context, gap: number): void {
    this.#second += gap % 7;
    const write = { id: `w${this.writes.length}`, ...context };
    this.writes.push(write);
    for (const [id, dots] of this.#dotsOf) {
      if (dots.some((dot) => write.naive.has(dot))) this.superseded.add(id);
    }
    this.#mint(replica, write);
  }

  /** The same write again through a replica that does not know it: a twin. */
  #retry(replica: Replica, which: number): void {
    const write = this.writes[which % this.writes.length] as Write;
    if (replica.pair.set.dotsOf(idOf(write.id)) !== undefined) return;
    // A node that forgot the write's fate may mint it again only while nobody has superseded it: later is the residue.
    if (this.superseded.has(write.id)) return;
    this.twins.add(write.id);
    this.#mint(replica, write);
  }

  #mint(replica: Replica, write: Write): void {
    replica.counter += 1;
    const index = this.replicas.indexOf(replica);
    const dot: Dot = {
      actorHigh: (((index + 1) << 16) | 0x8001) >>> 0,
      actorLow: replica.actorLow,
      counter: replica.counter,
    };
    const requestId = idOf(write.id);
    this.#dotsOf.set(write.id, [...(this.#dotsOf.get(write.id) ?? []), dotText(dot)]);
    replica.pair = {
      set: replica.pair.set.put({
        context: write.seen.version,
        own: write.seen.own,
        dot,
        requestId,
        value: utf8(`value of ${write.id}`),
        tombstone: write.id.endsWith("3"),
        second: this.#second,
        keepRecentFor: 10,
      }),
      naive: replica.pair.naive.put(write.naive, dotText(dot), write.id),
    };
    const seen = replica.pair.set.contextAfter(write.seen.version, { dot, requestId });
    const naive = coveredBy(seen.version, replica.pair.naive.seen);
    this.replies.push({ seen, naive: seen.own === null ? naive : naive.add(dotText(dot)) });
  }

  /** As over a network: through bytes. */
  #receive(replica: Replica, from: Pair): void {
    const opened = openRecord(sealRecord(from.set));
    replica.pair = { set: replica.pair.set.merge(opened), naive: replica.pair.naive.merge(from.naive) };
  }

  #crash(replica: Replica, keep: number): void {
    if (keep % 2 === 0) replica.synced = replica.pair;
    replica.pair = replica.synced;
    replica.actorLow = this.#newActor();
    replica.counter = keep % 5;
  }
}

function mergePairs(a: Pair, b: Pair): Pair {
  return { set: a.set.merge(b.set), naive: a.naive.merge(b.naive) };
}

/** The request ids of a set's siblings, as text, sorted. */
export function liveIds(set: SiblingSet): string[] {
  return set.siblings.map(({ requestId }) => String.fromCharCode(...requestId.filter((byte) => byte !== 0))).sort();
}
