/** An engine in front of another one that counts what is in flight, and can hold back the answers to writes and syncs. */
import type { Instant } from "../../src/base/time.ts";
import type { Engine, EngineBatch, EngineEvents, Page, ScanRange } from "../../src/storage/engine.ts";

export class EngineProbe implements Engine, EngineEvents {
  readonly #inner: Engine;
  #events: EngineEvents | undefined;
  batchesInFlight = 0;
  batchesInFlightMost = 0;
  syncsInFlight = 0;
  syncsInFlightMost = 0;
  /** A sync and a batch were in flight together. */
  overlapped = false;
  batches = 0;
  syncs = 0;
  gets = 0;
  scansAnswered = 0;
  /** While true, answers to writes and syncs, or to gets, wait for their release. */
  holdWrites = false;
  holdGets = false;
  #heldWrites: ((now: Instant) => void)[] = [];
  #heldGets: ((now: Instant) => void)[] = [];

  constructor(inner: Engine) {
    this.#inner = inner;
  }

  get #sink(): EngineEvents {
    if (this.#events === undefined) throw new Error("attach comes first");
    return this.#events;
  }

  attach(events: EngineEvents): void {
    this.#events = events;
    this.#inner.attach(this);
  }

  get heldBack(): number {
    return this.#heldWrites.length + this.#heldGets.length;
  }

  releaseWrites(now: Instant): void {
    this.holdWrites = false;
    for (const answer of this.#heldWrites.splice(0)) answer(now);
  }

  releaseGets(now: Instant): void {
    this.holdGets = false;
    for (const answer of this.#heldGets.splice(0)) answer(now);
  }

  get(key: Uint8Array, token: number): void {
    this.gets += 1;
    this.#inner.get(key, token);
  }

  batch(): EngineBatch {
    return this.#inner.batch();
  }

  write(batch: EngineBatch, token: number): void {
    this.batches += 1;
    this.batchesInFlight += 1;
    this.batchesInFlightMost = Math.max(this.batchesInFlightMost, this.batchesInFlight);
    this.overlapped ||= this.syncsInFlight > 0;
    this.#inner.write(batch, token);
  }

  sync(token: number, oldestSegment: number): void {
    this.syncs += 1;
    this.syncsInFlight += 1;
    this.syncsInFlightMost = Math.max(this.syncsInFlightMost, this.syncsInFlight);
    this.overlapped ||= this.batchesInFlight > 0;
    this.#inner.sync(token, oldestSegment);
  }

  scan(range: ScanRange, token: number): void {
    this.#inner.scan(range, token);
  }

  dataBytes(): number {
    return this.#inner.dataBytes();
  }

  close(): void {
    this.#inner.close();
  }

  onGot(now: Instant, token: number, value: Uint8Array | null, error: string | null): void {
    if (this.holdGets) this.#heldGets.push((at) => this.onGot(at, token, value, error));
    else this.#sink.onGot(now, token, value, error);
  }

  onWritten(now: Instant, token: number, error: string | null): void {
    if (this.holdWrites) {
      this.#heldWrites.push((at) => this.onWritten(at, token, error));
      return;
    }
    this.batchesInFlight -= 1;
    this.#sink.onWritten(now, token, error);
  }

  onSynced(now: Instant, token: number, error: string | null): void {
    if (this.holdWrites) {
      this.#heldWrites.push((at) => this.onSynced(at, token, error));
      return;
    }
    this.syncsInFlight -= 1;
    this.#sink.onSynced(now, token, error);
  }

  onScanned(now: Instant, token: number, page: Page | null, error: string | null): void {
    this.scansAnswered += 1;
    this.#sink.onScanned(now, token, page, error);
  }

  onClosed(now: Instant): void {
    this.#sink.onClosed(now);
  }
}
