/** RecordsInFlight: one page on its way into the own replica, a few records at a time so that no turn is long. */
import { copyBytes } from "../base/pool.ts";

/** A page being merged. The page is done when all records are, or when one failed and none is under way. */
export class RecordsInFlight {
  readonly keys: readonly Uint8Array[];
  readonly records: readonly Uint8Array[];
  /** Where the copy goes on after this page; null: the source's copy ends with it. */
  readonly next: Uint8Array | null;
  readonly bytes: number;
  /** The first record that was not handed out yet. */
  at = 0;
  underWay = 0;
  failed = false;

  /** Copies the bytes, which are views of a frame. */
  constructor(keys: readonly Uint8Array[], records: readonly Uint8Array[], next: Uint8Array | null) {
    this.keys = keys.map(copyBytes);
    this.records = records.map(copyBytes);
    this.next = next === null ? null : next.slice();
    this.bytes = pageBytes(keys, records);
  }

  get done(): boolean {
    return this.underWay === 0 && (this.failed || this.at === this.keys.length);
  }
}

/** What a page's keys and records take: what its credit is charged with. */
export function pageBytes(keys: readonly Uint8Array[], records: readonly Uint8Array[]): number {
  let sum = 0;
  for (const key of keys) sum += key.length;
  for (const record of records) sum += record.length;
  return sum;
}
