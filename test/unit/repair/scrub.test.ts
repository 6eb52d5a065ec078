/** The scrub against a second sum of the leaves, made from the records alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf } from "../../../src/base/bytes.ts";
import { instant } from "../../../src/base/time.ts";
import { keyNamed, treeOf } from "../../support/repair-world.ts";
import { partitions, placeOf, ScrubWorld } from "../../support/scrub-world.ts";

const names = Array.from({ length: 40 }, (_, i) => (i % 4 === 3 ? `two:${i}` : `k${i}`));
/** Few enough that writes meet proofs. */
const few = names.slice(0, 5);
const all = Array.from({ length: partitions }, (_, i) => i);

function worldWith(held: readonly string[]): ScrubWorld {
  const world = new ScrubWorld();
  for (const name of held) world.write(name);
  world.endBatch();
  return world;
}

function leafIdOf(name: string): string {
  const { partition, leaf } = placeOf(keyNamed(name));
  return `${treeOf(keyNamed(name))}/${partition}/${leaf}`;
}

describe("scrub", () => {
  it("finds nothing where nothing is wrong", () => {
    const world = worldWith(names);
    world.scrub.update(world.now, all);
    world.run();
    expect(world.results.map(({ complete, records }) => [complete, records > 0])).toEqual(all.map(() => [true, true]));
    expect(world.results.reduce((sum, { records }) => sum + records, 0)).toBe(names.length);
    expect(world.corrected).toEqual([]);
  });

  it("corrects a leaf that lies, one without records too", () => {
    const world = worldWith(names);
    world.flip(names[3] as string);
    world.flip("not stored");
    expect(world.lies().length).toBe(2);
    world.scrub.update(world.now, all);
    world.run();
    expect(world.lies()).toEqual([]);
    expect(world.corrected.length).toBe(2);
  });

  it("takes a batch in flight for no lie", () => {
    const world = worldWith(names);
    const name = names[0] as string;
    const { partition } = placeOf(keyNamed(name));
    world.scrub.rebuild(world.now, [partition]);
    // Composed before the scrub looks, written only after its first scan.
    world.write(name);
    world.scrub.grant(world.now, 100);
    while (world.endScan());
    expect(world.results).toEqual([]);
    world.run();
    expect(world.results[0]?.complete).toBe(true);
    expect(world.corrected).toEqual([]);
  });

  it("does not scan a suspect before the batches that its leaf knows of are written", () => {
    const world = worldWith(names);
    const name = names[0] as string;
    const { partition } = placeOf(keyNamed(name));
    world.scrub.rebuild(world.now, [partition]);
    world.flip(name);
    world.write(names[1] as string);
    world.scrub.grant(world.now, 100);
    while (world.endScan());
    expect(world.log.some((line) => line.startsWith("scan leaf"))).toBe(false);
    world.endBatch();
    world.scrub.tick(world.now);
    expect(world.log.some((line) => line.startsWith("scan leaf"))).toBe(true);
  });

  it("looks again at a suspect that was written while it was read", () => {
    const world = worldWith(names);
    const name = names[0] as string;
    const { partition } = placeOf(keyNamed(name));
    world.flip(name);
    world.scrub.rebuild(world.now, [partition]);
    world.scrub.grant(world.now, 100);
    while (!world.log.at(-1)?.startsWith("scan leaf")) world.endScan();
    world.write(name);
    world.endBatch();
    world.endScan();
    expect(world.corrected).toEqual([]);
    expect(world.scrub.counters.leavesChanged).toBe(1);
    world.run();
    expect(world.lies()).toEqual([]);
    expect(world.corrected.length).toBe(1);
  });

  it("reports a record that cannot be read, and takes it out of its leaf", () => {
    const world = worldWith(names);
    const name = names[5] as string;
    world.unreadableKeys.add(hexOf(keyNamed(name)));
    world.scrub.update(world.now, all);
    world.run();
    expect(world.reported).toEqual([name]);
    expect(world.lies()).toEqual([]);
    // It is overwritten, by a record that is counted anew; then by one whose leaf nobody has corrected yet.
    const { partition, leaf } = placeOf(keyNamed(name));
    world.unreadableKeys.clear();
    expect(world.lies()).toEqual([leafIdOf(name)]);
    world.scrub.rebuildLeaf(world.now, partition, leaf);
    world.run();
    expect(world.lies()).toEqual([]);
  });

  it("goes through the partitions least recently scrubbed first, a round a week", () => {
    const world = worldWith(names);
    world.scrub.update(world.now, [2, 0]);
    world.run();
    expect(world.results.map(({ partition }) => partition)).toEqual([2, 0]);
    world.scrub.update(world.now, all);
    world.run();
    expect(world.results.map(({ partition }) => partition)).toEqual([2, 0, 1, 3]);
    expect(world.scrub.starved).toBe(false);
    world.now = instant(world.now + 604_800_000_000);
    world.scrub.tick(world.now);
    world.run();
    expect(world.results.map(({ partition }) => partition)).toEqual([2, 0, 1, 3, 2, 0, 1, 3]);
  });

  it("leaves a partition that is no longer held", () => {
    const world = worldWith(names);
    world.pageKeys = 1;
    world.scrub.update(world.now, [1]);
    world.scrub.grant(world.now, 2);
    world.scrub.update(world.now, []);
    world.endScan();
    world.run();
    expect(world.results).toEqual([]);
  });

  it("a partition that cannot be read is given up with its error", () => {
    const world = worldWith(names);
    world.scrub.rebuild(world.now, [0, 1]);
    world.scrub.grant(world.now, 1);
    world.scrub.onScanned(world.now, 1, null, "the disk says no");
    expect(world.results[0]).toMatchObject({ partition: 0, complete: false, error: "the disk says no" });
    world.run();
    expect(world.results[1]).toMatchObject({ partition: 1, complete: true });
  });

  it("with writes at any time: every lie is corrected, and nothing else", () => {
    const step = fc.oneof(
      fc.record({
        what: fc.constant("write" as const),
        names: fc.uniqueArray(fc.constantFrom(...few), { maxLength: 3 }),
      }),
      fc.record({ what: fc.constantFrom("batch" as const, "scan" as const, "grant" as const), names: fc.constant([]) }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...few), { maxLength: 4 }),
        fc.array(step, { maxLength: 80 }),
        (flips, steps) => {
          const world = worldWith(few);
          for (const name of flips) world.flip(name);
          const lies = world.lies();
          world.scrub.rebuild(world.now, all);
          for (const { what, names: written } of steps) {
            world.now = instant(world.now + 3000);
            if (what === "write") world.write(...written);
            if (what === "batch") world.endBatch();
            if (what === "scan") world.endScan();
            if (what === "grant") world.scrub.grant(world.now, 3);
            world.scrub.tick(world.now);
          }
          world.run();
          expect(world.lies()).toEqual([]);
          expect(world.results.every(({ complete }) => complete)).toBe(true);
          const ids = world.corrected.map(({ n, partition, leaf }) => `${n}/${partition}/${leaf}`);
          expect(ids.sort()).toEqual(lies.sort());
        },
      ),
      { numRuns: 60 },
    );
  });
});
