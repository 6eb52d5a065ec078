/**
 * ModelDisk: the store of one node of the model, as its replica sees it: a list of what a power cut may leave, the synced
 * state first. A write adds a state, a sync leaves only the last one.
 */
import { assert } from "../../base/assert.ts";
import type { Instant } from "../../base/time.ts";
import type { ReplicaStore } from "../../replica/replica-options.ts";
import type { StoredHint, StoreEvents } from "../../storage/store-events.ts";
import { type StoreWrite, SyncMode } from "../../storage/store-write.ts";
import type { DiskState } from "./state.ts";

/** Whom it answers. */
export type DiskSink = Pick<StoreEvents, "onStoreRead" | "onStoreHints" | "onStoreWritten" | "onStoreSynced">;

/** A question that has no answer yet. */
type Owed = { readonly what: "record" | "hints"; readonly token: number } | StoreWrite;

export class ModelDisk implements ReplicaStore {
  sink: DiskSink | undefined = undefined;
  readonly dirtyBytes = 0;
  #disks: readonly DiskState[];
  readonly #owed: Owed[] = [];

  constructor(disks: readonly DiskState[]) {
    this.#disks = disks;
  }

  /** What a power cut may leave, the present state last. */
  get disks(): readonly DiskState[] {
    return this.#disks;
  }

  get #now(): DiskState {
    return this.#disks[this.#disks.length - 1] as DiskState;
  }

  readonly leaves = { isBare: (): boolean => this.#now.record === null };

  mayHoldHints(): boolean {
    return this.#now.hints.length > 0;
  }

  lookup(): Uint8Array | undefined {
    return this.#now.record ?? undefined;
  }

  read(_now: Instant, _fullKey: Uint8Array, _high: number, _low: number, token: number): void {
    this.#owed.push({ what: "record", token });
  }

  readHints(_now: Instant, _fullKey: Uint8Array, _high: number, _low: number, token: number): void {
    this.#owed.push({ what: "hints", token });
  }

  write(_now: Instant, write: StoreWrite): boolean {
    this.#owed.push(write);
    return false;
  }

  /** Gives every answer that is owed, and those that they lead to. */
  answerAll(now: Instant): void {
    const { sink } = this;
    assert(sink !== undefined, "a disk answers its replica");
    for (let owed = this.#owed.shift(); owed !== undefined; owed = this.#owed.shift()) {
      if (!("what" in owed)) this.#answerWrite(now, owed, sink);
      else if (owed.what === "record") sink.onStoreRead(now, owed.token, this.#now.record, null);
      else sink.onStoreHints(now, owed.token, this.#now.hints, null);
    }
  }

  #answerWrite(now: Instant, write: StoreWrite, sink: DiskSink): void {
    this.#disks = [...this.#disks, after(this.#now, write)];
    sink.onStoreWritten(now, write.token);
    if (write.sync === SyncMode.none) return;
    this.sync();
    sink.onStoreSynced(now, write.token);
  }

  /** All that was written is on stable storage. */
  sync(): void {
    this.#disks = [this.#now];
  }
}

function after({ record, hints }: DiskState, { hint, sealed, forgotten }: StoreWrite): DiskState {
  if (hint === null) return { record: forgotten ? null : sealed, hints };
  const { target, second } = hint;
  const rest: StoredHint[] = hints.filter((one) => one.target !== target);
  if (sealed.length > 0) rest.push({ target, second, sealed });
  return { record, hints: rest.sort((a, b) => a.target - b.target) };
}
