/** What a node holds of one key, as an exchange names it: version and causal hash, read from the sealed bytes. */
import { Hash64 } from "../base/hash.ts";
import { RecordError, versionOfSealed } from "../version/record.ts";
import { causalHashOfSealed } from "../version/sealed-causal-hash.ts";
import { VersionVector } from "../version/version-vector.ts";
import type { Held } from "./relation.ts";

/** No record, or one that cannot be read. */
export const nothingHeld: Held = { version: VersionVector.empty, hashHigh: 0, hashLow: 0 };

const hash = new Hash64();

/** The causal hash of a sealed record, valid until the next call; null if its bytes are no record. */
export function hashOfRecord(sealed: Uint8Array, fullKey: Uint8Array): Hash64 | null {
  try {
    causalHashOfSealed(sealed, fullKey, hash);
    return hash;
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}

/** What the sealed record holds. One that cannot be read is as good as none: whoever has it will be asked for it. */
export function heldIn(sealed: Uint8Array | null, fullKey: Uint8Array): Held {
  const summed = sealed === null ? null : hashOfRecord(sealed, fullKey);
  if (sealed === null || summed === null) return nothingHeld;
  return { version: versionOfSealed(sealed), hashHigh: summed.high, hashLow: summed.low };
}
