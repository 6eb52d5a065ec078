/**
 * SimLog: the write-ahead log on a simulated disk, for one life of a process; the twin of io/log-files.ts. An append has
 * reached the system when it returns; a sync takes its time and makes durable what was appended before it began. What a
 * power cut does to the rest is in disk.ts.
 */
import { assert } from "../base/assert.ts";
import type { WriteAheadLog, WriteAheadLogEvents } from "../storage/write-ahead-log.ts";
import type { LogSegment, SimDisk } from "./disk.ts";
import type { Later } from "./process.ts";

/** One opening of the log of a simulated disk. */
export class SimLog implements WriteAheadLog {
  readonly #disk: SimDisk;
  readonly #later: Later;
  readonly #life: number;
  readonly #found: readonly number[];
  #events: WriteAheadLogEvents | undefined;
  #open: LogSegment | undefined;
  #closed = false;

  /** For the life that has just begun on the disk. */
  constructor(disk: SimDisk, later: Later) {
    this.#disk = disk;
    this.#later = later;
    this.#life = disk.life;
    this.#found = [...disk.segments.keys()].sort((a, b) => a - b);
  }

  attach(events: WriteAheadLogEvents): void {
    assert(this.#events === undefined, "a log is attached once");
    this.#events = events;
  }

  segments(): readonly number[] {
    return this.#found;
  }

  read(segment: number): Uint8Array | string {
    if (this.#disk.begins("read") !== null) return "simulated error: the segment cannot be read";
    return this.#disk.segments.get(segment)?.content() ?? `there is no segment ${segment}`;
  }

  begin(segment: number): string | null {
    const failure = this.#disk.begins("file");
    if (failure !== null && failure !== "done") return "simulated error: the segment is not begun";
    if (this.#disk.segments.has(segment)) return `there is a segment ${segment}`;
    this.#open = this.#disk.addSegment(segment);
    return failure === null ? null : "simulated error: the segment is said not to be begun";
  }

  append(bytes: Uint8Array, length: number): string | null {
    assert(this.#open !== undefined, "a segment is begun before it is appended to");
    const { rng, faults } = this.#disk;
    const failure = this.#disk.fails(faults.writeErrors, "append");
    // What an interrupted write leaves is a torn entry.
    if (failure !== "undone") this.#open.append(bytes.slice(0, failure === "torn" ? rng.below(length) : length));
    return failure === null ? null : "simulated write error";
  }

  sync(token: number): void {
    const { faults, latencies } = this.#disk;
    const failure = this.#disk.fails(faults.syncErrors, "sync");
    const { removed } = this.#disk;
    const marks = [...this.#disk.segments.values()].map((segment) => ({ segment, length: segment.length }));
    this.#later(this.#disk.delay(latencies.syncUs), (now) => {
      if (this.#disk.life !== this.#life) return;
      if (failure === null || failure === "done") {
        for (const { segment, length } of marks) segment.synced = Math.max(segment.synced, length);
        this.#disk.forgetRemoved(removed);
      }
      if (!this.#closed) this.#events?.onLogSynced(now, token, failure === null ? null : "simulated sync error");
    });
  }

  remove(segment: number): string | null {
    const failure = this.#disk.begins("file");
    if (failure === null || failure === "done") this.#disk.removeSegment(segment);
    return failure === null ? null : "simulated error: the segment is not removed";
  }

  close(): void {
    this.#closed = true;
  }
}
