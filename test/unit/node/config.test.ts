/** Configuration: what a setting that depends on the machine comes to. */
import { expect, test } from "vitest";
import { configOf, objectBufferBytes } from "../../../src/node/config.ts";

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

test("the object buffer is a 64th of the memory within its bounds, unless its size is said", () => {
  const automatic = configOf({});
  expect(objectBufferBytes(automatic, gibibyte)).toBe(64 * mebibyte);
  expect(objectBufferBytes(automatic, 24 * gibibyte)).toBe(384 * mebibyte);
  expect(objectBufferBytes(automatic, 512 * gibibyte)).toBe(1024 * mebibyte);
  expect(objectBufferBytes(configOf({ objectBufferMiB: 5 }), 512 * gibibyte)).toBe(5 * mebibyte);
});
