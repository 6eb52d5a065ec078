/**
 * LogFiles: the write-ahead log on a real disk, a file per segment. Appends are synchronous: on a file in the page cache
 * that is one system call of about 5 microseconds (p99.9: 30), where a trip to another thread costs more than that on
 * both sides. Syncs go to a thread, the directory's among them: a file that is not in it would be lost with what was
 * synced into it. Construct it after the store has been opened, whose lock keeps other processes out.
 */
import {
  close,
  closeSync,
  fdatasync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/time.ts";
import { PauseKind, type Pauses } from "../metrics/pauses.ts";
import type { WriteAheadLog, WriteAheadLogEvents } from "../storage/write-ahead-log.ts";

const suffix = ".log";
const fileMode = 0o600;
/** An append that takes so long has held up everything else. */
const slowAppendUs = 1_000;

interface SegmentFile {
  readonly segment: number;
  readonly file: number;
}

/** The log of one directory. */
export class LogFiles implements WriteAheadLog {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #pauses: Pauses;
  readonly #found: readonly number[];
  #events: WriteAheadLogEvents | undefined;
  #current: SegmentFile | undefined;
  /** Earlier segments that may hold what is not synced: open until they are synced or removed. */
  #earlier: SegmentFile[] = [];
  /** Files to be closed when the sync in flight has ended: not before, for their numbers would be given to others. */
  #doomed: number[] = [];
  #directoryFile = -1;
  #directoryChanged = false;
  #syncing = false;
  #closed = false;

  /** Makes the directory if it is not there; appends that take long are noted among `pauses`. Throws on I/O errors. */
  constructor(directory: string, clock: Clock, pauses: Pauses) {
    this.#directory = directory;
    this.#clock = clock;
    this.#pauses = pauses;
    if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) syncDirectory(dirname(directory));
    const names = readdirSync(directory).filter((name) => /^\d+\.log$/.test(name));
    this.#found = names.map((name) => Number(name.slice(0, -suffix.length))).sort((a, b) => a - b);
  }

  attach(events: WriteAheadLogEvents): void {
    assert(this.#events === undefined, "a log is attached once");
    this.#events = events;
  }

  segments(): readonly number[] {
    return this.#found;
  }

  #path(segment: number): string {
    return join(this.#directory, String(segment).padStart(10, "0") + suffix);
  }

  read(segment: number): Uint8Array | string {
    try {
      return new Uint8Array(readFileSync(this.#path(segment)));
    } catch (error) {
      return messageOf(error);
    }
  }

  begin(segment: number): string | null {
    try {
      if (this.#directoryFile < 0) this.#directoryFile = openSync(this.#directory, "r");
      const file = openSync(this.#path(segment), "wx", fileMode);
      if (this.#current !== undefined) this.#earlier.push(this.#current);
      this.#current = { segment, file };
      this.#directoryChanged = true;
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  append(bytes: Uint8Array, length: number): string | null {
    assert(this.#current !== undefined, "a segment is begun before it is appended to");
    const { file } = this.#current;
    const begun = this.#clock.now();
    try {
      for (let at = 0; at < length; ) at += writeSync(file, bytes, at, length - at);
      const ended = this.#clock.now();
      if (ended - begun >= slowAppendUs) this.#pauses.note(PauseKind.disk, begun, ended);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  sync(token: number): void {
    assert(!this.#syncing && this.#current !== undefined, "one sync at a time, of a segment that is begun");
    this.#syncing = true;
    // Chosen now: a segment that is begun meanwhile is not what was asked for, and the one it follows is.
    const files = this.#earlier.map(({ file }) => file);
    this.#doomed.push(...files);
    this.#earlier = [];
    files.push(this.#current.file);
    this.#syncNext(files, 0, token);
  }

  #syncNext(files: readonly number[], at: number, token: number): void {
    const file = files[at];
    if (file === undefined) {
      this.#syncNames(token);
      return;
    }
    fdatasync(file, (error) => {
      if (error === null) this.#syncNext(files, at + 1, token);
      else this.#answer(token, error.message);
    });
  }

  #syncNames(token: number): void {
    if (!this.#directoryChanged) {
      this.#answer(token, null);
      return;
    }
    this.#directoryChanged = false;
    fsync(this.#directoryFile, (error) => this.#answer(token, error === null ? null : error.message));
  }

  #answer(token: number, error: string | null): void {
    this.#syncing = false;
    for (const file of this.#doomed) letGo(file);
    this.#doomed = [];
    if (this.#closed) this.#closeFiles();
    else this.#events?.onLogSynced(this.#clock.now(), token, error);
  }

  remove(segment: number): string | null {
    const at = this.#earlier.findIndex((earlier) => earlier.segment === segment);
    try {
      for (const { file } of at < 0 ? [] : this.#earlier.splice(at, 1)) {
        if (this.#syncing) this.#doomed.push(file);
        else letGo(file);
      }
      const file = openSync(this.#path(segment), "r");
      unlinkSync(this.#path(segment));
      letGo(file);
      this.#directoryChanged = true;
      return null;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : messageOf(error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#syncing) this.#closeFiles();
  }

  #closeFiles(): void {
    for (const { file } of this.#earlier) closeSync(file);
    this.#earlier = [];
    if (this.#current !== undefined) closeSync(this.#current.file);
    this.#current = undefined;
    if (this.#directoryFile >= 0) closeSync(this.#directoryFile);
    this.#directoryFile = -1;
  }
}

/**
 * Closes a file that is of no use any more, on a thread: the last one to close a removed file waits while it is freed,
 * 3 to 6 ms for a segment of 16 MiB.
 */
function letGo(file: number): void {
  close(file, () => {});
}

function syncDirectory(directory: string): void {
  const file = openSync(directory, "r");
  fsyncSync(file);
  closeSync(file);
}

function messageOf(error: unknown): string {
  return (error as Error).message;
}
