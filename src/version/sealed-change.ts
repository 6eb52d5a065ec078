/**
 * SealedChange: what a replica must know when a record is sent to it and it holds one already: the merge, whether the
 * sender has seen more of the replica's own actor, and both causal hashes. Nearly always the merge is one of the two
 * records; then all of it is read from their bytes, in one look at each.
 */
import { noBytes } from "../base/bytes.ts";
import type { Hash64 } from "../base/hash.ts";
import { equalSealed, openRecord, RecordError, sealRecord } from "./record.ts";
import { RecordLayout } from "./record-layout.ts";
import { causalHashOfLayout } from "./sealed-causal-hash.ts";
import { newerLayout } from "./sealed-merge.ts";
import { causalHash } from "./sibling-set.ts";

/** Reused from one write to the next. */
export class SealedChange {
  /** The merge: `stored` or `incoming` itself where it is that, else pooled bytes. */
  merged: Uint8Array = noBytes;
  /** The stamp in the incoming record; 0: none, or nothing in it is new. */
  stamp = 0;
  /** Whether the incoming version shows a higher counter of the actor than the stored one. */
  showsMore = false;
  readonly #before: Hash64;
  readonly #after: Hash64;
  readonly #stored: RecordLayout = new RecordLayout();
  readonly #incoming: RecordLayout = new RecordLayout();

  /** The causal hashes of the stored record and of the merge go there, unless they are the same record. */
  constructor(before: Hash64, after: Hash64) {
    this.#before = before;
    this.#after = after;
  }

  /** Merges. Throws `RecordError` if either is no record, or the incoming one is empty. */
  read(stored: Uint8Array, incoming: Uint8Array, fullKey: Uint8Array, actorHigh: number, actorLow: number): void {
    if (equalSealed(stored, incoming)) {
      this.merged = stored;
      this.showsMore = false;
      this.stamp = 0;
      return;
    }
    const plain = this.#stored.read(stored) && this.#incoming.read(incoming);
    const newer = plain ? newerLayout(this.#incoming, this.#stored) : null;
    if (newer !== null) {
      this.stamp = this.#incoming.stamp;
      this.merged = newer.bytes;
      this.showsMore = this.#incoming.counterOf(actorHigh, actorLow) > this.#stored.counterOf(actorHigh, actorLow);
      if (newer === this.#incoming) {
        causalHashOfLayout(this.#stored, fullKey, this.#before);
        causalHashOfLayout(this.#incoming, fullKey, this.#after);
      }
    }
    this.#stored.clear();
    this.#incoming.clear();
    if (newer === null) this.#open(stored, incoming, fullKey, actorHigh, actorLow);
  }

  /** The same with both records opened: they are concurrent, or not plain. */
  #open(stored: Uint8Array, incoming: Uint8Array, fullKey: Uint8Array, actorHigh: number, actorLow: number): void {
    const mine = openRecord(stored);
    const theirs = openRecord(incoming);
    if (theirs.isEmpty) throw new RecordError("an empty record is none");
    const merged = mine.merge(theirs);
    this.stamp = theirs.stamp;
    this.showsMore = theirs.version.counterOf(actorHigh, actorLow) > mine.version.counterOf(actorHigh, actorLow);
    this.merged = merged === mine ? stored : merged === theirs ? incoming : sealRecord(merged);
    causalHash(mine, fullKey, this.#before);
    causalHash(merged, fullKey, this.#after);
  }
}
