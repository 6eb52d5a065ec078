/** DiskSpace: when a node takes no new keys, and that the verdict does not flutter; what a replica refuses by it. */
import { expect, test } from "vitest";
import { diskRoomOf } from "../../../src/node/disk-space.ts";
import { DiskRoom } from "../../../src/replica/replica-options.ts";

const { enough, little, none } = DiskRoom;

test("below the reserve there is little room, below a quarter of it none", () => {
  const first = (free: number): DiskRoom => diskRoomOf(free, 1000, enough);
  expect([first(1000), first(999), first(250), first(249), first(0)]).toEqual([enough, little, little, none, none]);
});

test("without a reserve the disk is never looked at", () => {
  expect(diskRoomOf(0, 0, enough)).toBe(enough);
});

test("a verdict ends only at twice its limit", () => {
  expect([diskRoomOf(1999, 1000, little), diskRoomOf(2000, 1000, little)]).toEqual([little, enough]);
  expect([diskRoomOf(499, 1000, none), diskRoomOf(500, 1000, none), diskRoomOf(2000, 1000, none)]).toEqual([
    none,
    little,
    enough,
  ]);
});
