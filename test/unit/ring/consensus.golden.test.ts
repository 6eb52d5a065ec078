/** Stories of the consensus, message by message: one golden text each. */
import { describe, expect, it } from "vitest";
import { errorTable, statusOk } from "../../../src/base/errors.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { digestText } from "../../../src/ring/ring-digest.ts";
import { expectGolden } from "../../support/golden.ts";
import { ConsensusWorld, withWeight } from "./consensus-world.ts";
import { fieldsOf, membersOn } from "./support.ts";

function worldOf(members: number): ConsensusWorld {
  const owners = Array.from({ length: 8 }, (_, p) => 1 + (p % members));
  const world = new ConsensusWorld(7, new Ring(fieldsOf(membersOn(members), owners)));
  world.pings = false;
  world.startAll();
  world.run(100);
  world.verbose = true;
  return world;
}

function told(world: ConsensusWorld, name: string, title: string): void {
  expectGolden(name, `${title}\n\n${world.story.join("\n")}`);
}

function epochOf(world: ConsensusWorld, number: number): number {
  return world.core(number).ring.ring.epoch;
}

function weightOf(world: ConsensusWorld, number: number): number | undefined {
  return world.core(number).ring.ring.members[0]?.weight;
}

describe("stories of the consensus", () => {
  it("a half-chosen ring is finished by whoever accepted it, also after a restart", () => {
    const world = worldOf(3);
    const { ring } = world.core(1).ring;
    world.filter = (from, to, message) => from !== 1 || message.kind !== "accept" || to === 2;
    world.propose(1, withWeight(ring, 1, 10));
    world.runUntil("2 has accepted", 1_000, () => world.story.some((line) => line.includes("2 -> 1  accepted")));
    world.say("1 dies, and 2 is restarted");
    world.crash(1, 0);
    world.crash(2, 9);
    world.start(2);
    world.filter = () => true;
    world.runUntil("2 and 3 hold ring 2", 10_000, () => epochOf(world, 2) === 2 && epochOf(world, 3) === 2);
    world.say("1 is back");
    world.start(1);
    world.runUntil("1 too", 1_000, () => epochOf(world, 1) === 2);
    expect(weightOf(world, 3)).toBe(10);
    told(
      world,
      "ring-half-chosen",
      "A proposer dies when one other node has accepted its ring: that node finishes it, although it was restarted.",
    );
  });

  it("a node that missed several epochs takes the newest ring whole", () => {
    const world = worldOf(3);
    world.crash(3);
    world.verbose = false;
    for (let weight = 2; weight <= 4; weight += 1) {
      const token = world.propose(1, withWeight(world.core(1).ring.ring, 1, weight));
      world.runUntil("decided", 1_000, () => world.decisions.has(token));
    }
    world.run(100);
    world.verbose = true;
    world.say("3 is back");
    world.start(3);
    world.runUntil("3 holds ring 4", 1_000, () => epochOf(world, 3) === 4);
    expect([...world.chosen.keys()]).toEqual([1, 2, 3, 4]);
    told(
      world,
      "ring-missed-epochs",
      "A node was away for three epochs: it is sent the newest ring and needs none of those between.",
    );
  });

  it("two proposers at once: one ring is chosen, the other's change is told that its base has changed", () => {
    const world = worldOf(3);
    const { ring } = world.core(1).ring;
    const first = world.propose(1, withWeight(ring, 1, 10));
    const second = world.propose(3, withWeight(ring, 1, 30));
    world.runUntil("both are decided", 10_000, () => world.decisions.size === 2);
    const statuses = [world.decisions.get(first)?.status, world.decisions.get(second)?.status];
    expect(statuses.toSorted()).toEqual([statusOk, errorTable.BASE_EPOCH_CHANGED.wire]);
    world.run(100);
    told(world, "ring-duel", "Two administrators change the ring at once, at nodes 1 and 3.");
  });

  it("a majority is lost for good, while a ring was half-chosen: recovery keeps it, and fences the lost", () => {
    const world = worldOf(5);
    const { ring } = world.core(1).ring;
    world.filter = (_, to, message) => message.kind !== "accept" || to === 2;
    world.propose(3, withWeight(ring, 1, 10));
    world.runUntil("2 has accepted", 1_000, () => world.story.some((line) => line.includes("2 -> 3  accepted")));
    world.filter = () => true;
    world.story.length = 0;
    for (const number of [3, 4, 5]) world.crash(number);
    world.say("3, 4 and 5 are dead; 2 had accepted a ring of epoch 2");
    world.run(2_100);
    world.start(5);
    world.run(10);
    const refused = world.recover(1, [3, 4, 5]);
    world.runUntil("refused", 5_000, () => world.decisions.has(refused));
    expect(world.decisions.get(refused)?.message).toBe("node 5 answers: it is not lost");
    world.say("now 5 is dead too");
    world.crash(5);
    world.run(2_500);
    const token = world.recover(1, [3, 4, 5]);
    world.runUntil("recovered", 20_000, () => world.decisions.has(token));
    expect(world.decisions.get(token)?.status).toBe(statusOk);
    world.run(200);
    expect([weightOf(world, 1), weightOf(world, 2)]).toEqual([10, 10]);
    world.say("4 is back");
    world.start(4);
    world.runUntil("4 is fenced", 1_000, () => world.node(4).fenced);
    told(
      world,
      "ring-recover",
      "Three of five nodes are lost for good; a ring that one of the others had accepted is what the recovery starts from.",
    );
  });

  it("a voter whose disk was put back in time is recognised, and votes no more", () => {
    const world = worldOf(3);
    const { ring } = world.core(1).ring;
    const old = { ...world.node(2) };
    world.filter = (from, to, message) => from !== 1 || message.kind !== "accept" || to === 2;
    world.propose(1, withWeight(ring, 1, 10));
    world.runUntil("2 has accepted", 1_000, () => world.story.some((line) => line.includes("2 -> 1  accepted")));
    world.run(10);
    world.say("2 is stopped, and its disk put back to what it was before it voted");
    world.crash(2);
    world.node(2).ring = old.ring;
    world.node(2).ballot = old.ballot;
    world.start(2);
    world.filter = () => true;
    world.runUntil("1 and 2 know", 5_000, () => world.alarms.length >= 2);
    world.run(1_000);
    expect(world.core(2).votes).toBe(false);
    expect(world.alarms).toContain("rolled-back 2 2");
    const token = world.propose(3, withWeight(world.core(3).ring.ring, 1, 20));
    world.runUntil("1 and 3 decide without 2", 5_000, () => world.decisions.has(token));
    expect(world.decisions.get(token)?.status).toBe(statusOk);
    told(
      world,
      "ring-rolled-back-voter",
      "A node's disk is put back to before its vote: the others see that its votes went back.",
    );
  });

  it("two rings of one epoch: both nodes stop voting until an operator decides", () => {
    const world = worldOf(3);
    world.crash(3);
    const other = new Ring({
      ...world.core(1).ring.ring,
      members: membersOn(3).map((one) => ({ ...one, weight: 99 })),
    });
    world.node(3).ring = new ConsensusWorld(1, other).node(3).ring;
    world.say("3's ring is not the ring of epoch 1 that the others hold");
    world.start(3);
    world.runUntil("all have seen it", 1_000, () => world.alarms.length === 3);
    const refused = world.propose(1, withWeight(world.core(1).ring.ring, 1, 20));
    expect(world.decisions.get(refused)?.status).toBe(errorTable.STORAGE_FAILED.wire);
    world.say("the operator accepts the ring of 1 and 2; 3 holds another");
    const digest = digestText(world.core(1).ring.hash);
    expect([1, 2, 3].map((number) => world.core(number).accept(world.time, digest))).toEqual([true, true, false]);
    const token = world.propose(1, withWeight(world.core(1).ring.ring, 1, 20));
    world.runUntil("decided, and known to all", 5_000, () => [1, 2, 3].every((number) => epochOf(world, number) === 2));
    expect(world.decisions.get(token)?.status).toBe(statusOk);
    expect(world.core(3).votes).toBe(true);
    expect(world.alarms.length).toBe(3);
    told(world, "ring-conflict", "A damaged node holds another ring of the same epoch: nobody is taken to be right.");
  });
});
