/** The exchange against two plain maps: what it must move, and what it must leave alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf } from "../../../src/base/bytes.ts";
import { statusOk, wireOf } from "../../../src/base/errors.ts";
import { Hash64, hashKey } from "../../../src/base/hash.ts";
import { instant } from "../../../src/base/time.ts";
import { leafOfHash } from "../../../src/storage/keys.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { crowdedNames, keyNamed, nameOf, RepairWorld, windowUs } from "../../support/repair-world.ts";

const names = crowdedNames();

/** So many names whose keys all are in the first leaf. */
function namesOfOneLeaf(count: number): string[] {
  const found: string[] = [];
  const hash = new Hash64();
  const fullKey = keyNamed("0000000");
  for (let i = 0; found.length < count; i += 1) {
    for (let at = fullKey.length - 1, rest = i; rest > 0; rest = Math.trunc(rest / 10), at -= 1) {
      fullKey[at] = 48 + (rest % 10);
    }
    hashKey(fullKey, hash);
    if (leafOfHash(hash.high, 0) === 0) found.push(nameOf(fullKey));
  }
  return found;
}

/** Both nodes hold all of `held`. */
function worldWith(held: readonly string[], options: ConstructorParameters<typeof RepairWorld>[0] = {}): RepairWorld {
  const world = new RepairWorld(options);
  for (const name of held) world.b.merge(keyNamed(name), world.a.put(name, `value of ${name}`));
  return world;
}

describe("exchange", () => {
  it("says so at once when all roots are equal", () => {
    const world = worldWith(names);
    world.a.begin();
    world.run();
    expect(world.a.results[0]?.trees.map(({ outcome }) => outcome)).toEqual(["equal", "equal"]);
    expect(world.messages).toBe(1);
  });

  it("pulls, pushes and does both, as the versions say", () => {
    const world = worldWith(names.slice(0, 20));
    const [missing, newer, older, diverged] = names as [string, string, string, string];
    world.a.set(keyNamed(missing), null);
    world.a.put(newer, "newer here");
    world.b.put(older, "newer there");
    world.a.put(diverged, "one");
    world.b.put(diverged, "two");
    const wrong = world.differing();
    expect(wrong.length).toBe(4);
    world.a.begin();
    world.run();
    expect(world.differing()).toEqual([]);
    expect(world.a.pulled.sort()).toEqual([missing, older, diverged].sort());
    expect(world.a.pushed.sort()).toEqual([newer, diverged].sort());
    expect(world.a.results[0]?.trees.some(({ outcome }) => outcome === "repaired")).toBe(true);
    expect(world.a.exchange.counters.keysFailed).toBe(0);
  });

  it("pulls only, when told so, and leaves the peer as it is", () => {
    const world = worldWith(names.slice(0, 20));
    const [missing, newer] = names as [string, string];
    world.a.set(keyNamed(missing), null);
    world.a.put(newer, "newer here");
    world.a.begin({ direction: "pull", untilEqual: 2 });
    world.run();
    expect(world.differing()).toEqual([newer]);
    expect(world.a.pushed).toEqual([]);
    expect(world.a.exchange.counters.keysLeft).toBeGreaterThan(0);
  });

  it("catch-up ends after two comparisons in a row found a tree equal, not before", () => {
    const world = worldWith(names.slice(0, 20));
    world.b.set(keyNamed(names[0] as string), null);
    world.a.begin({ untilEqual: 2 });
    world.run();
    expect(world.differing()).toEqual([]);
    const roots = world.log.filter((line) => line.includes("TREE_ROOTS"));
    // One tree is equal at the first two comparisons, the other twice different, then twice equal.
    expect(roots.map((line) => line.trim().split("asks ")[1])).toEqual([
      "TREE_ROOTS of 2 trees",
      "TREE_ROOTS of 1 trees",
      "TREE_ROOTS of 2 trees",
      "TREE_ROOTS of 1 trees",
    ]);
  });

  it("catch-up lists no leaf whose records only wait to be counted, on either side", () => {
    const world = worldWith(names.slice(0, 4));
    world.a.isLate = true;
    for (const name of names.slice(4, 12)) world.a.merge(keyNamed(name), world.b.put(name, "copied"));
    world.a.isLate = false;
    world.b.isLate = true;
    for (const name of names.slice(12, 14)) world.b.merge(keyNamed(name), world.a.put(name, "written by a client"));
    world.a.begin({ untilEqual: 2 });
    world.run();
    const { treesDescended, leavesListed } = world.a.exchange.counters;
    expect(treesDescended).toBeGreaterThan(0);
    expect(leavesListed).toBe(0);
    expect(world.a.results[0]?.trees.map(({ outcome }) => outcome)).toEqual(["equal", "equal"]);
  });

  it("a preview reports the differing keys and moves nothing", () => {
    const world = worldWith(names.slice(0, 20));
    world.a.set(keyNamed(names[0] as string), null);
    world.b.put(names[5] as string, "newer there");
    const wrong = world.differing();
    world.a.begin({ preview: true });
    world.run();
    expect(world.differing()).toEqual(wrong);
    expect([...world.a.pulled, ...world.a.pushed]).toEqual([]);
    expect(world.a.previewed.length).toBe(2);
    for (const { fullKey, bytesHere, bytesThere } of world.a.previewed) {
      expect(bytesHere).toBe(world.a.get(fullKey)?.length ?? 0);
      expect(bytesThere).toBe(world.b.get(fullKey)?.length ?? 0);
    }
    expect(world.a.results[0]?.trees.some(({ outcome }) => outcome === "differs")).toBe(true);
  });

  it("stays within its leaves, and goes on from the cursor", () => {
    const many = Array.from({ length: 300 }, (_, i) => `m${i}`);
    const world = worldWith([]);
    for (const name of many) world.b.put(name, "only there");
    let cursor = 0;
    let passes = 0;
    for (; world.differing().length > 0; passes += 1) {
      world.a.begin({ leavesMax: 64, trees: [{ tree: world.trees[1] as number, cursor }] });
      world.run();
      const result = world.a.results.at(-1)?.trees[0];
      cursor = result?.cursor ?? 0;
      expect(result?.outcome).toBe(world.differing().length > 0 ? "partial" : "repaired");
      expect(world.a.exchange.counters.leavesListed).toBeLessThanOrEqual(64 * (passes + 1));
    }
    expect(passes).toBeGreaterThan(3);
    expect(world.a.pulled.length).toBe(300);
  });

  it("does nothing that costs without credit", () => {
    const world = worldWith(names.slice(0, 20));
    world.a.set(keyNamed(names[0] as string), null);
    world.a.begin();
    world.run({ credits: false });
    expect(world.a.exchange.starved).toBe(true);
    expect(world.a.exchange.counters.leavesListed).toBe(0);
    world.a.exchange.grant(world.now, 1);
    world.run({ credits: false });
    expect(world.a.exchange.counters.leavesListed).toBe(1);
    expect(world.a.pulled).toEqual([]);
    world.a.exchange.grant(world.now, 1);
    world.run({ credits: false });
    expect(world.a.pulled.length).toBe(1);
    expect(world.a.exchange.busy).toBe(false);
  });

  it("ends with a peer whose answer is none to the question, and nothing has happened", () => {
    const world = worldWith(names.slice(0, 20));
    world.a.set(keyNamed(names[0] as string), null);
    world.distort = () => ({ type: FrameType.RECORD_FETCH, body: { records: [] } }) as never;
    world.a.begin();
    world.run();
    expect(world.a.results[0]?.status).toBe(wireOf("INVALID_ARGUMENT"));
    expect(world.a.pulled).toEqual([]);
  });

  it("repairs a leaf in portions when more keys of it differ than are kept in mind", () => {
    const world = worldWith([], { pageKeys: 256 });
    const crowd = namesOfOneLeaf(1_100);
    for (const name of crowd) world.b.put(name, "only there");
    world.a.begin({ leavesMax: 4096 });
    world.run();
    world.a.begin({ leavesMax: 4096 });
    world.run();
    expect(world.differing()).toEqual([]);
    expect(new Set(world.a.pulled).size).toBe(crowd.length);
  });

  it("leaves a tree that the peer refuses", () => {
    const world = worldWith(names.slice(0, 20));
    world.a.set(keyNamed(names[0] as string), null);
    for (const tree of world.trees) world.b.refusedTrees.add(tree);
    world.a.begin({ untilEqual: 2 });
    world.run();
    expect(world.a.results[0]?.trees.map(({ outcome }) => outcome)).toEqual(["refused", "refused"]);
  });

  it("gives a silent peer up, and another exchange goes on where it was", () => {
    const world = worldWith(names);
    for (const name of names.slice(0, 40)) world.a.set(keyNamed(name), null);
    world.a.begin();
    world.run({ until: () => world.a.pulled.length > 5 });
    world.cut = true;
    world.run();
    expect(world.a.results[0]?.status).toBe(wireOf("DEADLINE_EXCEEDED"));
    world.cut = false;
    const trees = (world.a.results[0]?.trees ?? []).map(({ tree, cursor }) => ({ tree, cursor }));
    expect(trees.some(({ cursor }) => cursor > 0)).toBe(true);
    world.a.begin({ trees });
    world.run();
    expect(world.a.results[1]?.status).toBe(statusOk);
    expect(world.differing()).toEqual([]);
  });

  it("interrupted at each of its steps, it can be begun again and ends equal", () => {
    for (let stop = 1; stop < 60; stop += 1) {
      const world = worldWith(names);
      for (const name of names.slice(0, 30)) world.a.set(keyNamed(name), null);
      world.a.put(names[40] as string, "newer here");
      let steps = 0;
      world.a.begin();
      world.run({
        until: () => {
          steps += 1;
          return steps > stop || !world.a.exchange.busy;
        },
      });
      world.a.exchange.cancel(world.now, wireOf("CONNECTION_LOST"));
      world.a.begin();
      world.run();
      expect(world.a.exchange.busy).toBe(false);
      expect(world.a.results.at(-1)?.status).toBe(statusOk);
      expect(world.differing()).toEqual([]);
    }
  });

  it("fetches a record that cannot be read here", () => {
    const world = worldWith(names.slice(0, 20));
    const lost = names[0] as string;
    // The leaf no longer counts it: the scrub has been there.
    const sealed = world.a.get(keyNamed(lost)) as Uint8Array;
    world.a.set(keyNamed(lost), null);
    world.a.records.set(hexOf(keyNamed(lost)), {
      ...(world.b.records.get(hexOf(keyNamed(lost))) as object),
      sealed,
    } as never);
    world.a.unreadable.add(hexOf(keyNamed(lost)));
    world.a.begin();
    world.run();
    expect(world.a.pulled).toEqual([lost]);
  });

  it("an answer to an exchange that is over changes nothing", () => {
    const world = worldWith(names.slice(0, 20));
    world.a.set(keyNamed(names[0] as string), null);
    world.a.begin();
    world.a.exchange.cancel(world.now, wireOf("NODE_STOPPING"));
    expect(world.a.results[0]?.status).toBe(wireOf("NODE_STOPPING"));
    world.run();
    expect(world.a.results.length).toBe(1);
    expect(world.a.pulled).toEqual([]);
  });
});

describe("exchange, in general", () => {
  const change = fc.tuple(
    fc.constantFrom(...names),
    fc.constantFrom("lost here", "lost there", "newer here", "newer there", "diverged"),
  );

  function diverge(world: RepairWorld, changes: readonly (readonly [string, string])[]): void {
    for (const [name, what] of changes) {
      if (what === "lost here") world.a.set(keyNamed(name), null);
      if (what === "lost there") world.b.set(keyNamed(name), null);
      if (what === "newer here" || what === "diverged") world.a.put(name, "a");
      if (what === "newer there" || what === "diverged") world.b.put(name, "b");
    }
  }

  it("makes both sides equal, and moves exactly the keys that differ", () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 12 }),
        fc.array(fc.nat(3000), { minLength: 4, maxLength: 4 }),
        (changes, delays) => {
          let at = 0;
          const delay = (): number => {
            at += 1;
            return 100 + (delays[at % delays.length] as number);
          };
          const world = worldWith(names, { delay });
          diverge(world, changes);
          const wrong = world.differing();
          world.a.begin();
          world.run();
          expect(world.differing()).toEqual([]);
          expect([...new Set([...world.a.pulled, ...world.a.pushed])].sort()).toEqual(wrong);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("chases no write in flight, finds what was lost before it began, and ends equal after the last write", () => {
    const write = fc.record({ at: fc.nat(14_000), lag: fc.nat(1_900), name: fc.nat(19), from: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 5 }), fc.array(write, { maxLength: 40 }), (changes, writes) => {
        const world = worldWith(names);
        const lostKeys = changes.filter(([name]) => names.indexOf(name) >= 20);
        diverge(world, lostKeys);
        const wrong = world.differing();
        for (const { at, lag, name, from } of writes) {
          const [origin, target] = from ? [world.a, world.b] : [world.b, world.a];
          world.later(() => {
            const key = names[name] as string;
            const sealed = origin.put(key, "busy");
            world.later(() => target.merge(keyNamed(key), sealed), lag * 1000);
          }, at * 1000);
        }
        world.a.begin();
        world.run();
        expect(world.differing()).toEqual([]);
        expect([...new Set([...world.a.pulled, ...world.a.pushed])].sort()).toEqual(expect.arrayContaining(wrong));
        // A busy key may be moved only if it was in flight at both looks, by different writes.
        const first = new Map<string, number>();
        for (const { name } of writes) first.set(names[name] as string, (first.get(names[name] as string) ?? 0) + 1);
        for (const name of [...world.a.pulled, ...world.a.pushed]) {
          expect(wrong.includes(name) || (first.get(name) ?? 0) > 1).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("interrupted anywhere and begun again, it ends equal", () => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 3, maxLength: 12 }),
        fc.array(fc.nat(9000), { maxLength: 4 }),
        (changes, stops) => {
          const world = worldWith(names);
          diverge(world, changes);
          let trees = world.trees.map((tree) => ({ tree, cursor: 0 }));
          for (const stop of stops) {
            world.a.begin({ trees, leavesMax: 2 });
            const end = instant(world.now + stop * 1000);
            world.run({ until: () => world.now >= end || !world.a.exchange.busy });
            world.a.exchange.cancel(world.now, wireOf("NODE_STOPPING"));
            trees = (world.a.results.at(-1)?.trees ?? []).map(({ tree, cursor }) => ({ tree, cursor }));
          }
          world.run();
          world.a.begin({ trees, leavesMax: 4096 });
          world.run();
          expect(world.differing()).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  });
});

it("the window of these tests is longer than a write", () => {
  expect(windowUs).toBeGreaterThan(2 * 1_900_000);
});
