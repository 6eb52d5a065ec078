/** Sealed records whose bytes somebody else has sent or a disk has kept: opened and merged, or found to be none. */
import { mergeSealed, openRecord, RecordError, versionOfSealed } from "../version/record.ts";
import type { SealedChange } from "../version/sealed-change.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { VersionVector } from "../version/version-vector.ts";

/** What is said of bytes that are no record; any other error goes on. */
function noRecord(error: unknown): null {
  if (error instanceof RecordError) return null;
  throw error;
}

/** The set in a sealed record, or null if the bytes are none. */
export function opened(sealed: Uint8Array): SiblingSet | null {
  try {
    return openRecord(sealed);
  } catch (error) {
    return noRecord(error);
  }
}

/** The merge of two sealed records, one of them itself where it is that; null if one of them is no record. */
export function mergedBytes(stored: Uint8Array, incoming: Uint8Array): Uint8Array | null {
  try {
    return mergeSealed(stored, incoming);
  } catch (error) {
    return noRecord(error);
  }
}

/** What merging `incoming` into `stored` comes to, read into `change`; null if one of them is no record. */
export function readChange(
  change: SealedChange,
  stored: Uint8Array,
  incoming: Uint8Array,
  fullKey: Uint8Array,
  actorHigh: number,
  actorLow: number,
): SealedChange | null {
  try {
    change.read(stored, incoming, fullKey, actorHigh, actorLow);
    return change;
  } catch (error) {
    return noRecord(error);
  }
}

/** The version of a sealed record, or null if the bytes are none. */
export function versionIn(sealed: Uint8Array): VersionVector | null {
  try {
    return versionOfSealed(sealed);
  } catch (error) {
    return noRecord(error);
  }
}
