/**
 * FakeStore: the store as the replica sees it, in memory, which answers only when it is told to. It is strict where the
 * real one is: a view from `lookup` is scribbled over at the next call, bytes given to `write` must still be the same
 * when the write is answered, and a write shows when it is answered, not before (a memory write at once).
 */
import { equalBytes, hexOf } from "../../src/base/bytes.ts";
import type { Instant } from "../../src/base/time.ts";
import type { ReplicaStore } from "../../src/replica/replica.ts";
import {
  type HintChange,
  type HintCounts,
  type StoredHint,
  type StoreWrite,
  SyncMode,
} from "../../src/storage/store.ts";

/** Where the answers go: the replica. */
export interface StoreSink {
  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void;
  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void;
  onStoreWritten(now: Instant, token: number): void;
  onStoreSynced(now: Instant, token: number): void;
}

/** One thing the store owes an answer for. */
export interface Owed {
  readonly what: "read" | "hints" | "write" | "sync";
  readonly key: string;
  readonly token: number;
  readonly write?: StoreWrite;
  /** What the write held when it was made. */
  readonly sealed?: Uint8Array;
}

export class FakeStore implements ReplicaStore {
  /** By full key in hexadecimal. */
  readonly records = new Map<string, Uint8Array>();
  /** What a power cut leaves. */
  readonly synced = new Map<string, Uint8Array>();
  readonly hints = new Map<string, StoredHint[]>();
  readonly owed: Owed[] = [];
  /** Told of each call, for stories and checks. */
  onCall: (what: Owed["what"], write?: StoreWrite) => void = () => {};
  /** Whether `lookup` knows what is stored. */
  hot = false;
  /** Whether it knows what is about to be written. */
  showsWrites = false;
  dirtyBytes = 0;
  /** What the leaves say of every key. */
  bare = false;
  readonly leaves = { isBare: (): boolean => this.bare };
  sink: StoreSink | undefined = undefined;
  #lent: Uint8Array | undefined = undefined;

  mayHoldHints(): boolean {
    return this.hints.size > 0;
  }

  /** What is kept, counted one by one. */
  get hintCounts(): HintCounts {
    const all = [...this.hints].flatMap(([key, hints]) =>
      hints.map(({ target, second, sealed }) => ({ target, second, bytes: key.length / 2 + sealed.length })),
    );
    return {
      total: all.length,
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      countOf: (target) => all.filter((hint) => hint.target === target).length,
      bytesOf: (target) => all.reduce((sum, hint) => sum + (hint.target === target ? hint.bytes : 0), 0),
      oldestOf: (target) => Math.min(...all.filter((hint) => hint.target === target).map(({ second }) => second)),
      targets: () => [...new Set(all.map(({ target }) => target))].sort((a, b) => a - b),
    };
  }

  #takeBack(): void {
    this.#lent?.fill(0xee);
    this.#lent = undefined;
  }

  lookup(fullKey: Uint8Array, _hashHigh: number, _hashLow: number): Uint8Array | undefined {
    this.#takeBack();
    this.#lent = this.hot ? this.records.get(hexOf(fullKey))?.slice() : undefined;
    return this.#lent;
  }

  #owe(owed: Owed): void {
    this.#takeBack();
    this.owed.push(owed);
    this.onCall(owed.what, owed.write);
  }

  read(_now: Instant, fullKey: Uint8Array, _hashHigh: number, _hashLow: number, token: number): void {
    this.#owe({ what: "read", key: hexOf(fullKey), token });
  }

  readHints(_now: Instant, fullKey: Uint8Array, _hashHigh: number, _hashLow: number, token: number): void {
    this.#owe({ what: "hints", key: hexOf(fullKey), token });
  }

  write(_now: Instant, write: StoreWrite): boolean {
    const key = hexOf(write.fullKey);
    const sealed = write.sealed.slice();
    if (write.memory || this.showsWrites) this.records.set(key, sealed);
    this.#owe({ what: "write", key, token: write.token, write, sealed });
    return this.showsWrites;
  }

  /** Gives the answer owed at `index`; a read fails with `error` if that is given. */
  answer(now: Instant, index = 0, error: string | null = null): void {
    const [owed] = this.owed.splice(index, 1);
    const sink = this.sink;
    if (owed === undefined || sink === undefined) throw new Error("the store owes no such answer");
    this.#takeBack();
    const stored = this.records.get(owed.key)?.slice() ?? null;
    if (owed.what === "read") sink.onStoreRead(now, owed.token, error === null ? stored : null, error);
    else if (owed.what === "hints") sink.onStoreHints(now, owed.token, this.hints.get(owed.key) ?? [], error);
    else if (owed.what === "write") this.#written(now, owed, sink);
    else {
      if (owed.write?.hint == null) this.synced.set(owed.key, this.records.get(owed.key) as Uint8Array);
      sink.onStoreSynced(now, owed.token);
    }
  }

  #written(now: Instant, owed: Owed, sink: StoreSink): void {
    const { write, sealed } = owed;
    if (write === undefined || sealed === undefined) throw new Error("a write is owed with its bytes");
    if (!equalBytes(write.sealed, sealed)) throw new Error("the bytes of a write changed while it was under way");
    if (write.forgotten) this.records.delete(owed.key);
    else if (write.hint === null) this.records.set(owed.key, sealed);
    else this.#writtenHint(owed.key, sealed, write.hint);
    if (write.sync !== SyncMode.none) this.owed.push({ what: "sync", key: owed.key, token: owed.token, write });
    sink.onStoreWritten(now, owed.token);
  }

  #writtenHint(key: string, sealed: Uint8Array, change: HintChange): void {
    const { target, second, secondBefore, bytesBefore } = change;
    const hints = this.hints.get(key) ?? [];
    const before = hints.find((hint) => hint.target === target);
    if (bytesBefore !== (before?.sealed.length ?? -1) || secondBefore !== (before?.second ?? 0)) {
      throw new Error("a write of a hint says what was there before");
    }
    const rest = hints.filter((hint) => hint !== before);
    if (sealed.length > 0) rest.push({ target, second, sealed });
    if (rest.length > 0) this.hints.set(key, rest);
    else this.hints.delete(key);
  }

  /** Answers until nothing is owed. */
  answerAll(now: Instant): void {
    while (this.owed.length > 0) this.answer(now);
  }

  /** The power fails: what was not synced is gone, and so is what was owed. */
  cutPower(): void {
    this.owed.length = 0;
    this.records.clear();
    for (const [key, sealed] of this.synced) this.records.set(key, sealed);
  }
}
