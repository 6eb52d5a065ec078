/** Bytes and words: order, equality, text, little-endian words. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBytes, equalBytes, hexOf, isUnicode, isUtf8, utf8, utf8Text } from "../../../src/base/bytes.ts";
import { readWord, writeWord } from "../../../src/base/words.ts";

const bytes = fc.uint8Array({ maxLength: 4, max: 3 });

describe("bytes", () => {
  it("are ordered as Buffer orders them, and equal where that says 0", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
      { numRuns: 500 },
    );
  });

  it("are text and back, and hexadecimal digits", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(utf8Text(utf8(text))).toBe(text);
        expect(hexOf(utf8(text))).toBe(Buffer.from(text, "utf8").toString("hex"));
      }),
    );
    expect(() => utf8Text(Uint8Array.of(0xff))).toThrow(TypeError);
    expect(utf8Text(utf8("\ufeffmarked"))).toBe("\ufeffmarked");
  });

  it("are UTF-8 or not as Buffer reads them, and a text is Unicode if it comes back", () => {
    const odd = fc.uint8Array({ maxLength: 4, min: 0x70 });
    fc.assert(
      fc.property(odd, fc.string({ unit: "binary" }), (some, text) => {
        expect(isUtf8(some)).toBe(Buffer.from(Buffer.from(some).toString()).equals(some));
        expect(isUnicode(text)).toBe(Buffer.from(text).toString() === text);
      }),
    );
    expect([isUtf8(utf8("a\u00e9")), isUtf8(Uint8Array.of(0xc3)), isUnicode("\ud800")]).toEqual([true, false, false]);
  });
});

describe("words", () => {
  it("are little-endian, of either sign, and say where the next one goes", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), fc.nat({ max: 3 }), (word, at) => {
        const target = new Uint8Array(8);
        expect(writeWord(target, at, word)).toBe(at + 4);
        expect(new DataView(target.buffer).getInt32(at, true)).toBe(word | 0);
        expect(readWord(target, at)).toBe(word | 0);
      }),
    );
  });
});
