/**
 * Stories of disks that fail their nodes, in whole simulated clusters: a record is damaged at rest and written anew from
 * the others; a disk fills up, and its node takes no new keys until there is room again.
 */
import { expect, test } from "vitest";
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
  story.pass(20_000_000);
  return story;
}

/** Looks twice a second: what these conditions ask for is too much after every event. */
function become(story: DataStory, condition: () => boolean): void {
  for (let i = 0; i < 120 && !condition(); i += 1) story.pass(500_000);
  expect(condition()).toBe(true);
}

function events(story: DataStory, seat: number): readonly string[] {
  return story
    .node(seat)
    .shared.journal.after(0, 0)
    .filter(({ kind }) => kind === "repair")
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

test("the scrub finds damage that nobody reads, on two of three owners too", () => {
  const story = aged(5_000);
  for (const seat of [0, 2]) for (let i = 0; i < 40; i += 1) story.cluster.drives[seat]?.rot();
  expect(damaged(story, 0)).toBeGreaterThan(10);
  expect(damaged(story, 2)).toBeGreaterThan(10);
  become(story, () => damaged(story, 0) + damaged(story, 2) === 0 && story.wrongTrees().length === 0);
  expect(story.read(keys(20), 3)).toEqual({ ok: 20, missing: [] });
});
