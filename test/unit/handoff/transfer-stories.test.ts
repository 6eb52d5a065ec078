/** Stories of one transfer, told step by step: partition 3 (n = 3) moves from node 4 to node 5. */
import { describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import type { PartitionId } from "../../../src/base/ids.ts";
import { ReadRule } from "../../../src/handoff/transfer.ts";
import type { Member } from "../../../src/ring/ring.ts";
import { expectGolden } from "../../support/golden.ts";
import { TransferWorld } from "../../support/transfer-world.ts";
import { memberOf } from "../ring/support.ts";

const partition = 3 as PartitionId;
const n = 3;
const rules = ["serves", "says NOT_SYNCED", "says WRONG_OWNER"];

/** A world with twelve keys of partition 3 in place. */
function worldOf(members?: readonly Member[], owners?: readonly number[]): TransferWorld {
  const config = { pageBytesMax: 30, bytesPerSecond: 100_000, copiesMax: 8 };
  const options = { seed: 1, focus: { partition, n }, config, ...(owners === undefined ? {} : { owners }) };
  const world = new TransferWorld(members === undefined ? options : { ...options, members });
  for (let i = 0, count = 0; count < 12; i += 1) {
    const key = world.keyNamed(`key-${i}`);
    if (world.node(4).place(key).partition !== partition) continue;
    world.put(key);
    count += 1;
  }
  world.run(100_000);
  expect(world.acked.length).toBe(12);
  return world;
}

function states(world: TransferWorld): string {
  const of = (number: number): string => {
    const rule = world.node(number).core?.readRule(partition, n);
    return `${number} ${rule === undefined ? "is down" : rules[rule]}`;
  };
  return `reads: ${[4, 1, 2, 5].map(of).join(", ")}`;
}

function sees(world: TransferWorld, text: string): () => boolean {
  const from = world.story.length;
  return () => world.story.slice(from).some((line) => line.includes(text));
}

function runUntil(world: TransferWorld, done: () => boolean): void {
  const ok = world.runUntil(() => {
    world.check();
    return done();
  }, 10_000_000);
  if (!ok) throw new Error(`it never came to that:\n${world.story.join("\n")}`);
}

function toRest(world: TransferWorld): void {
  runUntil(world, () => {
    if (world.flip()) world.narrate("the next ring flips what is confirmed");
    return world.quiet;
  });
  expect(world.faultAtRest()).toBe(null);
}

function tellOf(title: string, world: TransferWorld): string {
  return `${title}\n\n${world.story.join("\n")}\n`;
}

function start(world: TransferWorld): void {
  world.narrate("a new ring: node 5 is to take position 3 from node 4");
  expect(world.move(3, 5)).toBe(true);
}

describe("stories of a transfer", () => {
  it("from start to clean-up", () => {
    const world = worldOf();
    start(world);
    runUntil(world, sees(world, "from the cursor"));
    world.narrate(states(world));
    runUntil(world, sees(world, "5 reports that it is confirmed"));
    world.narrate(states(world));
    toRest(world);
    world.narrate(states(world));
    expectGolden(
      "transfer-join",
      tellOf(
        "A joining member copies, catches up, is confirmed and serves; then the replaced one's copy is deleted.",
        world,
      ),
    );
  });

  it("the sender is killed in the copy", () => {
    const world = worldOf();
    start(world);
    for (let pages = 0; pages < 3; pages += 1) runUntil(world, sees(world, "more follow"));
    world.crash(4);
    world.narrate("node 4 is killed; node 5 finds that the others must be asked");
    runUntil(world, sees(world, "for a page from the start"));
    world.restart(4);
    world.narrate("node 4 is back");
    toRest(world);
    expectGolden(
      "transfer-sender-killed",
      tellOf("A sender that dies in the copy: others are asked meanwhile, but nothing is confirmed without it.", world),
    );
  });

  it("the receiver is killed in the copy", () => {
    const world = worldOf();
    start(world);
    for (let pages = 0; pages < 4; pages += 1) runUntil(world, sees(world, "from the cursor"));
    world.crash(5);
    world.narrate("node 5 is killed");
    world.run(50_000);
    world.restart(5);
    world.narrate(`node 5 is back with ${world.node(5).of(partition, n).length} records; ${states(world)}`);
    toRest(world);
    expectGolden(
      "transfer-receiver-killed",
      tellOf("A receiver that dies in the copy goes on at the cursor it saved last.", world),
    );
  });

  it("a damaged record of a copy given up goes with the others", () => {
    const world = worldOf();
    start(world);
    runUntil(world, sees(world, "5 reports that it is confirmed"));
    world.node(4).damaged.add(world.node(4).of(partition, n)[5]?.name as string);
    world.narrate("one of node 4's records is damaged: what it adds to its leaf is unknown");
    toRest(world);
    expect(world.node(4).holds(partition, n)).toBe(false);
    expectGolden(
      "transfer-damaged",
      tellOf("A record that nobody can read is deleted, too; the tree that still counts it is made true.", world),
    );
  });

  it("is cancelled", () => {
    const world = worldOf();
    start(world);
    runUntil(world, sees(world, "5 reports that it is confirmed"));
    world.narrate(states(world));
    world.narrate("a new ring: position 3 stays with node 4");
    world.cancel(3);
    toRest(world);
    world.narrate(states(world));
    expect(world.node(5).gaveUps).toContain(partition);
    expectGolden(
      "transfer-cancelled",
      tellOf(
        "A transfer cancelled before its flip: the replaced member reads at once, and writes once the receiver knows.",
        world,
      ),
    );
  });

  it("the replaced member is dead and given up", () => {
    const members = [1, 2, 3, 4, 5].map((number) => memberOf(number, number === 4 ? { status: "leaving" } : {}));
    const world = worldOf(members);
    world.crash(4);
    world.narrate("node 4 is dead, and the operator has removed it");
    world.run(100_000);
    start(world);
    runUntil(world, () => {
      if (world.flip()) world.narrate("the next ring flips what is confirmed");
      return world.newest.active.length === 0 && world.node(5).core?.report(world.now).length === 0;
    });
    world.narrate(states(world));
    for (const { fullKey, id } of world.acked) {
      if (world.node(5).place(fullKey).partition === partition) expect(world.node(5).idsAt(fullKey)).toContain(id);
    }
    expectGolden(
      "transfer-replaced-dead",
      tellOf("Without the replaced member every other owner is copied from and compared with.", world),
    );
  });

  it("the replaced member dies before it has closed", () => {
    const world = worldOf();
    start(world);
    runUntil(world, sees(world, "5 asks 4 to answer no more reads"));
    world.narrate("node 4 is dead");
    world.crash(4);
    runUntil(world, sees(world, "5 compares its tree with 2's"));
    world.narrate("node 4 is back");
    world.restart(4);
    toRest(world);
    expectGolden(
      "transfer-replaced-dies",
      tellOf("What was compared with the replaced member counts no more once it is dead: the others are asked.", world),
    );
  });

  it.each([
    [[], false],
    [["leave-with-hints"], true],
  ] as const)("who leaves brings its hints home first (%j: gone with them %s)", (planted, gone) => {
    const members = [1, 2, 3, 4, 5].map((number) => memberOf(number, number === 4 ? { status: "leaving" } : {}));
    const world = worldOf(members, [1, 2, 3, 4, 1, 2, 3, 5]);
    world.node(4).hints = 1;
    enableCanaries(planted);
    start(world);
    world.run(2_000_000);
    enableCanaries([]);
    expect(world.story.some((line) => line.includes("5 reports that it is confirmed"))).toBe(gone);
    world.node(4).hints = 0;
    toRest(world);
  });

  it.each([
    [[], true],
    [["erase-uncovered"], false],
  ] as const)("what no owner holds is not deleted before one does (%j: kept %s)", (planted, kept) => {
    const world = worldOf();
    start(world);
    runUntil(world, sees(world, "5 reports that it is confirmed"));
    const extra = world.acked[0]?.fullKey as Uint8Array;
    enableCanaries(planted);
    runUntil(world, () => {
      // A put that was under way reaches the replaced member alone, again and again until the owners have taken over.
      if (world.newest.active.length > 0) world.node(4).merge(extra, [999_999]);
      world.flip();
      return world.quiet;
    });
    enableCanaries([]);
    expect([1, 2, 5].some((owner) => world.node(owner).idsAt(extra).has(999_999))).toBe(kept);
  });

  it("an interrupted clean-up is finished before the partition comes back", () => {
    const world = worldOf();
    start(world);
    runUntil(world, () => {
      if (world.flip()) world.narrate("the next ring flips what is confirmed");
      return world.story.some((line) => line.includes("4 deletes"));
    });
    world.crash(4);
    world.narrate(`node 4 is killed with ${world.node(4).of(partition, n).length} records left`);
    world.narrate("a new ring: node 4 is to take position 3 back from node 5");
    expect(world.move(3, 4)).toBe(true);
    world.run(100_000);
    world.restart(4);
    world.narrate(`node 4 is back; ${states(world)}`);
    expect(world.node(4).core?.readRule(partition, n)).toBe(ReadRule.notSynced);
    toRest(world);
    world.narrate(states(world));
    expectGolden(
      "transfer-back-again",
      tellOf("A deletion that a crash interrupted is finished before the partition is received again.", world),
    );
  });
});
