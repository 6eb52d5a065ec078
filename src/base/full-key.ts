/**
 * A full key is what a record is stored, hashed and locked under: `u8 bucket length ‖ bucket ‖ key`. The length prefix
 * keeps ("a", "bc") and ("ab", "c") apart. Most code passes one full key instead of a bucket and a key.
 */
import { takeBytes } from "./pool.ts";

/** Bucket names have 1..255 bytes of UTF-8. */
export const bucketBytesMax = 255;
/** Keys have 1..1,024 bytes. */
export const keyBytesMax = 1024;

/**
 * A copy of bucket and key in one array; the caller has checked the lengths. In pooled memory: V8 keeps the bytes of a
 * small array of its own in its heap, and moves them into an ArrayBuffer as soon as anybody takes a view of them.
 */
export function fullKeyOf(bucket: Uint8Array, key: Uint8Array): Uint8Array {
  const full = takeBytes(1 + bucket.length + key.length);
  full[0] = bucket.length;
  full.set(bucket, 1);
  full.set(key, 1 + bucket.length);
  return full;
}

/** The bucket's bytes: a view. */
export function bucketOf(fullKey: Uint8Array): Uint8Array {
  return fullKey.subarray(1, 1 + (fullKey[0] as number));
}

/** The key's bytes: a view. */
export function keyOf(fullKey: Uint8Array): Uint8Array {
  return fullKey.subarray(1 + (fullKey[0] as number));
}
