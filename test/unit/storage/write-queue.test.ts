/** The write queue finds waiting writes by sequence number, across growth and wrap-around. */
import { expect, test } from "vitest";
import { StoreWrite } from "../../../src/storage/store-write.ts";
import { isLater, WriteQueue } from "../../../src/storage/write-queue.ts";

test("finds what waits and nothing else, in order", () => {
  const queue = new WriteQueue();
  const waiting: StoreWrite[] = [];
  const gone: StoreWrite[] = [];
  for (let i = 0; i < 1000; i += 1) {
    const write = new StoreWrite();
    expect(queue.nextSequence).toBeGreaterThan(0x7fff_ffff);
    queue.push(write);
    waiting.push(write);
    if (i % 3 === 2) {
      const first = queue.shift() as StoreWrite;
      expect(first).toBe(waiting.shift());
      gone.push(first);
    }
    expect(queue.size).toBe(waiting.length);
    expect(queue.peek()).toBe(waiting[0]);
  }
  for (const write of waiting) expect(queue.find(write.sequence)).toBe(write);
  for (const write of gone) expect(queue.find(write.sequence)).toBeUndefined();
  expect(queue.find(queue.nextSequence)).toBeUndefined();
  expect(queue.find(0)).toBeUndefined();
});

test("knows which of two numbers is later, also where they wrap", () => {
  expect(isLater(0x8000_0001, 0x8000_0000)).toBe(true);
  expect(isLater(0x8000_0000, 0x8000_0001)).toBe(false);
  expect(isLater(0x8000_0000, 0x8000_0000)).toBe(false);
  expect(isLater(0x8000_0000, 0xffff_ffff)).toBe(true);
  expect(isLater(0xffff_ffff, 0x8000_0000)).toBe(false);
});
