/** Counting siblings without decoding agrees with the decoder. */
import { expect, it } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { siblingCount } from "../../../src/lab/sibling-count.ts";
import { decodeRecordBody } from "../../../src/version/record.ts";
import { recordOf } from "./made-up-cluster.ts";

it.each([0, 1, 5, 127, 128, 20_000, 1_000_000])("values of %i bytes", (bytes) => {
  for (const count of [1, 2, 7]) {
    const body = recordOf(Array.from({ length: count }, () => new Uint8Array(bytes).fill(0x12)));
    expect(decodeRecordBody(body).siblings.length).toBe(count);
    expect(siblingCount(body)).toBe(count);
  }
});

it("no bytes, no siblings; cut bytes do not hang it", () => {
  expect(siblingCount(noBytes)).toBe(0);
  const body = recordOf([new Uint8Array(300)]);
  for (let end = 0; end < body.length; end += 1) expect(siblingCount(body.subarray(0, end))).toBeLessThanOrEqual(1);
});
