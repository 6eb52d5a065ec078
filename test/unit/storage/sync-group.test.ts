/** Grouped syncs in time: `now` at once, `designated` at most every 5 ms, never two in flight. */
import { expect, test } from "vitest";
import { instant, never } from "../../../src/base/time.ts";
import { SyncMode } from "../../../src/storage/store-write.ts";
import { SyncGroup } from "../../../src/storage/sync-group.ts";

test("designated writes share a sync, at most every 5 ms", () => {
  const group = new SyncGroup();
  expect(group.nextTick()).toBe(never);
  group.add(1, SyncMode.designated);
  expect(group.begin(instant(1_000))).toBe(true);
  group.add(2, SyncMode.designated);
  expect(group.begin(instant(9_000))).toBe(false);
  expect(group.finish()).toEqual([1]);
  expect(group.nextTick()).toBe(6_000);
  expect(group.begin(instant(5_999))).toBe(false);
  group.add(3, SyncMode.designated);
  expect(group.begin(instant(6_000))).toBe(true);
  expect(group.finish()).toEqual([2, 3]);
  expect(group.idle).toBe(true);
});

test("a durable write waits for nothing but the sync in flight, and takes the others along", () => {
  const group = new SyncGroup();
  group.add(1, SyncMode.now);
  expect(group.begin(instant(100))).toBe(true);
  group.add(2, SyncMode.designated);
  group.add(3, SyncMode.now);
  expect(group.begin(instant(200))).toBe(false);
  expect(group.finish()).toEqual([1]);
  expect(group.begin(instant(200))).toBe(true);
  expect(group.finish()).toEqual([2, 3]);
});
