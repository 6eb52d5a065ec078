/** CRC-32C against RFC 3720 B.4 and the bit-by-bit twin. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../../src/base/crc32c.ts";
import { naiveCrc32c } from "../../support/naive-hash.ts";
import { fromHex, readVectors } from "../../support/vectors.ts";

describe("crc32c", () => {
  it("gives the vectors of RFC 3720 and the check value of the catalogue", () => {
    const vectors = readVectors<{ what: string; bytes: string; crc: string }[]>("crc32c");
    expect(vectors.length).toBe(6);
    for (const { what, bytes, crc } of vectors) {
      const data = fromHex(bytes);
      expect(crc32c(data, 0, data.length).toString(16).padStart(8, "0"), what).toBe(crc);
    }
  });

  it("agrees with the bit-by-bit twin on any range", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), fc.nat(20), (bytes, a, b) => {
        const start = Math.min(a, bytes.length);
        const end = Math.max(start, bytes.length - b);
        expect(crc32c(bytes, start, end)).toBe(naiveCrc32c(bytes.subarray(start, end)));
      }),
      { numRuns: 500 },
    );
  });

  it("notices any single flipped bit", () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 37);
    const whole = crc32c(bytes, 0, bytes.length);
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(crc32c(flipped, 0, flipped.length)).not.toBe(whole);
    }
  });

  it("refuses a range outside the bytes", () => {
    expect(() => crc32c(new Uint8Array(3), 0, 4)).toThrow("within");
  });
});
