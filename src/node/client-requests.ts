/** What a client's request must be, whoever coordinates it: bounds of buckets, keys, values and ids. */
import { isUtf8, noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { bucketBytesMax, keyBytesMax } from "../base/full-key.ts";
import type { Frame } from "../wire/frame.ts";
import { DeleteRequest, type PutRequest } from "../wire/gen/codecs.ts";
import { valueBytesMax } from "../wire/limits.ts";

/** Throws `RingtailError` for a bucket or key that nobody may use. */
export function checkKey(bucket: Uint8Array, key: Uint8Array): void {
  if (bucket.length < 1 || bucket.length > bucketBytesMax) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `the bucket has ${bucket.length} bytes; allowed: 1 to ${bucketBytesMax}`,
    );
  }
  if (!isUtf8(bucket)) throw new RingtailError("INVALID_ARGUMENT", "the bucket's name is no valid UTF-8");
  if (key.length < 1) throw new RingtailError("INVALID_ARGUMENT", `the key has 0 bytes; allowed: 1 to ${keyBytesMax}`);
  if (key.length > keyBytesMax) {
    throw new RingtailError("KEY_TOO_LARGE", `the key has ${key.length} bytes; allowed: 1 to ${keyBytesMax}`);
  }
}

/** Throws `RingtailError` for a put that cannot be carried out as it is. */
export function checkPut(put: PutRequest): void {
  checkKey(put.bucket, put.key);
  if (put.value.length > valueBytesMax) {
    throw new RingtailError(
      "VALUE_TOO_LARGE",
      `the value has ${put.value.length} bytes; allowed: at most ${valueBytesMax}`,
    );
  }
  if (put.requestId.length !== 16) {
    throw new RingtailError("INVALID_ARGUMENT", `the request id has ${put.requestId.length} bytes; allowed: 16`);
  }
  if (put.durability < 0 || put.durability > Durability.durable) {
    throw new RingtailError("INVALID_ARGUMENT", `durability is ${put.durability}; allowed: 0 to ${Durability.durable}`);
  }
}

/** A delete is a put of a tombstone. */
export function putOfDelete(frame: Frame): PutRequest {
  return { ...frame.decode(DeleteRequest), value: noBytes, tombstone: true };
}
