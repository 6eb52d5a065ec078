/**
 * HintWorld: the delivery of one node's hints, over plain maps: what the node keeps, what its targets have merged, whom the
 * ring names. Every effect becomes a line and an answer that is given when the test says so. The world holds the delivery
 * to its one promise: a hint goes only when what it held is somewhere else, on disk.
 */
import { hexOf, utf8Text } from "../../src/base/bytes.ts";
import { codeOf, type Status, statusOk, wireOf } from "../../src/base/errors.ts";
import { keyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { Rng } from "../../src/base/rng.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import { HintDelivery } from "../../src/handoff/delivery.ts";
import type { HintConfig, HintDeliveryEffects } from "../../src/handoff/delivery-effects.ts";
import type { HintSend } from "../../src/handoff/hint-lane.ts";
import type { HintEntry } from "../../src/storage/keys.ts";
import { hintListKey, keyAfter } from "../../src/storage/keys.ts";
import type { HintCounts } from "../../src/storage/store.ts";
import { mergeSealed, openRecord } from "../../src/version/record.ts";
import { causalHash } from "../../src/version/sibling-set.ts";
import { keyNamed, recordText } from "./replica-story.ts";

/** What is kept. */
interface Hint {
  readonly target: number;
  readonly name: string;
  readonly sealed: Uint8Array;
  readonly second: number;
}

/** An answer that is owed. */
export interface Owed {
  readonly what: "page" | "record" | "delivered" | "kept" | "dropped";
  readonly give: (now: Instant) => void;
}

function nameOf(fullKey: Uint8Array): string {
  return utf8Text(keyOf(fullKey));
}

export class HintWorld implements HintDeliveryEffects {
  readonly hints = new Map<string, Hint>();
  /** By node, what it has on disk. */
  readonly homes = new Map<number, Map<string, Uint8Array>>();
  readonly owed: Owed[] = [];
  readonly lines: string[] = [];
  /** Whom the ring names for every key. */
  owners: readonly number[] = [];
  /** How a target answers, by number: an error, silence, or a load. */
  readonly faults = new Map<number, Status | "silent">();
  creditBytes = 1 << 20;
  foregroundUs = 0;
  /** Keeping another hint for this node is refused. */
  fullFor = 0;
  /** Who has left the ring. */
  readonly left: Set<number> = new Set();
  /** No hint can be read. */
  unreadable = false;
  /** How often each record reached a target. */
  deliveries = 0;
  readonly counts: HintCounts;
  delivery: HintDelivery;
  now: Instant = instant(0);

  constructor(config: Partial<HintConfig> = {}, seed = 1) {
    this.counts = countsOf(this.hints);
    this.#config = { jitterUs: 0, ...config };
    this.delivery = this.#newDelivery(seed);
  }

  readonly #config: Partial<HintConfig>;

  #newDelivery(seed: number): HintDelivery {
    return new HintDelivery({ effects: this, counts: this.counts, rng: new Rng(seed), config: this.#config });
  }

  /** The process ends and comes back: what is kept is kept, all else is forgotten. */
  restart(seed = 2): void {
    this.owed.length = 0;
    this.delivery = this.#newDelivery(seed);
    this.say("the node ends, and starts again");
    this.delivery.start(this.now);
  }

  say(line: string): void {
    this.lines.push(line);
  }

  #effect(line: string): void {
    this.lines.push(`      ${line}`);
  }

  /** Keeps a record for a target, as the replica does: merged. */
  keepFor(target: number, name: string, sealed: Uint8Array, seconds = 100): void {
    const before = this.hints.get(`${target}/${name}`);
    const merged = before === undefined ? sealed : mergeSealed(before.sealed, sealed);
    const since = Math.min(before?.second ?? seconds, seconds);
    this.hints.set(`${target}/${name}`, { target, name, sealed: merged, second: since });
  }

  /** What the node keeps, as text. */
  kept(): string[] {
    return [...this.hints.values()].map(({ target, name, sealed }) => `${name} for ${target}: ${recordText(sealed)}`);
  }

  /** What a node has, as text. */
  at(node: number, name: string): string {
    return recordText(this.homes.get(node)?.get(name) ?? null);
  }

  mergeAt(node: number, name: string, sealed: Uint8Array): void {
    const home = this.homes.get(node) ?? new Map<string, Uint8Array>();
    this.homes.set(node, home);
    const before = home.get(name);
    home.set(name, before === undefined ? sealed.slice() : mergeSealed(before, sealed));
  }

  /** Gives the answer owed at `index`. */
  answer(index = 0): void {
    const [owed] = this.owed.splice(index, 1);
    if (owed === undefined) throw new Error("no answer is owed");
    owed.give(this.now);
  }

  /** Lets the time pass that the delivery waits for, and gives every answer, until nothing moves or `until` holds. */
  run(until: () => boolean = () => false, turns = 10_000): void {
    for (let i = 0; i < turns && !until(); i += 1) {
      if (this.owed.length > 0) this.answer();
      else {
        const next = this.delivery.nextTick();
        if (next - this.now > 100_000_000) return;
        this.pass(next - this.now);
      }
    }
  }

  /** Lets time pass. */
  pass(us: number): void {
    this.now = instant(this.now + Math.max(us, 0));
    this.delivery.tick(this.now);
  }

  #owe(what: Owed["what"], give: (now: Instant) => void): void {
    const { delivery } = this;
    this.owed.push({ what, give: (now) => (delivery === this.delivery ? give(now) : undefined) });
  }

  scan(_now: Instant, target: number, cursor: Uint8Array | null, keysMax: number, token: number): void {
    this.#effect(`scan the hints for node ${target}${cursor === null ? "" : ", next page"}`);
    this.#owe("page", (now) => this.delivery.onPage(now, token, this.#page(target, cursor, keysMax)));
  }

  #page(target: number, cursor: Uint8Array | null, keysMax: number) {
    const all = [...this.hints.values()].filter((hint) => hint.target === target).map(entryOf);
    const keys = all.map((entry) => ({
      entry,
      key: hintListKey(entry.fullKey, entry.hashHigh, entry.hashLow, target),
    }));
    keys.sort((a, b) => (hexOf(a.key) < hexOf(b.key) ? -1 : 1));
    const rest = keys.filter(({ key }) => cursor === null || hexOf(key) >= hexOf(cursor));
    const page = rest.slice(0, keysMax);
    const last = page[page.length - 1];
    return {
      entries: page.map(({ entry }) => entry),
      cursor: page.length === rest.length || last === undefined ? null : keyAfter(last.key),
    };
  }

  read(_now: Instant, send: HintSend): void {
    this.#owe("record", (now) => {
      if (this.unreadable) {
        this.delivery.onRecord(now, send.id, null, wireOf("STORAGE_FAILED"));
        return;
      }
      const hint = this.hints.get(`${send.target}/${nameOf(send.fullKey)}`);
      this.delivery.onRecord(now, send.id, hint?.sealed ?? null, statusOk);
    });
  }

  deliver(_now: Instant, send: HintSend, sealed: Uint8Array): void {
    const { id, target } = send;
    const name = nameOf(send.fullKey);
    this.deliveries += 1;
    this.#effect(`deliver ${name} to node ${target}: ${recordText(sealed)}`);
    const bytes = sealed.slice();
    this.#owe("delivered", (now) => {
      const fault = this.faults.get(target);
      if (fault === "silent") return;
      if (fault !== undefined) {
        this.#effect(`node ${target} answers ${codeOf(fault)}`);
        this.delivery.onFailed(now, id, fault);
        return;
      }
      this.mergeAt(target, name, bytes);
      const { creditBytes, foregroundUs } = this;
      this.delivery.onDelivered(now, id, { durable: true, creditBytes, foregroundUs, limitUs: 3_000 });
    });
  }

  keep(_now: Instant, send: HintSend, owner: number, sealed: Uint8Array): void {
    const { id, second } = send;
    const name = nameOf(send.fullKey);
    this.#effect(`keep ${name} for node ${owner}, since ${second} s: ${recordText(sealed)}`);
    const bytes = sealed.slice();
    this.#owe("kept", (now) => {
      if (owner === this.fullFor) {
        this.#effect(`there is no room for node ${owner}`);
        this.delivery.onKept(now, id, wireOf("OVERLOADED"));
        return;
      }
      this.keepFor(owner, name, bytes, second);
      this.delivery.onKept(now, id, statusOk);
    });
  }

  drop(_now: Instant, send: HintSend): void {
    const { id, target, causalHigh, causalLow, newOwners } = send;
    const name = nameOf(send.fullKey);
    this.#owe("dropped", (now) => {
      const hint = this.hints.get(`${target}/${name}`);
      const hash = new Hash64();
      if (hint !== undefined) causalHash(openRecord(hint.sealed), send.fullKey, hash);
      const removed = hint !== undefined && hash.high === causalHigh && hash.low === causalLow;
      this.#effect(`the hint ${name} for node ${target} ${removed ? "is dropped" : "has changed and stays"}`);
      if (removed) this.#drop(hint as Hint, newOwners);
      this.delivery.onDropped(now, id, statusOk, removed);
    });
  }

  /** What a hint held must be at home by now, or on its way there as a hint for somebody else, who may have it already. */
  #drop(hint: Hint, newOwners: readonly number[]): void {
    const { target, name, sealed } = hint;
    this.hints.delete(`${target}/${name}`);
    const places = newOwners.length === 0 ? [this.homes.get(target)?.get(name)] : this.#placesOf(name);
    const { version } = openRecord(sealed);
    const covered = places.some((place) => place !== undefined && openRecord(place).version.coversAll(version));
    if (!covered) throw new Error("a hint is dropped that nobody else holds");
  }

  #placesOf(name: string): (Uint8Array | undefined)[] {
    const hints = [...this.hints.values()].filter((hint) => hint.name === name).map((hint) => hint.sealed);
    return [...hints, ...[...this.homes.values()].map((home) => home.get(name))];
  }

  ownersOf(): readonly number[] {
    return this.owners;
  }

  hasLeft(target: number): boolean {
    return this.left.has(target);
  }

  text(title: string): string {
    return `# ${title}\n${this.lines.join("\n")}\n`;
  }
}

function entryOf({ target, name, sealed, second }: Hint): HintEntry {
  const fullKey = keyNamed(name);
  const hash = new Hash64();
  hashKey(fullKey, hash);
  return { target, fullKey, hashHigh: hash.high, hashLow: hash.low, second, bytes: sealed.length };
}

function countsOf(hints: ReadonlyMap<string, Hint>): HintCounts {
  const of = (target: number): Hint[] => [...hints.values()].filter((hint) => hint.target === target);
  const bytes = (list: readonly Hint[]): number =>
    list.reduce((sum, { name, sealed }) => sum + keyNamed(name).length + sealed.length, 0);
  return {
    get total() {
      return hints.size;
    },
    get bytes() {
      return bytes([...hints.values()]);
    },
    countOf: (target) => of(target).length,
    bytesOf: (target) => bytes(of(target)),
    oldestOf: (target) => Math.min(...of(target).map(({ second }) => second), Number.MAX_SAFE_INTEGER),
    targets: () => [...new Set([...hints.values()].map(({ target }) => target))].sort((a, b) => a - b),
  };
}
