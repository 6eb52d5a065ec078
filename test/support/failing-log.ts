/** A log in front of another one that fails when told so. */
import type { WriteAheadLog } from "../../src/storage/write-ahead-log.ts";

export class FailingLog implements WriteAheadLog {
  readonly #inner: WriteAheadLog;
  /** Appends fail. */
  broken = false;
  /** Reads fail. */
  unreadable = false;

  constructor(inner: WriteAheadLog) {
    this.#inner = inner;
  }

  attach(...args: Parameters<WriteAheadLog["attach"]>): void {
    this.#inner.attach(...args);
  }
  segments(): readonly number[] {
    return this.#inner.segments();
  }
  read(segment: number): Uint8Array | string {
    return this.unreadable ? "input/output error" : this.#inner.read(segment);
  }
  begin(segment: number): string | null {
    return this.#inner.begin(segment);
  }
  append(bytes: Uint8Array, length: number): string | null {
    return this.broken ? "no space left" : this.#inner.append(bytes, length);
  }
  sync(token: number): void {
    this.#inner.sync(token);
  }
  remove(segment: number): string | null {
    return this.#inner.remove(segment);
  }
  close(): void {
    this.#inner.close();
  }
}
