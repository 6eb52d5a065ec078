/** BytePool: pieces of one slab never overlap, large ones have memory of their own, copies are copies. */
import { describe, expect, it } from "vitest";
import { copyBytes, takeBytes } from "../../../src/base/pool.ts";

describe("takeBytes", () => {
  it("cuts pieces of the size asked for that do not overlap", () => {
    const pieces = Array.from({ length: 1_000 }, (_, i) => takeBytes((i * 37) % 2_000));
    pieces.forEach((piece, i) => {
      expect(piece.length).toBe((i * 37) % 2_000);
      piece.fill(i % 251);
    });
    pieces.forEach((piece, i) => {
      expect(piece.every((byte) => byte === i % 251)).toBe(true);
    });
    expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBeLessThan(10);
  });

  it("gives large requests memory of their own, so that they pin no slab", () => {
    const small = takeBytes(32 * 1024);
    const large = takeBytes(32 * 1024 + 1);
    expect(small.buffer.byteLength).toBe(256 * 1024);
    expect(large.buffer.byteLength).toBe(large.length);
  });
});

describe("copyBytes", () => {
  it("copies", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const copy = copyBytes(bytes);
    bytes[0] = 9;
    expect([...copy]).toEqual([1, 2, 3]);
  });
});
