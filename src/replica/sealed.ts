/** Sealed records whose bytes somebody else has sent or a disk has kept: opened and merged, or found to be none. */
import { mergeSealed, openRecord, RecordError, versionOfSealed } from "../version/record.ts";
import type { SealedChange } from "../version/sealed-change.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { VersionVector } from "../version/version-vector.ts";

/** The set in a sealed record, or null if the bytes are none. */
export function opened(sealed: Uint8Array): SiblingSet | null {
  try {
    return openRecord(sealed);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}

/** The merge of two sealed records, one of them itself where it is that; null if one of them is no record. */
export function mergedBytes(stored: Uint8Array, incoming: Uint8Array): Uint8Array | null {
  try {
    return mergeSealed(stored, incoming);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}

/** Reads what merging `incoming` into `stored` comes to; false if one of them is no record. */
export function isChange(
  change: SealedChange,
  stored: Uint8Array,
  incoming: Uint8Array,
  fullKey: Uint8Array,
  actorHigh: number,
  actorLow: number,
): boolean {
  try {
    change.read(stored, incoming, fullKey, actorHigh, actorLow);
    return true;
  } catch (error) {
    if (error instanceof RecordError) return false;
    throw error;
  }
}

/** The version of a sealed record, or null if the bytes are none. */
export function versionIn(sealed: Uint8Array): VersionVector | null {
  try {
    return versionOfSealed(sealed);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}
