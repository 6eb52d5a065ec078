/**
 * Synced: which of this node's replicas have a complete history. A replica is a (partition, n). Only a synced one answers
 * reads as an owner; any other says `NOT_SYNCED`, with the record it happens to hold.
 *
 * Set when the cluster or an n is created, and when a transfer is confirmed. Lost by a hole in the log, a checksum
 * failure, a directory that is not this node's latest, or a power cut under unsynced writes: who finds that out calls
 * `clear` or `clearAll`. Regained by comparing with every other owner (regain.ts). Saved with the transfers, in one file.
 */
import { assert } from "../base/assert.ts";
import type { SyncedReplicas } from "../wire/gen/codecs.ts";

/** n is 1..7. */
const classes = 8;

/** One bit per replica. */
export class Synced {
  readonly #partitions: number;
  /** By n; undefined: this n was never in use. */
  readonly #bits: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(classes).fill(undefined);

  /** From what was saved; an n whose bits do not fit the number of partitions counts as unknown. */
  constructor(partitions: number, saved: readonly SyncedReplicas[]) {
    this.#partitions = partitions;
    for (const { n, partitions: bits } of saved) {
      if (n >= 1 && n < classes && bits.length === partitions >>> 3) this.#bits[n] = bits.slice();
    }
  }

  /** Whether this n has been in use here before. */
  knows(n: number): boolean {
    return this.#bits[n] !== undefined;
  }

  /** Takes up an n: none of its replicas is synced yet. */
  open(n: number): void {
    assert(n >= 1 && n < classes, "n is out of range");
    this.#bits[n] ??= new Uint8Array(this.#partitions >>> 3);
  }

  /** Whether the replica's history is complete. */
  has(partition: number, n: number): boolean {
    const bits = this.#bits[n];
    return bits !== undefined && ((bits[partition >>> 3] as number) & (1 << (partition & 7))) !== 0;
  }

  /** The replica is complete from now on. */
  set(partition: number, n: number): void {
    this.open(n);
    const bits = this.#bits[n] as Uint8Array;
    bits[partition >>> 3] = (bits[partition >>> 3] as number) | (1 << (partition & 7));
  }

  /** The replica may lack something. Returns whether it was synced. */
  clear(partition: number, n: number): boolean {
    if (!this.has(partition, n)) return false;
    const bits = this.#bits[n] as Uint8Array;
    bits[partition >>> 3] = (bits[partition >>> 3] as number) & ~(1 << (partition & 7));
    return true;
  }

  /** Every replica may lack something. */
  clearAll(): void {
    for (const bits of this.#bits) bits?.fill(0);
  }

  /** How many replicas are synced. */
  get size(): number {
    let count = 0;
    for (let n = 1; n < classes; n += 1) {
      for (let p = 0; p < this.#partitions; p += 1) if (this.has(p, n)) count += 1;
    }
    return count;
  }

  /** To be saved; the bits are views. */
  saved(): SyncedReplicas[] {
    const list: SyncedReplicas[] = [];
    for (let n = 1; n < classes; n += 1) {
      const bits = this.#bits[n];
      if (bits !== undefined) list.push({ n, partitions: bits });
    }
    return list;
  }
}
