/** The key space: keys of one length, all different, and values of the size asked for. */
import { expect, it } from "vitest";
import { utf8Text } from "../../../src/base/bytes.ts";
import { Rng } from "../../../src/base/rng.ts";
import { KeySpace, keyBytesMin } from "../../../src/lab/key-space.ts";

it.each([
  [1, 1],
  [10, 1],
  [11, 2],
  [1000, 3],
  [1000, 4],
  [1000, 16],
  [1001, 4],
])("%i keys of %i bytes are different", (count, keyBytes) => {
  const space = new KeySpace({ count, keyBytes, valueBytes: 10, rng: new Rng(1) });
  const all = new Set<string>();
  for (let i = 0; i < count; i += 1) {
    expect(space.key(i).length).toBe(keyBytes);
    all.add(utf8Text(space.key(i)));
  }
  expect(all.size).toBe(count);
});

it("keys can be read", () => {
  const space = new KeySpace({ count: 100_000, keyBytes: 16, valueBytes: 0, rng: new Rng(1) });
  expect(utf8Text(space.key(0))).toBe("k000000000000000");
  expect(utf8Text(space.key(98_765))).toBe("k000000000098765");
});

it("the fewest bytes are the digits of the last key", () => {
  expect([1, 10, 11, 100, 101, 100_000].map(keyBytesMin)).toEqual([1, 1, 2, 2, 3, 5]);
});

it("values have their size and differ", () => {
  const space = new KeySpace({ count: 1, keyBytes: 4, valueBytes: 1024, rng: new Rng(1) });
  expect(space.value(0).length).toBe(1024);
  expect(space.value(0)).not.toEqual(space.value(1));
});
