/**
 * The causal hash of a sealed record, from its bytes: a replica needs the old and the new record's for every write, to
 * change the key's Merkle leaf in the same batch (mechanisms 3.7), and what is hashed lies in the record as it is.
 */
import type { Hash64 } from "../base/hash.ts";
import { hashBytes } from "../base/hash.ts";
import { writeWord } from "../base/words.ts";
import { openRecord } from "./record.ts";
import type { WriteSpan } from "./record-layout.ts";
import { bytesPerDot, RecordLayout } from "./record-layout.ts";
import { causalHash } from "./sibling-set.ts";

const layout = new RecordLayout();
let scratch = new Uint8Array(2048);

/** Exactly `causalHash(openRecord(sealed), fullKey, out)`; throws `RecordError` as that does. */
export function causalHashOfSealed(sealed: Uint8Array, fullKey: Uint8Array, out: Hash64): void {
  if (layout.read(sealed)) causalHashOfLayout(layout, fullKey, out);
  else causalHash(openRecord(sealed), fullKey, out);
  layout.clear();
}

/** The causal hash of the record that the layout describes. */
export function causalHashOfLayout(record: RecordLayout, fullKey: Uint8Array, out: Hash64): void {
  const { bytes, version, versionEnd } = record;
  // Dots are never larger than the record around them.
  const sizeMax = fullKey.length + bytes.length + 4;
  if (scratch.length < sizeMax) scratch = new Uint8Array(2 * sizeMax);
  scratch.set(fullKey);
  let at = writeWord(scratch, fullKey.length, (versionEnd - version) / bytesPerDot);
  at = copy(bytes, version, versionEnd, at);
  for (let i = 0; i < record.siblingCount; i += 1) {
    const { dots, dotsEnd, tombstone } = record.siblings[i] as WriteSpan;
    at = writeWord(scratch, at, (2 * (dotsEnd - dots)) / bytesPerDot + (tombstone ? 1 : 0));
    at = copy(bytes, dots, dotsEnd, at);
  }
  hashBytes(scratch, 0, at, 0, out);
}

function copy(from: Uint8Array, start: number, end: number, to: number): number {
  let at = to;
  for (let i = start; i < end; i += 1) {
    scratch[at] = from[i] as number;
    at += 1;
  }
  return at;
}
