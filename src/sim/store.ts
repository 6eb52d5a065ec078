/**
 * SimEngine: `Engine` over a simulated disk, for one life of a process; the twin of io/rocks-store.ts. Answers come after a
 * drawn latency; whether a read sees the state at its start or at its end, and whether a batch is visible from its start
 * or from its end, is drawn too, so that every order that threads could produce is produced. The disk and what
 * happens to it between lives is in disk.ts.
 */
import { assert } from "../base/assert.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { Engine, EngineBatch, EngineEvents, Page, ScanRange } from "../storage/engine.ts";
import type { LoggedBatch, SimDisk } from "./disk.ts";
import type { Later } from "./process.ts";
import { type Entry, nameOf, type SortedBytes } from "./sorted-bytes.ts";

const closedError = "the engine is closed";
const readError = "simulated read error";
const writeError = "simulated write error";
const syncError = "simulated sync error";

class SimBatch implements EngineBatch {
  readonly entries: Entry[] = [];
  bytes = 0;

  put(key: Uint8Array, value: Uint8Array): void {
    this.entries.push({ name: nameOf(key), key: key.slice(), value: value.slice() });
    this.bytes += key.length + value.length;
  }

  del(key: Uint8Array): void {
    this.entries.push({ name: nameOf(key), key: key.slice(), value: null });
    this.bytes += key.length;
  }
}

interface Write {
  readonly logged: LoggedBatch;
  readonly token: number;
  readonly error: string | null;
}

/** One opening of a simulated disk. */
export class SimEngine implements Engine {
  readonly #disk: SimDisk;
  readonly #later: Later;
  readonly #view: SortedBytes;
  #events: EngineEvents | undefined;
  /** The first is being written. */
  readonly #writes: Write[] = [];
  #inFlight = 0;
  #closing = false;
  #closed = false;
  readonly #life: number;

  /** Opens what the disk holds, for the life that has just begun on it. */
  constructor(disk: SimDisk, later: Later) {
    this.#disk = disk;
    this.#later = later;
    this.#life = disk.life;
    this.#view = disk.contents();
  }

  attach(events: EngineEvents): void {
    assert(this.#events === undefined, "an engine is attached once");
    this.#events = events;
  }

  /** The process is gone: no answer comes any more. */
  get #dead(): boolean {
    return this.#disk.life !== this.#life;
  }

  #answer(delay: DurationUs, answer: (now: Instant, events: EngineEvents) => void): void {
    this.#inFlight += 1;
    this.#later(delay, (now) => {
      if (this.#dead) return;
      assert(this.#events !== undefined, "attach comes first");
      this.#inFlight -= 1;
      answer(now, this.#events);
      if (this.#closing) this.#closeWhenIdle();
    });
  }

  #refuse(answer: (now: Instant, events: EngineEvents) => void): void {
    this.#later(1, (now) => {
      if (!this.#dead && this.#events !== undefined) answer(now, this.#events);
    });
  }

  get(key: Uint8Array, token: number): void {
    if (this.#closing) {
      this.#refuse((now, events) => events.onGot(now, token, null, closedError));
      return;
    }
    const name = nameOf(key);
    const { rng, faults, latencies } = this.#disk;
    const failed = this.#disk.fails(faults.readErrors, "read") !== null;
    const early = rng.chance(500);
    const first = this.#view.get(name)?.value ?? null;
    this.#answer(this.#disk.delay(latencies.readUs), (now, events) => {
      const value = early ? first : (this.#view.get(name)?.value ?? null);
      if (failed) events.onGot(now, token, null, readError);
      else events.onGot(now, token, value === null ? null : value.slice(), null);
    });
  }

  batch(): EngineBatch {
    return new SimBatch();
  }

  write(batch: EngineBatch, token: number): void {
    if (this.#closing) {
      this.#refuse((now, events) => events.onWritten(now, token, closedError));
      return;
    }
    assert(batch instanceof SimBatch, "a batch goes back to the engine that made it");
    const { rng, faults } = this.#disk;
    const failure = this.#disk.fails(faults.writeErrors, "write");
    const error = failure === null ? null : writeError;
    const done = failure === null || failure === "done";
    const logged: LoggedBatch = { entries: done ? batch.entries : [], applied: false };
    this.#disk.append(logged);
    this.#writes.push({ logged, token, error });
    if (this.#writes.length > 1) return;
    if (rng.chance(500)) this.#apply(logged);
    this.#writeNext();
  }

  #apply(logged: LoggedBatch): void {
    if (logged.applied) return;
    logged.applied = true;
    for (const entry of logged.entries) this.#view.apply(entry);
  }

  #writeNext(): void {
    const write = this.#writes[0];
    if (write === undefined) return;
    this.#answer(this.#disk.delay(this.#disk.latencies.writeUs), (now, events) => {
      this.#apply(write.logged);
      this.#writes.shift();
      this.#writeNext();
      events.onWritten(now, write.token, write.error);
    });
  }

  sync(token: number, oldestSegment: number): void {
    if (this.#closing) {
      this.#refuse((now, events) => events.onSynced(now, token, closedError));
      return;
    }
    const { faults, latencies } = this.#disk;
    const mark = this.#disk.writtenMark();
    const failure = this.#disk.fails(faults.syncErrors, "sync");
    this.#answer(this.#disk.delay(latencies.syncUs), (now, events) => {
      if (failure === null || failure === "done") this.#disk.syncedTo(mark, oldestSegment);
      events.onSynced(now, token, failure === null ? null : syncError);
    });
  }

  scan(range: ScanRange, token: number): void {
    if (this.#closing) {
      this.#refuse((now, events) => events.onScanned(now, token, null, closedError));
      return;
    }
    const { rng, faults, latencies } = this.#disk;
    const failed = this.#disk.fails(faults.readErrors, "read") !== null;
    const early = rng.chance(500) ? this.#page(range) : null;
    const from = range.from.slice();
    const to = range.to.slice();
    this.#answer(this.#disk.delay(latencies.readUs), (now, events) => {
      if (failed) events.onScanned(now, token, null, readError);
      else events.onScanned(now, token, early ?? this.#page({ ...range, from, to }), null);
    });
  }

  #page(range: ScanRange): Page {
    const keys: Uint8Array[] = [];
    const values: Uint8Array[] = [];
    let bytes = 0;
    let done = true;
    this.#view.walk(nameOf(range.from), nameOf(range.to), (entry) => {
      if (keys.length >= range.keysMax || bytes >= range.bytesMax) {
        done = false;
        return false;
      }
      const value = entry.value as Uint8Array;
      keys.push(entry.key.slice());
      values.push(value.slice());
      bytes += entry.key.length + value.length;
      return true;
    });
    return { keys, values, done };
  }

  dataBytes(): number {
    return this.#closing ? 0 : this.#view.bytes;
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closeWhenIdle();
  }

  /** The last answer may itself have asked for the close, so the closing is an answer of its own. */
  #closeWhenIdle(): void {
    if (this.#inFlight > 0) return;
    this.#later(1, (now) => {
      if (this.#dead || this.#closed) return;
      this.#closed = true;
      this.#events?.onClosed(now);
    });
  }
}
