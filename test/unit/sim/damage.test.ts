/**
 * Stories of disks that fail their nodes, in whole simulated clusters: a record is damaged at rest and written anew from
 * the others; a disk fills up, and its node takes no new keys until there is room again.
 */
import { expect, test } from "vitest";
import { wireOf } from "../../../src/base/errors.ts";
import { noContext } from "../../../src/sim/client-call.ts";
import type { DiskFaults } from "../../../src/sim/disk.ts";
import type { Operation } from "../../../src/sim/history.ts";
import { checkRecord } from "../../../src/version/record.ts";
import { DataStory } from "../../support/data-story.ts";

const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${i}`);

/** Records on that seat's disk whose checksum fails. */
function damaged(story: DataStory, seat: number): number {
  const stored = story.cluster.drives[seat]?.stored() ?? [];
  return stored.filter(([, sealed]) => checkRecord(sealed) !== null).length;
}

/** A cluster with 20 keys on every disk, and nothing of them in any object buffer. */
function aged(scrubRoundMs: number): DataStory {
  const story = new DataStory({ scrubRoundMs });
  expect(story.cluster.awaitReady()).toBe(true);
  expect(story.write(0, 20, 100)).toBe(20);
  const { world } = story.cluster;
  for (const node of world.nodes) {
    story.pass(2_000_000);
    node.kill(world.now);
    node.boot(world.now);
    expect(story.until(10_000_000, () => node.ready)).toBe(true);
  }
  // The scrub that follows a boot is over.
  story.pass(8_000_000);
  return story;
}

/** Looks twice a second: what these conditions ask for is too much after every event. */
function become(story: DataStory, condition: () => boolean): void {
  for (let i = 0; i < 120 && !condition(); i += 1) story.pass(500_000);
  expect(condition()).toBe(true);
}

function events(story: DataStory, seat: number, about: string = "repair"): readonly string[] {
  return story
    .node(seat)
    .shared.journal.after(0, 0)
    .filter(({ kind }) => kind === about)
    .map(({ text }) => text);
}

test("a damaged record is an error to its reader, and is written anew from the others", () => {
  const story = aged(600_000);
  const { network } = story.cluster.world;
  for (let i = 0; i < 12; i += 1) story.cluster.drives[1]?.rot();
  expect(damaged(story, 1)).toBeGreaterThan(5);
  // One of the others is out of reach: what it may know must not be forgotten.
  for (const other of [0, 1]) {
    network.block(2, other);
    network.block(other, 2);
  }
  story.pass(500_000);
  expect(story.read(keys(20), 2)).toMatchObject({ missing: [] });
  story.pass(5_000_000);
  expect(damaged(story, 1)).toBeGreaterThan(5);
  expect(events(story, 1)[0]).toMatch(/^a stored record of partition \d+ is damaged/);
  expect(events(story, 1).join()).toContain("cannot be written anew yet");
  network.heal();
  become(story, () => damaged(story, 1) === 0);
  expect(story.read(keys(20), 3)).toEqual({ ok: 20, missing: [] });
  story.pass(5_000_000);
  expect(events(story, 1).at(-1)).toBe("all damaged records that were found have been written anew");
  expect(story.repaired).toBe(true);
  expect(story.wrongTrees()).toEqual([]);
});

test("a damaged hint gives way to what the owners hold, and comes home as that", () => {
  const story = new DataStory({ nodes: 5, repairPassMs: 600_000 });
  expect(story.cluster.awaitReady()).toBe(true);
  const { drives, world } = story.cluster;
  const hints = (): number => drives.reduce((sum, drive) => sum + drive.hints().length, 0);
  const [away] = world.nodes;
  away?.kill(world.now);
  story.pass(10_000_000);
  expect(story.write(0, 20, 100)).toBe(20);
  story.pass(2_000_000);
  const kept = hints();
  expect(kept).toBeGreaterThan(5);
  for (const drive of drives) for (let i = 0; i < 40; i += 1) drive.rotHint();
  away?.boot(world.now);
  become(story, () => hints() === 0);
  const told = [1, 2, 3, 4].flatMap((seat) => events(story, seat));
  expect(told.join()).toMatch(/a record kept for node 1, of partition \d+ is damaged/);
  expect(told.join()).not.toContain("is lost");
  expect(story.read(keys(20), 3)).toEqual({ ok: 20, missing: [] });
  become(story, () => story.wrongTrees().length === 0);
});

test("the scrub finds damage that nobody reads, on two of three owners too", () => {
  const story = aged(5_000);
  for (const seat of [0, 2]) for (let i = 0; i < 40; i += 1) story.cluster.drives[seat]?.rot();
  expect(damaged(story, 0)).toBeGreaterThan(10);
  expect(damaged(story, 2)).toBeGreaterThan(10);
  become(story, () => damaged(story, 0) + damaged(story, 2) === 0 && story.wrongTrees().length === 0);
  expect(story.read(keys(20), 3)).toEqual({ ok: 20, missing: [] });
});

const mebibyte = 1024 * 1024;

/** Asks that seat to write a key; how it ended. */
function writeAt(story: DataStory, seat: number, key: string, kind: "put" | "delete" = "put"): Operation {
  let ended: Operation | undefined;
  const wish = { kind, key, value: 7_000 + story.cluster.history.operations.length, padding: 10, context: noContext };
  story.client.write({ ...wish, node: seat }, (_now, operation) => {
    ended = operation;
  });
  story.until(20_000_000, () => ended !== undefined);
  return ended as unknown as Operation;
}

function holds(story: DataStory, seat: number, key: string): boolean {
  return story.audit().disks[seat]?.has(key) === true;
}

/** How many other nodes have heard that the second node takes no new keys; follows what they hear. */
function avoiders(story: DataStory): () => number {
  const avoid: Set<number> = new Set();
  for (const seat of [0, 2, 3]) {
    const { shared } = story.node(seat);
    const { onReadOnly } = shared;
    shared.onReadOnly = (number, readOnly) => {
      onReadOnly(number, readOnly);
      if (number !== story.node(1).shared.number) return;
      if (readOnly) avoid.add(seat);
      else avoid.delete(seat);
    };
  }
  return () => avoid.size;
}

test("a disk that fills up: no new keys there, changes and deletes as ever, and all is made up for when it has room", () => {
  const story = new DataStory({ nodes: 4, repairPassMs: 600_000 });
  expect(story.cluster.awaitReady()).toBe(true);
  expect(story.write(0, 20, 100)).toBe(20);
  story.pass(2_000_000);
  const faults = story.cluster.drives[1]?.disk.faults as DiskFaults;
  const avoided = avoiders(story);

  faults.freeBytes = 128 * mebibyte;
  expect(story.until(10_000_000, () => avoided() === 3)).toBe(true);
  expect(events(story, 1, "disk").at(-1)).toContain("this node takes no new keys");

  faults.freeBytes = 0;
  story.pass(2_000_000);
  const news = Array.from({ length: 20 }, (_, i) => `key-${20 + i}`);
  for (const key of news) expect(writeAt(story, 0, key).outcome).toBe("ok");
  const kept = keys(20).filter((key) => story.cluster.owners(key).includes(1));
  const refused = news.filter((key) => story.cluster.owners(key).includes(1));
  expect(Math.min(kept.length, refused.length)).toBeGreaterThan(5);
  for (const key of kept.slice(0, 4)) expect(writeAt(story, 1, key).outcome).toBe("ok");
  for (const key of kept.slice(4, 6)) expect(writeAt(story, 0, key, "delete").outcome).toBe("ok");
  expect(writeAt(story, 1, refused[0] as string)).toMatchObject({ outcome: "fail", status: wireOf("OVERLOADED") });
  story.pass(3_000_000);
  for (const key of refused) expect(holds(story, 1, key), key).toBe(false);
  expect(story.read(news, 2)).toEqual({ ok: 20, missing: [] });

  faults.freeBytes = Number.MAX_SAFE_INTEGER;
  expect(story.until(10_000_000, () => avoided() === 0)).toBe(true);
  become(story, () => refused.every((key) => holds(story, 1, key)));
  expect(story.read(news, 3)).toEqual({ ok: 20, missing: [] });
  expect(story.wrongTrees()).toEqual([]);
});
