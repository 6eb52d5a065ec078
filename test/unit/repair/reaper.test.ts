/** The reaper: what goes, when, and what stands against it. */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { instant } from "../../../src/base/time.ts";
import { ReapVerdict } from "../../../src/repair/reap-verdict.ts";
import { Sightings } from "../../../src/repair/sightings.ts";
import { expectGolden } from "../../support/golden.ts";
import { movingRing } from "../../support/moving-ring.ts";
import { ageUs, ReapWorld, written } from "../../support/reap-world.ts";

afterEach(() => enableCanaries([]));

const tombstone = written([1, 2], true);
/** Six actors have written it; the first five no sibling of it. */
const longVersion = written([1, 2, 3, 4, 5, 6], false);

function worldWith(count: number): { readonly world: ReapWorld; readonly names: string[] } {
  const world = new ReapWorld();
  return { world, names: world.names(count) };
}

/** Enough passes for what is there to grow old and be asked about. */
function passAll(world: ReapWorld): void {
  for (let i = 0; i < 4; i += 1) world.pass(ageUs / 2);
}

describe("reaper", () => {
  it("asks every member about what has stayed as it is for the age, and then has the owners forget it", () => {
    const { world, names } = worldWith(1);
    const [name] = names as [string];
    world.records.set(name, tombstone);
    world.pass(1);
    world.pass(ageUs / 2);
    expect(world.lines).toEqual([]);
    world.pass(ageUs / 2);
    const asked = world.lines.filter((line) => line.startsWith("prepare"));
    expect(asked).toHaveLength(4);
    expect(world.forgotten.toSorted()).toEqual([`1/${name}`, `2/${name}`, `3/${name}`]);
    expect(world.reaper.counters).toMatchObject({ tombstones: 1, entries: 0, hindered: 0 });
  });

  it("leaves values alone, and tombstones beside a value", () => {
    const { world, names } = worldWith(2);
    const [value, both] = names as [string, string];
    world.records.set(value, written([1, 2], false));
    world.records.set(both, written([3], false).merge(written([1, 2], true)));
    passAll(world);
    expect(world.lines).toEqual([]);
  });

  for (const [what, objection] of [
    ["a hint", ReapVerdict.hint],
    ["a copy of who is no owner", ReapVerdict.copy],
    ["an owner that is not synced", ReapVerdict.unsynced],
    ["another record", ReapVerdict.differs],
    ["another ring", ReapVerdict.otherRing],
    ["a transfer", ReapVerdict.transferPending],
    ["a copy that cannot be read", ReapVerdict.unreadable],
    ["a question that fails", "-"],
    ["silence", "?"],
    ["something that only a later version knows", 200],
  ] as const) {
    it(`forgets nothing while ${what} stands against it at anybody`, () => {
      for (const member of [1, 2, 3, 4]) {
        const { world, names } = worldWith(1);
        const [name] = names as [string];
        world.records.set(name, tombstone);
        world.objections.set(`${member}/${name}`, objection);
        passAll(world);
        expect(world.forgotten).toEqual([]);
        expect(world.reaper.counters.hindered).toBeGreaterThan(0);
        world.objections.clear();
        passAll(world);
        expect(world.forgotten.length).toBeGreaterThan(0);
      }
    });
  }

  it("asks about the other keys of the page when one is hindered", () => {
    const { world, names } = worldWith(2);
    const [free, held] = names as [string, string];
    world.records.set(free, tombstone);
    world.records.set(held, tombstone);
    world.objections.set(`4/${held}`, ReapVerdict.hint);
    passAll(world);
    expect(new Set(world.forgotten)).toEqual(new Set([`1/${free}`, `2/${free}`, `3/${free}`]));
  });

  it("begins anew with a record that has changed", () => {
    const { world, names } = worldWith(1);
    const [name] = names as [string];
    world.records.set(name, tombstone);
    world.pass(1);
    world.pass(ageUs / 2);
    world.records.set(name, written([1, 2, 3], true));
    world.pass(ageUs / 2);
    expect(world.lines).toEqual([]);
    passAll(world);
    expect(world.forgotten).not.toEqual([]);
  });

  it("asks nothing while the partition is changing hands", () => {
    const { world, names } = worldWith(20);
    for (const name of names) world.records.set(name, tombstone);
    const { ring } = movingRing();
    world.reaper.onRing(world.now, ring);
    passAll(world);
    expect(ring.transfers().length).toBeGreaterThan(0);
    expect(world.reaper.counters.hindered).toBeGreaterThan(0);
  });

  it("prunes entries under which nothing lives, but for those of actors that still write", () => {
    const { world, names } = worldWith(1);
    const [name] = names as [string];
    world.records.set(name, longVersion);
    passAll(world);
    // Of six entries one has the sibling, and node 1 says of its own that it is in use.
    expect(world.forgotten[0]).toBe(`1/${name} 4 entries`);
    expect(world.reaper.counters.entries).toBeGreaterThanOrEqual(4);
    expect(longVersion.without(longVersion.version.words.slice(-3))).toBeNull();
  });

  it("leaves entries whose actors somebody still writes under", () => {
    const { world, names } = worldWith(1);
    const [name] = names as [string];
    // The sibling is node 5's, and node 1 knows its own entry; of the other three each node knows its own.
    world.records.set(name, written([2, 3, 4, 1, 5], false));
    for (const member of [2, 3, 4]) world.actors.set(member, member);
    passAll(world);
    expect(world.forgotten).toEqual([]);
    expect(world.reaper.counters.hindered).toBeGreaterThan(0);
    world.actors.delete(3);
    passAll(world);
    expect(world.forgotten).toContain(`1/${name} 1 entries`);
  });

  it("counts nothing as forgotten that an owner has kept", () => {
    for (const word of ["-", "?"] as const) {
      const { world, names } = worldWith(1);
      const [name] = names as [string];
      world.records.set(name, tombstone);
      world.objections.set(`commit 3/${name}`, word);
      passAll(world);
      expect(world.forgotten.slice(0, 2)).toEqual([`1/${name}`, `2/${name}`]);
      expect(world.reaper.counters.tombstones).toBe(0);
    }
  });

  it("would forget what a fallback still keeps a value of, if it asked owners only", () => {
    enableCanaries(["reap-asks-owners-only"]);
    const { world, names } = worldWith(1);
    const [name] = names as [string];
    world.records.set(name, tombstone);
    world.objections.set(`4/${name}`, ReapVerdict.hint);
    passAll(world);
    expect(world.forgotten).not.toEqual([]);
  });

  it("tells its story", () => {
    const { world, names } = worldWith(2);
    const [free, held] = names as [string, string];
    world.records.set(free, tombstone);
    world.records.set(held, tombstone);
    world.say("Two keys are deleted; node 4, no owner, keeps a hint of one; node 3 misses a commit.");
    world.objections.set(`4/${held}`, ReapVerdict.hint);
    world.objections.set(`commit 3/${free}`, "-");
    world.pass(1);
    world.pass(ageUs / 2);
    world.pass(ageUs / 2);
    world.say("The hint is home.");
    world.records.delete(free);
    world.objections.clear();
    world.pass(ageUs / 2);
    expectGolden("reap", world.text("Tombstones go when every member has nothing against it, in two phases."));
  });
});

describe("sightings", () => {
  it("measures from the first sight of what is still the same", () => {
    const sightings = new Sightings(16);
    expect(sightings.ageOf(instant(5), 1, 2)).toBe(-1);
    expect(sightings.see(instant(10), 1, 2, 3, 4, 100)).toBe(0);
    expect(sightings.see(instant(30), 1, 2, 3, 4, 100)).toBe(20);
    expect(sightings.ageOf(instant(40), 1, 2)).toBe(30);
    expect(sightings.see(instant(50), 1, 2, 3, 5, 100)).toBe(0);
  });

  it("remembers all that it has seen while it grows", () => {
    const sightings = new Sightings(4096);
    const low = (key: number): number => Math.imul(key, 0x9e3779b1) >>> 0;
    for (let key = 0; key < 1000; key += 1) expect(sightings.see(instant(key), key, low(key), key, 7, 9_000)).toBe(0);
    for (let key = 0; key < 1000; key += 1) {
      expect(sightings.ageOf(instant(2_000), key, low(key))).toBe(2_000 - key);
      expect(sightings.see(instant(2_000), key, low(key), key, 7, 9_000)).toBe(2_000 - key);
    }
  });

  it("has no place for more than fit, until others have not been seen for long", () => {
    const sightings = new Sightings(8);
    for (let key = 0; key < 8; key += 1) expect(sightings.see(instant(1), key, key, 0, 0, 100)).toBe(0);
    expect(sightings.see(instant(50), 9, 9, 0, 0, 100)).toBe(-1);
    expect(sightings.see(instant(150), 9, 9, 0, 0, 100)).toBe(0);
    expect(sightings.see(instant(160), 9, 9, 0, 0, 100)).toBe(10);
  });
});
