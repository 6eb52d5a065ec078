/**
 * A store on a host, with a caller that keeps a replica's promises: one write of a key at a time, deltas from the record
 * held before. Records are real ones; `values` is the plain map that the store must agree with.
 */
import { expect } from "vitest";
import { utf8, utf8Text } from "../../src/base/bytes.ts";
import { fullKeyOf, keyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import type { Instant } from "../../src/base/time.ts";
import type { Engine } from "../../src/storage/engine.ts";
import type { HintEntry } from "../../src/storage/keys.ts";
import { leafOfHash, leavesPerTree, partitionBitsOf, partitionOfHash } from "../../src/storage/keys.ts";
import type {
  DeletedPage,
  HintPage,
  RecordPage,
  StartReport,
  StoredHint,
  StoreEvents,
  StoreOptions,
  SyncMode,
} from "../../src/storage/store.ts";
import { Store, StoreWrite } from "../../src/storage/store.ts";
import type { WriteAheadLog } from "../../src/storage/write-ahead-log.ts";
import { openRecord, sealRecord } from "../../src/version/record.ts";
import { causalHash, SiblingSet } from "../../src/version/sibling-set.ts";
import type { EngineHost } from "./engine-host.ts";
import { EngineProbe } from "./engine-probe.ts";

export const partitions = 16;
export const partitionBits: number = partitionBitsOf(partitions);
/** The tree class of every key in these tests. */
export const treeN = 3;

const bucket = utf8("b");

export function fullKeyFor(name: string): Uint8Array {
  return fullKeyOf(bucket, utf8(name));
}

export function hashOf(name: string): Hash64 {
  const hash = new Hash64();
  hashKey(fullKeyFor(name), hash);
  return hash;
}

export function partitionFor(name: string): number {
  return partitionOfHash(hashOf(name).high, partitionBits);
}

/** The one value of a sealed record, as text. */
export function textOf(sealed: Uint8Array): string {
  const { siblings } = openRecord(sealed);
  if (siblings.length !== 1) throw new Error(`${siblings.length} siblings`);
  return utf8Text(siblings[0]?.value as Uint8Array);
}

/** Merkle leaves made from records alone: partition * 4096 + leaf -> [high, low], zero leaves left out. */
export function leavesOf(records: Iterable<readonly [string, SiblingSet]>): Map<number, [number, number]> {
  const leaves = new Map<number, [number, number]>();
  for (const [name, set] of records) {
    const { high } = hashOf(name);
    const sum = new Hash64();
    causalHash(set, fullKeyFor(name), sum);
    const id = partitionOfHash(high, partitionBits) * leavesPerTree + leafOfHash(high, partitionBits);
    const before = leaves.get(id) ?? [0, 0];
    leaves.set(id, [(before[0] ^ sum.high) >>> 0, (before[1] ^ sum.low) >>> 0]);
  }
  for (const [id, [high, low]] of leaves) if ((high | low) === 0) leaves.delete(id);
  return leaves;
}

/** A hint as the tests remember it. */
export interface KeptHint {
  readonly name: string;
  readonly target: number;
  readonly second: number;
  readonly value: string;
  readonly bytes: number;
}

/** Dots are unique over all rigs, because records pass from one to the next. */
let dotCounter = 0;

/** `logged`: with a write-ahead log, which `wrapLog` may stand before. */
export interface RigOptions extends Partial<StoreOptions> {
  readonly logged?: boolean;
  readonly wrapLog?: (log: WriteAheadLog) => WriteAheadLog;
}

export class StoreRig implements StoreEvents {
  readonly host: EngineHost;
  engine: Engine | undefined;
  store: Store;
  report: StartReport | undefined;
  failure: string | undefined;
  closed = false;
  /** What happened, by token: "written", "synced", in order. */
  readonly log: string[] = [];
  readonly reads: Map<number, { sealed: Uint8Array | null; error: string | null }> = new Map();
  readonly pages: Map<number, { page: RecordPage | null; error: string | null }> = new Map();
  readonly hints: Map<number, { hints: readonly StoredHint[]; error: string | null }> = new Map();
  readonly hintPages: Map<number, { page: HintPage | null; error: string | null }> = new Map();
  readonly deletions: Map<number, { page: DeletedPage | null; error: string | null }> = new Map();
  /** The newest record given to the store, by key. */
  readonly sets: Map<string, SiblingSet> = new Map();
  /** What is kept for whom, by key and target. */
  readonly hintModel: Map<string, KeptHint> = new Map();
  /** Set to call back into the store from an answer. */
  whenWritten: ((token: number) => void) | undefined;
  readonly #seen: Set<string> = new Set();
  #tokens = 0;
  #inCall = false;

  private constructor(host: EngineHost) {
    this.host = host;
    this.store = undefined as unknown as Store;
  }

  /** A store on whatever the host's disk holds, with the boot scan under way. */
  static async begin(
    host: EngineHost,
    options: RigOptions = {},
    wrap: (engine: Engine) => Engine = (engine) => engine,
  ): Promise<StoreRig> {
    const rig = new StoreRig(host);
    rig.engine = wrap(await host.open());
    const { logged, wrapLog, ...given } = options;
    const log = logged === true ? host.openLog() : undefined;
    rig.store = new Store({
      engine: rig.engine,
      events: rig,
      partitions,
      bufferBytes: 256 * 1024,
      wantTurnEnd: () => host.soon((now) => rig.store.endTurn(now)),
      ...given,
      ...(log === undefined ? {} : { log: wrapLog?.(log) ?? log }),
    });
    rig.store.start(host.now());
    return rig;
  }

  /** As `begin`, and started. */
  static async open(host: EngineHost, options: RigOptions = {}): Promise<StoreRig> {
    const rig = await StoreRig.begin(host, options);
    await rig.until(() => rig.report !== undefined || rig.failure !== undefined);
    if (rig.failure !== undefined) throw new Error(rig.failure);
    return rig;
  }

  /** Closes, and opens again with a probe before the engine and the same records in mind. */
  async reopenWithProbe(options: Partial<StoreOptions>): Promise<{ rig: StoreRig; probe: EngineProbe }> {
    await this.close();
    const probes: EngineProbe[] = [];
    const rig = await StoreRig.begin(this.host, options, (engine) => {
      const probe = new EngineProbe(engine);
      probes.push(probe);
      return probe;
    });
    for (const [name, set] of this.sets) rig.sets.set(name, set);
    await rig.until(() => rig.report !== undefined);
    return { rig, probe: probes[0] as EngineProbe };
  }

  until(condition: () => boolean): Promise<void> {
    return this.host.until(condition, (now) => {
      if (this.store.nextTick() <= now) this.store.tick(now);
    });
  }

  /** A write of `value` in place of what the key held; `sets` is already brought up. */
  makeWrite(name: string, value: string, sync: SyncMode = 0, memory = false): StoreWrite {
    const before = this.sets.get(name) ?? SiblingSet.empty;
    dotCounter += 1;
    const requestId = new Uint8Array(16);
    new DataView(requestId.buffer).setUint32(0, dotCounter);
    const next = before.put({
      context: before.version,
      dot: { actorHigh: 0x10000, actorLow: 1, counter: dotCounter },
      requestId,
      value: utf8(value),
      tombstone: false,
      second: 1,
      keepRecentFor: 0,
    });
    return this.writeOf(name, before, next, sync, memory);
  }

  writeOf(name: string, before: SiblingSet, next: SiblingSet, sync: SyncMode, memory: boolean): StoreWrite {
    const hash = hashOf(name);
    const write = new StoreWrite();
    write.fullKey = fullKeyFor(name);
    write.hashHigh = hash.high;
    write.hashLow = hash.low;
    write.n = treeN;
    write.partition = partitionOfHash(hash.high, partitionBits);
    write.sealed = sealRecord(next);
    const old = new Hash64();
    const now = new Hash64();
    causalHash(before, write.fullKey, old);
    causalHash(next, write.fullKey, now);
    write.deltaHigh = old.high ^ now.high;
    write.deltaLow = old.low ^ now.low;
    write.sync = sync;
    write.memory = memory;
    this.#tokens += 1;
    write.token = this.#tokens;
    this.sets.set(name, next);
    return write;
  }

  /** Gives the write to the store; an answer inside the call is an error. */
  give(write: StoreWrite): number {
    this.#inCall = true;
    this.store.write(this.host.now(), write);
    this.#inCall = false;
    return write.token;
  }

  /** Queues a put and returns its token. */
  put(name: string, value: string, sync: SyncMode = 0, memory = false): number {
    return this.give(this.makeWrite(name, value, sync, memory));
  }

  /** Puts, and waits for the answer. */
  async putNow(name: string, value: string, sync: SyncMode = 0, memory = false): Promise<number> {
    const token = this.put(name, value, sync, memory);
    await this.until(() => this.written(token));
    return token;
  }

  /** Keeps `value` as the key's hint for a target, in place of the one before; returns the token. */
  async hintNow(name: string, target: number, value: string, second: number, sync: SyncMode = 0): Promise<number> {
    const { sets } = this;
    const record = sets.get(name);
    const write = this.makeWrite(name, value, sync);
    if (record === undefined) sets.delete(name);
    else sets.set(name, record);
    return this.#giveHint(write, name, { name, target, second, value, bytes: write.sealed.length });
  }

  /** Deletes the key's hint for a target, if there is one. */
  async dropHintNow(name: string, target: number): Promise<void> {
    const kept = this.hintModel.get(`${name}/${target}`);
    if (kept === undefined) return;
    const hash = hashOf(name);
    const write = new StoreWrite();
    write.fullKey = fullKeyFor(name);
    write.hashHigh = hash.high;
    write.hashLow = hash.low;
    this.#tokens += 1;
    write.token = this.#tokens;
    await this.#giveHint(write, name, { ...kept, bytes: 0 });
  }

  async #giveHint(write: StoreWrite, name: string, hint: KeptHint): Promise<number> {
    const { target, second } = hint;
    const before = this.hintModel.get(`${name}/${target}`);
    write.hint = { target, second, secondBefore: before?.second ?? 0, bytesBefore: before?.bytes ?? -1 };
    if (write.sealed.length === 0) this.hintModel.delete(`${name}/${target}`);
    else this.hintModel.set(`${name}/${target}`, hint);
    this.give(write);
    await this.until(() => this.written(write.token));
    return write.token;
  }

  /** The key's hints: target, second and value. */
  async hintsOf(name: string): Promise<[number, number, string][]> {
    const { high, low } = hashOf(name);
    this.#tokens += 1;
    const token = this.#tokens;
    this.store.readHints(this.host.now(), fullKeyFor(name), high, low, token);
    await this.until(() => this.hints.has(token));
    const answer = this.hints.get(token);
    if (answer?.error) throw new Error(answer.error);
    return (answer?.hints ?? []).map(({ target, second, sealed }) => [target, second, textOf(sealed)]);
  }

  /** The list of a target's hints (0: of all) by pages of `keysMax`. */
  async listHints(target: number, keysMax: number): Promise<HintEntry[]> {
    const found: HintEntry[] = [];
    let cursor: Uint8Array | null = null;
    do {
      this.#tokens += 1;
      const token = this.#tokens;
      this.store.scanHints(this.host.now(), { target, cursor, keysMax, token });
      await this.until(() => this.hintPages.has(token));
      const page: HintPage | null = this.hintPages.get(token)?.page ?? null;
      if (page === null) throw new Error(this.hintPages.get(token)?.error ?? "no page");
      found.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== null);
    return found;
  }

  /** Holds the store against `hintModel`: by key, by target and all together, and in numbers. */
  async checkHints(targets: readonly number[], names: readonly string[]): Promise<void> {
    const model = [...this.hintModel.values()].sort((a, b) => a.target - b.target);
    for (const name of names) {
      const own = model.filter((hint) => hint.name === name).map((hint) => [hint.target, hint.second, hint.value]);
      expect(await this.hintsOf(name)).toEqual(own);
      // Keys share cells: one without a hint may be taken for one that has some, until none is left at all.
      if (own.length > 0 || model.length === 0) expect(this.store.mayHoldHints(hashOf(name).low)).toBe(own.length > 0);
    }
    const nameOf = ({ fullKey }: HintEntry): string => utf8Text(keyOf(fullKey));
    const plain = (hints: readonly KeptHint[]): string[] =>
      hints.map((hint) => `${hint.target} ${hint.name} ${hint.second} ${hint.bytes}`).sort();
    const { hints } = this.store;
    for (const target of [0, ...targets]) {
      const own = model.filter((hint) => target === 0 || hint.target === target);
      const listed = await this.listHints(target, 3);
      expect(listed.map((one) => `${one.target} ${nameOf(one)} ${one.second} ${one.bytes}`).sort()).toEqual(plain(own));
      const bytes = own.reduce((sum, hint) => sum + hint.bytes + fullKeyFor(hint.name).length, 0);
      if (target === 0) {
        expect([hints.total, hints.bytes]).toEqual([own.length, bytes]);
        continue;
      }
      const oldest = own.length === 0 ? 0 : Math.min(...own.map((hint) => hint.second));
      expect([hints.countOf(target), hints.bytesOf(target), hints.oldestOf(target)]).toEqual([
        own.length,
        bytes,
        oldest,
      ]);
    }
    expect(hints.targets()).toEqual([...new Set(model.map((hint) => hint.target))]);
  }

  written(token: number): boolean {
    return this.#seen.has(`written ${token}`);
  }

  synced(token: number): boolean {
    return this.#seen.has(`synced ${token}`);
  }

  /** The object buffer's value for the key, or undefined. */
  lookup(name: string): string | undefined {
    const hash = hashOf(name);
    const sealed = this.store.lookup(fullKeyFor(name), hash.high, hash.low);
    return sealed === undefined ? undefined : textOf(sealed);
  }

  /** Asks the engine, past the object buffer; returns the token. */
  ask(name: string): number {
    const hash = hashOf(name);
    this.#tokens += 1;
    this.store.read(this.host.now(), fullKeyFor(name), hash.high, hash.low, this.#tokens);
    return this.#tokens;
  }

  async readEngine(name: string): Promise<string | null> {
    const token = this.ask(name);
    await this.until(() => this.reads.has(token));
    const answer = this.reads.get(token);
    if (answer?.error) throw new Error(answer.error);
    return answer?.sealed ? textOf(answer.sealed) : null;
  }

  /** What a get would see: the object buffer, else the engine. */
  async get(name: string): Promise<string | null> {
    return this.lookup(name) ?? (await this.readEngine(name));
  }

  /** Flushes and closes. */
  async close(): Promise<void> {
    this.store.stop(this.host.now());
    await this.until(() => this.closed || this.failure !== undefined);
  }

  /** The store's trees in the form of `leavesOf`. */
  leaves(): Map<number, [number, number]> {
    const leaves = new Map<number, [number, number]>();
    this.store.leaves.forEach((n, partition, words) => {
      if (n !== treeN) throw new Error(`a tree of class ${n}`);
      for (let leaf = 0; leaf < leavesPerTree; leaf += 1) {
        const high = words[2 * leaf] as number;
        const low = words[2 * leaf + 1] as number;
        if ((high | low) !== 0) leaves.set(partition * leavesPerTree + leaf, [high, low]);
      }
    });
    return leaves;
  }

  /** All records of one partition by pages of `keysMax`, as name -> value. */
  async scan(partition: number, keysMax: number): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    let cursor: Uint8Array | null = null;
    do {
      this.#tokens += 1;
      const token = this.#tokens;
      this.store.scanRecords(this.host.now(), { partition, cursor, keysMax, bytesMax: 1_000_000, token });
      await this.until(() => this.pages.has(token));
      const page: RecordPage | null = this.pages.get(token)?.page ?? null;
      if (page === null) throw new Error(this.pages.get(token)?.error ?? "no page");
      page.fullKeys.forEach((key, i) => {
        found.set(utf8Text(keyOf(key)), textOf(page.records[i] as Uint8Array));
      });
      cursor = page.cursor;
    } while (cursor !== null);
    return found;
  }

  /** Asks for one page of a partition to be deleted; returns the token. */
  askDelete(partition: number, cursor: Uint8Array | null, treeOf = (_key: Uint8Array): number => treeN): number {
    this.#tokens += 1;
    this.store.deleteRange(this.host.now(), { partition, treeOf, cursor, token: this.#tokens });
    return this.#tokens;
  }

  async deleted(token: number): Promise<DeletedPage> {
    await this.until(() => this.deletions.has(token));
    const answer = this.deletions.get(token);
    if (answer === undefined || answer.page === null) throw new Error(answer?.error ?? "no answer");
    return answer.page;
  }

  /** Deletes one page of a partition. */
  deletePage(partition: number, cursor: Uint8Array | null): Promise<DeletedPage> {
    return this.deleted(this.askDelete(partition, cursor));
  }

  #event(text: string): void {
    if (this.#inCall) throw new Error(`${text} inside a call`);
    if (this.failure !== undefined || this.closed) throw new Error(`${text} after the end`);
    this.log.push(text);
    this.#seen.add(text);
  }

  onStoreStarted(_now: Instant, report: StartReport): void {
    this.#event("started");
    this.report = report;
  }

  onStoreRead(_now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    this.#event(`read ${token}`);
    this.reads.set(token, { sealed, error });
  }

  onStoreWritten(_now: Instant, token: number): void {
    this.#event(`written ${token}`);
    this.whenWritten?.(token);
  }

  onStoreSynced(_now: Instant, token: number): void {
    this.#event(`synced ${token}`);
  }

  onStoreScanned(_now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    this.#event(`scanned ${token}`);
    this.pages.set(token, { page, error });
  }

  onStoreDamaged(_now: Instant, fullKey: Uint8Array, flaw: string): void {
    this.#event(`damaged ${utf8Text(keyOf(fullKey))}: ${flaw}`);
  }

  onStoreHints(_now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    this.#event(`hints ${token}`);
    this.hints.set(token, { hints, error });
  }

  onStoreHintPage(_now: Instant, token: number, page: HintPage | null, error: string | null): void {
    this.#event(`hint page ${token}`);
    this.hintPages.set(token, { page, error });
  }

  onStoreDeleted(_now: Instant, token: number, page: DeletedPage | null, error: string | null): void {
    this.#event(`deleted ${token}`);
    this.deletions.set(token, { page, error });
  }

  onStoreFailed(_now: Instant, reason: string): void {
    this.#event("failed");
    this.failure = reason;
  }

  onStoreClosed(): void {
    this.#event("closed");
    this.closed = true;
  }
}
