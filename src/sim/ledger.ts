/**
 * Ledger: the simulator's own account of who holds what, from the writes that the engines are given and report. Per key
 * and node it keeps which versions ever reached the system and which were ever synced, as a copy or as a hint for
 * another node, and for each dot the write it stands for. It never forgets, so "held at the ack" can be judged a moment
 * later; what a fault took away since is the final audit's business.
 */
import type { Instant } from "../base/time.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import { type Dot, mergeVersions, VersionVector } from "../version/version-vector.ts";
import { idName } from "./history.ts";
import { OpenedRecords } from "./opened-records.ts";
import type { DiskWatch, WrittenRecord } from "./watched-engine.ts";

/** Told of every record that a node hands to its engine. */
export interface RecordWatch {
  /** `target`: of a hint; 0 for a copy of the node's own. */
  onRecord(now: Instant, node: number, key: string, set: SiblingSet, target: number): void;
  /** A node forgets the record of a key, by certificate. */
  onForgotten?(now: Instant, node: number, key: string, set: SiblingSet): void;
  /** A node drops these entries from the version of its record, by certificate. */
  onPruned?(now: Instant, node: number, key: string, entries: VersionVector): void;
  onHintDropped?(now: Instant, node: number, key: string, target: number): void;
  /** A copy of the node's own has reached the system, or is found there when that is told anew. */
  onCopy?(node: number, key: string, set: SiblingSet): void;
  /** The deletion of a copy is handed to the engine. */
  onCopyDropped?(now: Instant, node: number, key: string): void;
  /** What that node's disk holds is told anew, as a new process begins on it or its power went; and what of hints is there. */
  onRecount?(node: number): void;
  onCopyDamaged?(node: number, key: string): void;
  onHintDamaged?(node: number, key: string, target: number): void;
  onHintFound?(node: number, key: string, set: SiblingSet, target: number): void;
}

class KeyAccount {
  /** The version of each node's own copy as it was logged last in this life. */
  readonly own: VersionVector[];
  readonly written: VersionVector[];
  readonly synced: VersionVector[];
  /** Of `synced`, what was the node's own copy. */
  readonly ownSynced: VersionVector[];
  /** Whether the node ever kept a hint of the key. */
  readonly hinted: boolean[];

  constructor(nodes: number) {
    this.own = new Array<VersionVector>(nodes).fill(VersionVector.empty);
    this.written = new Array<VersionVector>(nodes).fill(VersionVector.empty);
    this.hinted = new Array<boolean>(nodes).fill(false);
    this.ownSynced = new Array<VersionVector>(nodes).fill(VersionVector.empty);
    this.synced = new Array<VersionVector>(nodes).fill(VersionVector.empty);
  }
}

export class Ledger implements DiskWatch {
  readonly opened: OpenedRecords = new OpenedRecords();
  readonly #nodes: number;
  readonly #accounts = new Map<string, KeyAccount>();
  readonly #dots = new Map<string, Dot[]>();
  readonly #learned = new Set<SiblingSet>();
  readonly #watchers: RecordWatch[] = [];
  readonly #forgotten = new Map<string, VersionVector>();
  readonly #stamps = new Map<string, number>();

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  /** Adds a checker that sees every record written. */
  watch(watcher: RecordWatch): void {
    this.#watchers.push(watcher);
  }

  onIssued(now: Instant, node: number, record: WrittenRecord): void {
    this.learn(record.set);
    if (record.target !== 0) this.#account(record.key).hinted[node] = true;
    for (const watcher of this.#watchers) watcher.onRecord(now, node, record.key, record.set, record.target);
  }

  /** The log has every change in its order: entries that a record has lost since the change before have been pruned. */
  onLogged(now: Instant, node: number, { key, set }: WrittenRecord): void {
    const { own } = this.#account(key);
    const before = own[node] as VersionVector;
    own[node] = set.version;
    const gone: number[] = [];
    for (let i = 0; i < before.size; i += 1) {
      const { actorHigh, actorLow, counter } = before.entry(i);
      if (set.version.counterOf(actorHigh, actorLow) === 0) gone.push(counter | 0, actorLow | 0, actorHigh | 0);
    }
    if (gone.length === 0) return;
    const version = new VersionVector(gone);
    this.#forgotten.set(key, mergeVersions(this.forgotten(key), version));
    for (const watcher of this.#watchers) watcher.onPruned?.(now, node, key, version);
  }

  onForgotten(now: Instant, node: number, record: WrittenRecord): void {
    const { key, set } = record;
    this.learn(set);
    this.#account(key).own[node] = VersionVector.empty;
    this.#forgotten.set(key, mergeVersions(this.forgotten(key), set.version));
    for (const watcher of this.#watchers) watcher.onForgotten?.(now, node, key, set);
  }

  /** What of a key's history nodes have forgotten by certificate: deleted, and gone for good. */
  forgotten(key: string): VersionVector {
    return this.#forgotten.get(key) ?? VersionVector.empty;
  }

  onHintDropped(now: Instant, node: number, key: string, target: number): void {
    for (const watcher of this.#watchers) watcher.onHintDropped?.(now, node, key, target);
  }

  onCopyDropped(now: Instant, node: number, key: string): void {
    for (const watcher of this.#watchers) watcher.onCopyDropped?.(now, node, key);
  }

  onWritten(_now: Instant, node: number, record: WrittenRecord): void {
    this.#tellCopy(node, record);
    const { written } = this.#account(record.key);
    written[node] = mergeVersions(written[node] as VersionVector, record.set.version);
  }

  #tellCopy(node: number, { key, set, target }: WrittenRecord): void {
    if (target === 0) for (const watcher of this.#watchers) watcher.onCopy?.(node, key, set);
  }

  /** The node's copy of the key, or its hint for `target`, is damaged: what it will hold instead is no change of it. */
  onDamaged(node: number, key: string, target: number): void {
    if (target === 0) this.#account(key).own[node] = VersionVector.empty;
    for (const watcher of this.#watchers) {
      if (target === 0) watcher.onCopyDamaged?.(node, key);
      else watcher.onHintDamaged?.(node, key, target);
    }
  }

  onRecount(node: number): void {
    for (const account of this.#accounts.values()) account.own[node] = VersionVector.empty;
    for (const watcher of this.#watchers) watcher.onRecount?.(node);
  }

  onFound(node: number, record: WrittenRecord): void {
    this.learn(record.set);
    this.#tellCopy(node, record);
    if (record.target !== 0) {
      for (const watcher of this.#watchers) watcher.onHintFound?.(node, record.key, record.set, record.target);
    }
    const { written } = this.#account(record.key);
    written[node] = mergeVersions(written[node] as VersionVector, record.set.version);
  }

  onSynced(_now: Instant, node: number, record: WrittenRecord): void {
    const { synced, ownSynced } = this.#account(record.key);
    synced[node] = mergeVersions(synced[node] as VersionVector, record.set.version);
    if (record.target === 0) ownSynced[node] = mergeVersions(ownSynced[node] as VersionVector, record.set.version);
  }

  /** Whether that node's own copy was ever synced with all that this version covers. */
  hasSynced(node: number, key: string, version: VersionVector): boolean {
    return (this.#accounts.get(key)?.ownSynced[node] ?? VersionVector.empty).coversAll(version);
  }

  /** Takes note of the dots in a record, wherever it was seen. */
  learn(set: SiblingSet): void {
    if (this.#learned.has(set)) return;
    this.#learned.add(set);
    for (const sibling of set.siblings) {
      const id = idName(sibling.requestId);
      this.#learnDots(id, sibling.dots);
      if (sibling.stamp > 0) this.#stamps.set(id, Math.min(sibling.stamp, this.#stamps.get(id) ?? sibling.stamp));
    }
    for (const superseded of set.recent) this.#learnDots(idName(superseded.requestId), superseded.dots);
  }

  #learnDots(id: string, dots: readonly Dot[]): void {
    const known = this.#dots.get(id);
    if (known === undefined) this.#dots.set(id, [...dots]);
    else for (const dot of dots) if (!hasDot(known, dot)) known.push(dot);
  }

  #account(key: string): KeyAccount {
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new KeyAccount(this.#nodes);
      this.#accounts.set(key, account);
    }
    return account;
  }

  /** The dots under which a write is known; empty if it never reached a disk. */
  dotsOf(requestId: string): readonly Dot[] {
    return this.#dots.get(requestId) ?? [];
  }

  /** The least stamp that a write has been given by a coordinator; 0: none that reached a disk. */
  stampOf(requestId: string): number {
    return this.#stamps.get(requestId) ?? 0;
  }

  /** Whether the node ever kept anything of the key for another one. */
  hasHinted(node: number, key: string): boolean {
    return this.#accounts.get(key)?.hinted[node] ?? false;
  }

  /** Whether what a write says ever reached that node's disk: synced, or at least the system. */
  holds(node: number, key: string, dots: readonly Dot[], synced: boolean): boolean {
    const account = this.#accounts.get(key);
    if (account === undefined) return false;
    const version = (synced ? account.synced : account.written)[node] as VersionVector;
    return version.coversAny(dots);
  }
}

function hasDot(dots: readonly Dot[], dot: Dot): boolean {
  for (const one of dots) if (sameDot(one, dot)) return true;
  return false;
}

/** Whether both are the same event. */
export function sameDot(a: Dot, b: Dot): boolean {
  return a.counter === b.counter && a.actorLow === b.actorLow && a.actorHigh === b.actorHigh;
}
