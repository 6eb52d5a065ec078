/**
 * RepairWorld: two nodes with records, Merkle leaves, an exchange and a responder, over a link that carries encoded
 * messages with delays. The records are plain maps: what an exchange does is held against what anybody can compute from them.
 */
import { hexOf, utf8, utf8Text } from "../../src/base/bytes.ts";
import { type Status, statusOk } from "../../src/base/errors.ts";
import { fullKeyOf, keyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { type NodeNumber, nodeNumber } from "../../src/base/ids.ts";
import { type Instant, instant, never } from "../../src/base/time.ts";
import type { ExchangeEffects, ExchangeRequest, ExchangeResult, PreviewedKey } from "../../src/repair/exchange.ts";
import { Exchange } from "../../src/repair/exchange.ts";
import { type TreeId, type TreeSource, treeIdOf, treePartition } from "../../src/repair/merkle-tree.ts";
import {
  type Answer,
  type Asked,
  type Question,
  questionCodecs,
  type Reply,
  replyCodecs,
} from "../../src/repair/questions.ts";
import { Responder, type ResponderEffects } from "../../src/repair/responder.ts";
import { keyAfter, leafOfHash, partitionBitsOf, partitionOfHash, recordKey } from "../../src/storage/keys.ts";
import { Leaves } from "../../src/storage/leaves.ts";
import type { RecordPage } from "../../src/storage/store-events.ts";
import { mergeSealed, openRecord, sealRecord } from "../../src/version/record.ts";
import { causalHashOfSealed } from "../../src/version/sealed-causal-hash.ts";
import { SiblingSet } from "../../src/version/sibling-set.ts";
import { decode, encode, type MessageCodec } from "../../src/wire/codec.ts";
import { FrameType } from "../../src/wire/frame-types.ts";

export const windowUs = 4_000_000;

/** Keys of bucket `b` are in the trees of N 3, those of bucket `two` in those of N 2. */
export function treeOf(fullKey: Uint8Array): number {
  return fullKey[0] === 1 ? 3 : 2;
}

export function keyNamed(name: string): Uint8Array {
  return name.startsWith("two:") ? fullKeyOf(utf8("two"), utf8(name)) : fullKeyOf(utf8("b"), utf8(name));
}

export function nameOf(fullKey: Uint8Array): string {
  return utf8Text(keyOf(fullKey));
}

interface Stored {
  readonly fullKey: Uint8Array;
  readonly diskKey: Uint8Array;
  readonly sealed: Uint8Array;
}

const place = new Hash64();
const before = new Hash64();
const after = new Hash64();

/** One node: its records and leaves, and its two cores. */
export class Site implements ExchangeEffects {
  readonly number: NodeNumber;
  readonly world: RepairWorld;
  /** By full key in hexadecimal. */
  readonly records: Map<string, Stored> = new Map();
  readonly unreadable: Set<string> = new Set();
  readonly leaves: Leaves;
  readonly exchange: Exchange;
  readonly responder: Responder<number>;
  readonly results: ExchangeResult[] = [];
  readonly previewed: PreviewedKey[] = [];
  /** Names of the keys that exchanges merged here, or had pushed from here. */
  readonly pulled: string[] = [];
  readonly pushed: string[] = [];
  readonly refusedTrees: Set<TreeId> = new Set();
  /** Changes wait to be counted by the leaves until somebody hurries. */
  isLate = false;
  #late: { readonly partition: number; readonly count: () => void }[] = [];
  #counter = 0;

  constructor(world: RepairWorld, number: number) {
    this.world = world;
    this.number = nodeNumber(number);
    this.leaves = new Leaves(world.partitions);
    const { partitions } = world;
    const leaves: TreeSource = {
      wordsOf: (n, partition) => this.leaves.wordsOf(n, partition),
      hurry: (partition) => this.#countLate(partition),
    };
    this.exchange = new Exchange({ effects: this, leaves, treeOf, windowUs });
    this.responder = new Responder({
      effects: this.#responderEffects(),
      leaves,
      treeOf,
      partitions,
      mayCompare: (tree) => !this.refusedTrees.has(tree),
    });
  }

  get other(): Site {
    return this.world.a === this ? this.world.b : this.world.a;
  }

  /** Sets the record without telling anybody; null: loses it, leaf and all. */
  set(fullKey: Uint8Array, sealed: Uint8Array | null): void {
    const id = hexOf(fullKey);
    before.high = 0;
    before.low = 0;
    after.high = 0;
    after.low = 0;
    const old = this.records.get(id);
    if (old !== undefined) causalHashOfSealed(old.sealed, fullKey, before);
    if (sealed !== null) causalHashOfSealed(sealed, fullKey, after);
    hashKey(fullKey, place);
    const { high, low } = place;
    const partition = partitionOfHash(high, this.world.bits);
    const deltaHigh = before.high ^ after.high;
    const deltaLow = before.low ^ after.low;
    const count = () => this.leaves.apply(treeOf(fullKey), partition, high, deltaHigh, deltaLow);
    if (this.isLate) this.#late.push({ partition, count });
    else count();
    if (sealed === null) this.records.delete(id);
    else this.records.set(id, { fullKey, diskKey: recordKey(fullKey, high, low), sealed });
  }

  #countLate(partition: number): void {
    const late = this.#late;
    this.#late = late.filter((one) => one.partition !== partition);
    for (const one of late) if (one.partition === partition) one.count();
  }

  get(fullKey: Uint8Array): Uint8Array | null {
    return this.records.get(hexOf(fullKey))?.sealed ?? null;
  }

  merge(fullKey: Uint8Array, sealed: Uint8Array): void {
    const old = this.get(fullKey);
    this.set(fullKey, old === null ? sealed : mergeSealed(old, sealed));
  }

  /** A new value, minted here, over what is here. Returns the record, for the other node. */
  put(name: string, value: string): Uint8Array {
    const fullKey = keyNamed(name);
    const old = this.get(fullKey);
    const set = old === null ? SiblingSet.empty : openRecord(old);
    this.#counter += 1;
    const requestId = new Uint8Array(16);
    requestId[0] = this.number;
    new DataView(requestId.buffer).setUint32(4, this.#counter);
    const dot = { actorHigh: this.number << 16, actorLow: 1, counter: this.#counter };
    const write = { context: set.version, dot, requestId, value: utf8(value), tombstone: false, second: 100 };
    const sealed = sealRecord(set.put({ ...write, keepRecentFor: 60 }));
    this.set(fullKey, sealed);
    return sealed;
  }

  #page(partition: number, leaf: number, cursor: Uint8Array | null): RecordPage {
    const all = [...this.records.values()].filter(({ fullKey }) => {
      hashKey(fullKey, place);
      const { high } = place;
      return partitionOfHash(high, this.world.bits) === partition && leafOfHash(high, this.world.bits) === leaf;
    });
    all.sort((x, y) => compare(x.diskKey, y.diskKey));
    const rest = all.filter(({ diskKey }) => cursor === null || compare(diskKey, cursor) >= 0);
    const page = rest.slice(0, this.world.pageKeys);
    const last = page.at(-1);
    const readable = page.filter(({ fullKey }) => !this.unreadable.has(hexOf(fullKey)));
    return {
      fullKeys: readable.map(({ fullKey }) => fullKey),
      records: readable.map(({ sealed }) => sealed),
      unreadable: page.filter(({ fullKey }) => this.unreadable.has(hexOf(fullKey))).map(({ fullKey }) => fullKey),
      cursor: last === undefined || page.length === rest.length ? null : keyAfter(last.diskKey),
    };
  }

  begin(request: Partial<ExchangeRequest> = {}): void {
    const defaults = { leavesMax: 64, direction: "both" as const, preview: false, untilEqual: 0 };
    const trees = this.world.trees.map((tree) => ({ tree, cursor: 0 }));
    this.exchange.begin(this.world.now, { peer: this.other.number, trees, ...defaults, ...request });
  }

  // Effects: each is answered later.

  ask(_now: Instant, id: number, _peer: NodeNumber, question: Question): void {
    const codec = questionCodecs[question.type] as MessageCodec<object>;
    const bytes = encode(codec, question.body);
    this.world.say(`${this.world.nameOf(this)} asks ${typeName(question.type)}${about(question)}`);
    this.world.messages += 1;
    this.world.later(() => {
      if (this.world.cut) return;
      const body = decode(codec, bytes, 0, bytes.length);
      const asked = { type: question.type, body } as Asked;
      this.other.world.tickets.set(id, this);
      this.other.responder.onQuestion(this.world.now, id, asked);
      bytes.fill(0xee);
    });
  }

  answer(_now: Instant, ticket: number, reply: Reply): void {
    const codec = replyCodecs[reply.type] as MessageCodec<object>;
    const bytes = encode(codec, reply.body);
    const asker = this.world.tickets.get(ticket) as Site;
    this.world.bytes += bytes.length;
    this.world.later(() => {
      if (this.world.cut) return;
      const answer = this.world.distort({ type: reply.type, body: decode(codec, bytes, 0, bytes.length) } as Answer);
      asker.exchange.onAnswer(this.world.now, ticket, statusOk, answer);
      bytes.fill(0xee);
    });
  }

  refuse(_now: Instant, ticket: number, _type: number, status: Status, message: string): void {
    const asker = this.world.tickets.get(ticket) as Site;
    this.world.say(`${this.world.nameOf(this)} refuses: ${message}`);
    this.world.later(() => asker.exchange.onAnswer(this.world.now, ticket, status, null));
  }

  scanLeaf(_now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void {
    this.world.later(() => {
      this.exchange.onScanned(this.world.now, id, this.#page(partition, leaf, cursor), null);
    });
  }

  readRecord(_now: Instant, id: number, fullKey: Uint8Array): void {
    this.world.later(() => this.exchange.onRecord(this.world.now, id, ...this.#read(fullKey)));
  }

  #read(fullKey: Uint8Array): [Uint8Array | null, string | null] {
    return this.unreadable.has(hexOf(fullKey)) ? [null, "checksum"] : [this.get(fullKey), null];
  }

  /** The responder's effects; tickets are the askers' ids. */
  #responderEffects(): ResponderEffects<number> {
    return {
      answer: (now, ticket, reply) => this.answer(now, ticket, reply),
      refuse: (now, ticket, type, status, message) => this.refuse(now, ticket, type, status, message),
      scanLeaf: (_now, id, partition, leaf, cursor) => {
        this.world.later(() => {
          this.responder.onScanned(this.world.now, id, this.#page(partition, leaf, cursor), null);
        });
      },
      readRecord: (_now, id, fullKey) => {
        this.world.later(() => this.responder.onRecord(this.world.now, id, ...this.#read(fullKey)));
      },
    };
  }

  mergeRecord(_now: Instant, id: number, _tree: TreeId, fullKey: Uint8Array, sealed: Uint8Array): void {
    const copy = sealed.slice();
    this.pulled.push(nameOf(fullKey));
    this.world.say(`${this.world.nameOf(this)} merges ${nameOf(fullKey)}`);
    this.world.later(() => {
      this.unreadable.delete(hexOf(fullKey));
      this.merge(fullKey, copy);
      this.exchange.onMoved(this.world.now, id, statusOk);
    });
  }

  pushRecord(_now: Instant, id: number, _peer: NodeNumber, _tree: TreeId, fullKey: Uint8Array): void {
    this.pushed.push(nameOf(fullKey));
    this.world.say(`${this.world.nameOf(this)} pushes ${nameOf(fullKey)}`);
    this.world.later(() => {
      this.other.merge(fullKey, this.get(fullKey) as Uint8Array);
      this.exchange.onMoved(this.world.now, id, statusOk);
    });
  }

  difference(_now: Instant, key: PreviewedKey): void {
    const relation = ["same", "behind here", "behind there", "diverged"][key.relation];
    this.world.say(
      `  differs: ${nameOf(key.fullKey)}, ${relation}, bytes ${key.bytesHere} here, ${key.bytesThere} there`,
    );
    this.previewed.push(key);
  }

  finished(_now: Instant, result: ExchangeResult): void {
    this.results.push(result);
    const trees = result.trees.map(({ tree, outcome, cursor }) => {
      const resume = cursor === 0 ? "" : `, to go on at leaf ${cursor}`;
      return `tree ${tree >>> 16}/${treePartition(tree)} ${outcome}${resume}`;
    });
    const why = result.status === statusOk ? "" : `, status ${result.status}`;
    this.world.say(`exchange over${why}: ${trees.join("; ")}`);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1)
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return a.length - b.length;
}

function typeName(type: number): string {
  return Object.entries(FrameType).find(([, value]) => value === type)?.[0] ?? "?";
}

function about(question: Question): string {
  switch (question.type) {
    case FrameType.TREE_ROOTS:
      return ` of ${question.body.trees?.length} trees`;
    case FrameType.TREE_LEAVES:
      return ` of ${question.body.branches?.length} branches`;
    case FrameType.LEAF_KEYS:
      return ` of leaf ${question.body.leaf}`;
    case FrameType.RECORD_FETCH:
      return ` for ${question.body.held?.map(({ fullKey }) => nameOf(fullKey as Uint8Array)).join(" ")}`;
    default:
      return "";
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface WorldOptions {
  readonly partitions?: number;
  readonly pageKeys?: number;
  /** The delay of the next step, in microseconds. */
  readonly delay?: () => number;
}

/** Both nodes, time, and the log of a story. */
export class RepairWorld {
  readonly partitions: number;
  readonly bits: number;
  readonly pageKeys: number;
  readonly trees: TreeId[] = [];
  readonly a: Site;
  readonly b: Site;
  readonly tickets: Map<number, Site> = new Map();
  /** Messages are lost. */
  cut = false;
  /** What becomes of an answer on its way. */
  distort: (answer: Answer) => Answer = (answer) => answer;
  messages = 0;
  bytes = 0;
  now: Instant = instant(1_000_000);
  readonly log: string[] = [];
  readonly #delay: () => number;
  #events: Event[] = [];
  #order = 0;

  constructor(options: WorldOptions = {}) {
    this.partitions = options.partitions ?? 1;
    this.bits = partitionBitsOf(this.partitions);
    this.pageKeys = options.pageKeys ?? 3;
    this.#delay = options.delay ?? (() => 500);
    this.a = new Site(this, 1);
    this.b = new Site(this, 2);
    for (const n of [2, 3]) for (let p = 0; p < this.partitions; p += 1) this.trees.push(treeIdOf(n, p));
  }

  nameOf(site: Site): string {
    return site === this.a ? "A" : "B";
  }

  say(line: string): void {
    this.log.push(`${String(Math.floor(this.now / 1000)).padStart(6)} ms  ${line}`);
  }

  later(run: () => void, delay: number = this.#delay()): void {
    this.#order += 1;
    this.#events.push({ at: this.now + delay, order: this.#order, run });
  }

  /** Runs what is due, until nothing is left or `until` holds. Credits come as they are needed unless `credits` is false. */
  run(options: { until?: () => boolean; credits?: boolean; limit?: number } = {}): void {
    for (let steps = 0; !(options.until?.() ?? false); steps += 1) {
      if (steps > (options.limit ?? 200_000)) throw new Error("the world does not come to rest");
      if (options.credits !== false)
        for (const site of [this.a, this.b]) if (site.exchange.starved) site.exchange.grant(this.now, 1);
      if (!this.#stepOnce()) return;
    }
  }

  #stepOnce(): boolean {
    this.#events.sort((x, y) => x.at - y.at || x.order - y.order);
    const next = this.#events[0];
    const tick = Math.min(this.a.exchange.nextTick(), this.b.exchange.nextTick());
    if (next === undefined && tick >= never) return false;
    if (next !== undefined && next.at <= tick) {
      this.#events.shift();
      this.now = instant(next.at);
      next.run();
      return true;
    }
    this.now = instant(Math.max(this.now, tick));
    for (const site of [this.a, this.b]) if (site.exchange.nextTick() <= this.now) site.exchange.tick(this.now);
    return true;
  }

  /** Names of the keys whose records differ causally, from the maps alone. */
  differing(): string[] {
    const names: string[] = [];
    const ids = new Set([...this.a.records.keys(), ...this.b.records.keys()]);
    for (const id of ids) {
      const here = this.a.records.get(id);
      const there = this.b.records.get(id);
      const set = (stored: Stored | undefined): SiblingSet =>
        stored === undefined ? SiblingSet.empty : openRecord(stored.sealed);
      if (!set(here).sameCausally(set(there))) names.push(nameOf((here ?? there)?.fullKey as Uint8Array));
    }
    return names.sort();
  }

  text(title: string): string {
    return [`# ${title}`, ...this.log].join("\n");
  }
}

/** Names whose keys share a few leaves of partition 0 of 1: several to a leaf. */
export function crowdedNames(): string[] {
  const byLeaf = new Map<number, string[]>();
  for (let i = 0; i < 12_000; i += 1) {
    const name = i % 4 === 3 ? `two:${i}` : `k${i}`;
    hashKey(keyNamed(name), place);
    const leaf = leafOfHash(place.high, 0);
    const names = byLeaf.get(leaf) ?? [];
    names.push(name);
    byLeaf.set(leaf, names);
  }
  const crowded = [...byLeaf.values()].sort((x, y) => y.length - x.length);
  return crowded.slice(0, 5).flat();
}
