/** Golden stories of repair: who asks what, and what moves. */
import { describe, it } from "vitest";
import { wireOf } from "../../../src/base/errors.ts";
import { expectGolden } from "../../support/golden.ts";
import { crowdedNames, keyNamed, RepairWorld } from "../../support/repair-world.ts";
import { placeOf, ScrubWorld } from "../../support/scrub-world.ts";

const names = crowdedNames();
/** Those of one bucket: the first ones share a leaf. */
const ofOneTree = names.filter((name) => name.startsWith("k"));

function worldWith(held: readonly string[]): RepairWorld {
  const world = new RepairWorld({ pageKeys: 64 });
  for (const name of held) world.b.merge(keyNamed(name), world.a.put(name, `value of ${name}`));
  return world;
}

describe("repair stories", () => {
  it("a lost record", () => {
    const world = worldWith(names.slice(0, 12));
    const lost = names[3] as string;
    world.say(`A loses ${lost}, and its leaf with it`);
    world.a.set(keyNamed(lost), null);
    world.a.begin();
    world.run();
    expectGolden(
      "repair-lost-record",
      world.text("A record that one node has lost is found by its leaf and comes back."),
    );
  });

  it("a write in flight", () => {
    const world = worldWith(ofOneTree.slice(0, 6));
    const [first, second] = ofOneTree as [string, string];
    world.say(`${first} is written at A, and reaches B 700 ms later`);
    const sealed = world.a.put(first, "new");
    world.later(() => {
      world.say(`${first} reaches B; ${second} is written at B, and reaches A 6 s later`);
      world.b.merge(keyNamed(first), sealed);
    }, 700_000);
    world.later(() => {
      const late = world.b.put(second, "new");
      world.later(() => {
        world.say(`${second} reaches A`);
        world.a.merge(keyNamed(second), late);
      }, 6_000_000);
    }, 700_000);
    world.a.begin();
    world.run();
    expectGolden("repair-in-flight", world.text("Differences that do not last are compared and left alone."));
  });

  it("a lost record in a leaf that is being written", () => {
    const world = worldWith(ofOneTree.slice(0, 6));
    const [busy, lost] = ofOneTree as [string, string];
    world.say(`A loses ${lost}; ${busy}, in the same leaf, is written at B before the leaf is listed`);
    world.a.set(keyNamed(lost), null);
    world.later(() => {
      const late = world.b.put(busy, "new");
      world.later(() => {
        world.say(`${busy} reaches A`);
        world.a.merge(keyNamed(busy), late);
      }, 1_500_000);
    }, 8_000_000);
    world.a.begin();
    world.run();
    expectGolden(
      "repair-doubt",
      world.text("A leaf with a lost key and a write in flight is looked at once more, and only the lost key moves."),
    );
  });

  it("interrupted and resumed", () => {
    const world = worldWith(names);
    for (const name of names.slice(0, 40)) world.a.set(keyNamed(name), null);
    world.say("A has lost 40 records of several leaves");
    world.a.begin();
    world.run({ until: () => world.a.pulled.length > 24 });
    world.say("the link breaks");
    world.a.exchange.cancel(world.now, wireOf("CONNECTION_LOST"));
    const trees = (world.a.results[0]?.trees ?? []).map(({ tree, cursor }) => ({ tree, cursor }));
    world.say("the link is back; the next exchange goes on from where this one was");
    world.a.begin({ trees });
    world.run();
    world.say(`differing keys: ${world.differing().length}`);
    expectGolden("repair-resumed", world.text("An exchange that was interrupted goes on from its cursor."));
  });

  it("a preview", () => {
    const world = worldWith(names.slice(0, 12));
    world.a.set(keyNamed(names[0] as string), null);
    world.a.put(names[1] as string, "newer here");
    world.a.put(names[2] as string, "one");
    world.b.put(names[2] as string, "two");
    world.say("three keys differ");
    world.a.begin({ preview: true });
    world.run();
    world.say(`differing keys: ${world.differing().length}`);
    expectGolden("repair-preview", world.text("A preview says which keys differ, and how, and moves nothing."));
  });

  it("a flipped leaf", () => {
    const world = new ScrubWorld();
    world.pageKeys = 64;
    const held = Array.from({ length: 40 }, (_, i) => `k${i}`).filter(
      (name) => placeOf(keyNamed(name)).partition === 0,
    );
    for (const name of held) world.write(name);
    world.endBatch();
    const [busy, flipped] = held as [string, string];
    world.say(`leaf ${world.flip(flipped)}, which holds ${flipped}, is flipped`);
    world.scrub.rebuild(world.now, [0]);
    world.scrub.grant(world.now, 1);
    world.say(`while the partition is read, ${busy} is written (leaf ${placeOf(keyNamed(busy)).leaf})`);
    world.write(busy);
    world.endScan();
    world.say("the live tree is in use all the time; suspects are looked at one by one");
    world.run();
    world.say(`leaves that lie: ${world.lies().length}`);
    expectGolden(
      "repair-scrub",
      world.text("The scrub corrects a leaf on proof only; a leaf that was written meanwhile is right."),
    );
  });
});
