/** Full keys: bucket and key come out as they went in, and no two pairs share one. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf } from "../../../src/base/bytes.ts";
import { bucketBytesMax, bucketOf, fullKeyOf, keyBytesMax, keyOf } from "../../../src/base/full-key.ts";

const bucket = fc.uint8Array({ minLength: 1, maxLength: 5 });
const key = fc.uint8Array({ minLength: 1, maxLength: 5 });

describe("a full key", () => {
  it("is length, bucket, key", () => {
    expect(hexOf(fullKeyOf(Uint8Array.of(0xaa, 0xbb), Uint8Array.of(0xcc)))).toBe("02aabbcc");
  });

  it("gives back what it was made of, at every length", () => {
    fc.assert(
      fc.property(bucket, key, (b, k) => {
        const full = fullKeyOf(b, k);
        expect(bucketOf(full)).toEqual(b);
        expect(keyOf(full)).toEqual(k);
      }),
    );
    const full = fullKeyOf(new Uint8Array(bucketBytesMax).fill(1), new Uint8Array(keyBytesMax).fill(2));
    expect([bucketOf(full).length, keyOf(full).length]).toEqual([255, 1024]);
  });

  it("keeps different pairs apart", () => {
    fc.assert(
      fc.property(bucket, key, bucket, key, (b, k, b2, k2) => {
        const same = hexOf(b) === hexOf(b2) && hexOf(k) === hexOf(k2);
        expect(hexOf(fullKeyOf(b, k)) === hexOf(fullKeyOf(b2, k2))).toBe(same);
      }),
    );
  });
});
