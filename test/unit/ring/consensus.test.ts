/** The consensus of one node and of small clusters: what it answers its operator, what it refuses, what it takes for an alarm. */
import { describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { type ErrorCode, errorTable, statusOk } from "../../../src/base/errors.ts";
import { clusterId, type NodeId, type NodeNumber } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import type { RingMessage } from "../../../src/ring/consensus.ts";
import { noMemory } from "../../../src/ring/consensus-acceptor.ts";
import { RingPeers } from "../../../src/ring/consensus-peers.ts";
import { encodedRing } from "../../../src/ring/consensus-state.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { digestText } from "../../../src/ring/ring-digest.ts";
import { decodeRing, encodeRing } from "../../../src/wire/ring-codec.ts";
import { encodeBallotMemory } from "../../../src/wire/ring-messages.ts";
import { ConsensusWorld, withWeight } from "./consensus-world.ts";
import { fieldsOf, memberOf, membersOn } from "./support.ts";

const codec = { decode: decodeRing, encode: encodeRing };

function firstRing(members: number): Ring {
  return new Ring(
    fieldsOf(
      membersOn(members),
      Array.from({ length: 8 }, (_, p) => 1 + (p % members)),
    ),
  );
}

function worldOf(members: number): ConsensusWorld {
  const world = new ConsensusWorld(3, firstRing(members));
  world.startAll();
  world.run(100);
  return world;
}

function ringAt(world: ConsensusWorld, number: number): Ring {
  return world.core(number).ring.ring;
}

function outcome(world: ConsensusWorld, token: number, ms = 20_000): [ErrorCode | "ok", string] {
  world.runUntil("decided", ms, () => world.decisions.has(token));
  const { status, message } = world.decisions.get(token) as { status: number; message: string };
  if (status === statusOk) return ["ok", message];
  const code = (Object.keys(errorTable) as ErrorCode[]).find((one) => errorTable[one].wire === status);
  return [code as ErrorCode, message];
}

describe("a proposal", () => {
  it("is chosen at once where one node is all there is", () => {
    const world = worldOf(1);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 9)), 100)[0]).toBe("ok");
    expect(ringAt(world, 1).members[0]?.weight).toBe(9);
  });

  it("needs both of two nodes: when one is dead, nothing is changed", () => {
    const world = worldOf(2);
    world.crash(2);
    const token = world.propose(1, withWeight(ringAt(world, 1), 1, 9));
    expect(outcome(world, token)).toEqual([
      "QUORUM_NOT_MET",
      "no majority of the members has answered; nothing was changed",
    ]);
    expect(world.now).toBeGreaterThan(15_000_000);
    world.start(2);
    expect(outcome(world, world.propose(2, withWeight(ringAt(world, 2), 1, 7)))[0]).toBe("ok");
  });

  it("that was offered to some may still be chosen after its deadline, and is told to be so", () => {
    const world = worldOf(3);
    world.filter = (_, to, message) => message.kind !== "accept" && (message.kind !== "accepted" || to !== 1);
    const token = world.propose(1, withWeight(ringAt(world, 1), 1, 9));
    expect(outcome(world, token)).toEqual([
      "DEADLINE_EXCEEDED",
      "no majority has agreed yet; the change may still be chosen",
    ]);
    world.filter = () => true;
    world.runUntil("it is chosen", 10_000, () => ringAt(world, 2).members[0]?.weight === 9);
  });

  it("made from an older ring, or for a later one, is refused at once", () => {
    const world = worldOf(3);
    const old = ringAt(world, 1);
    expect(outcome(world, world.propose(1, withWeight(old, 1, 9)))[0]).toBe("ok");
    expect(outcome(world, world.propose(1, withWeight(old, 1, 8)), 0)).toEqual([
      "BASE_EPOCH_CHANGED",
      "the change was made for epoch 1, the ring is at 2",
    ]);
    const later = nextRing(ringAt(world, 1), { epoch: 9 });
    expect(outcome(world, world.propose(1, later), 0)[0]).toBe("BASE_EPOCH_CHANGED");
  });

  it("waits for no other: one at a time", () => {
    const world = worldOf(3);
    const first = world.propose(1, withWeight(ringAt(world, 1), 1, 9));
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 8)), 0)[0]).toBe("OVERLOADED");
    expect(outcome(world, first)[0]).toBe("ok");
  });

  it("adds a member and takes one away, who votes from then on, and no more", () => {
    const world = worldOf(3);
    const joined = nextRing(ringAt(world, 1), {
      members: [...ringAt(world, 1).members, memberOf(4, { status: "joining" })],
    });
    expect(outcome(world, world.propose(1, joined))[0]).toBe("ok");
    world.add(4, world.newest());
    world.start(4);
    for (const number of [2, 3]) world.crash(number);
    const alone = world.propose(1, withWeight(ringAt(world, 1), 1, 9));
    expect(outcome(world, alone)[0]).toBe("QUORUM_NOT_MET");
    world.start(2);
    expect(outcome(world, world.propose(4, withWeight(ringAt(world, 4), 1, 9)))[0]).toBe("ok");
    world.runUntil("1 and 2 hold it too", 5_000, () => ringAt(world, 1).epoch === 3 && ringAt(world, 2).epoch === 3);
    const left = nextRing(ringAt(world, 1), {
      members: ringAt(world, 1).members.map((one) => (one.number === 4 ? { ...one, status: "left" as const } : one)),
    });
    expect(outcome(world, world.propose(2, left))[0]).toBe("ok");
    world.runUntil("4 is fenced", 5_000, () => world.node(4).fenced);
    expect(outcome(world, world.propose(4, withWeight(ringAt(world, 4), 1, 1)), 0)[0]).toBe("PERMISSION_DENIED");
    expect(world.core(4).votes).toBe(false);
  });
});

describe("rings from elsewhere", () => {
  function tell(world: ConsensusWorld, to: number, message: RingMessage): void {
    world.core(to).onMessage(world.time, 2 as NodeNumber, message);
    world.run(100);
  }

  function stampOf(ring: Ring, change: Partial<RingMessage["stamp"]> = {}): RingMessage["stamp"] {
    const { hash } = encodedRing(codec, ring);
    return { epoch: ring.epoch, hashHigh: hash.high, hashLow: hash.low, votes: 0, life: 2_001, ...change };
  }

  it("that are of another cluster, or no rings, are passed over", () => {
    const world = worldOf(3);
    const stamp = stampOf(ringAt(world, 1));
    const foreign = new Ring({ ...ringAt(world, 1), clusterId: clusterId("ab".repeat(16)), epoch: 9 });
    tell(world, 1, { kind: "chosen", bytes: encodeRing(foreign), stamp });
    tell(world, 1, { kind: "chosen", bytes: Uint8Array.of(1, 2, 3), stamp });
    expect(ringAt(world, 1).epoch).toBe(1);
  });

  it("that were proposed for another epoch than their decree's are not accepted", () => {
    const world = worldOf(3);
    const stamp = stampOf(ringAt(world, 1));
    const wrong = encodeRing(nextRing(ringAt(world, 1), { epoch: 7 }));
    const ballot = { round: 1, node: 2 };
    tell(world, 1, { kind: "accept", base: 1, target: 2, lost: [], ballot, bytes: wrong, stamp });
    expect(world.node(1).ballot).toBeNull();
    const right = encodeRing(withWeight(ringAt(world, 1), 1, 3));
    tell(world, 1, {
      kind: "accept",
      base: 1,
      target: 2,
      lost: [],
      ballot: { round: 1, node: 3 },
      bytes: right,
      stamp,
    });
    expect(world.node(1).ballot).toBeNull();
    tell(world, 1, { kind: "accept", base: 1, target: 2, lost: [], ballot, bytes: right, stamp });
    expect(world.node(1).ballot).not.toBeNull();
  });

  it("in which another node has this one's number, fence it", () => {
    const world = worldOf(3);
    const ring = ringAt(world, 1);
    const members = ring.members.map((one) => (one.number === 1 ? { ...one, id: "f".repeat(32) as NodeId } : one));
    const next = nextRing(ring, { members });
    tell(world, 1, { kind: "chosen", bytes: encodeRing(next), stamp: stampOf(ring) });
    expect(world.node(1).fenced).toBe(true);
    world.crash(1);
    world.start(1);
    expect(world.core(1).votes).toBe(false);
  });

  it.each([
    [[], 2],
    [["skip-ring-pull"], 1],
  ] as const)("that are newer are pulled at the first word of them (%j: epoch %i)", (planted, epoch) => {
    const world = worldOf(3);
    world.crash(3);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 9)))[0]).toBe("ok");
    world.reaches = () => false;
    world.start(3);
    world.run(100);
    world.reaches = () => true;
    enableCanaries(planted);
    const { high, low } = world.core(1).ring.hash;
    world.core(3).onDigest(world.time, 1 as NodeNumber, 2, high, low);
    world.run(500);
    enableCanaries([]);
    expect(ringAt(world, 3).epoch).toBe(epoch);
  });

  it("of the same epoch and other content are an alarm, over whatever way they are told", () => {
    const world = worldOf(3);
    world.core(1).onDigest(world.time, 2 as NodeNumber, 1, 5, 5);
    expect(world.alarms).toEqual(["conflict 1 2 1"]);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 9)), 0)[0]).toBe("STORAGE_FAILED");
    expect(world.core(1).accept(world.time, "0000000500000005")).toBe(false);
    expect(world.core(1).accept(world.time, digestText(world.core(1).ring.hash))).toBe(true);
    world.core(1).onDigest(world.time, 2 as NodeNumber, 1, 5, 5);
    expect(world.alarms.length).toBe(1);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 9)))[0]).toBe("ok");
  });
});

describe("votes that were lost", () => {
  it("silence a node that knows it, for good, and the others decide without it", () => {
    const world = worldOf(3);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 9)))[0]).toBe("ok");
    world.run(200);
    world.crash(3);
    world.node(3).ballot = encodeBallotMemory(noMemory(2, 0, true));
    world.start(3);
    expect(world.alarms).toContain("rolled-back 3 3");
    expect(outcome(world, world.propose(3, withWeight(ringAt(world, 3), 1, 8)), 0)[0]).toBe("STORAGE_FAILED");
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 7)))[0]).toBe("ok");
    world.crash(2);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 6)))[0]).toBe("QUORUM_NOT_MET");
  });

  it("are noticed by the node itself where its ring is older than its votes", () => {
    const world = worldOf(3);
    const old = world.node(3).ring;
    expect(outcome(world, world.propose(3, withWeight(ringAt(world, 3), 1, 9)))[0]).toBe("ok");
    expect(outcome(world, world.propose(3, withWeight(ringAt(world, 3), 1, 8)))[0]).toBe("ok");
    world.run(200);
    world.crash(3);
    world.node(3).ring = old;
    world.start(3);
    expect(world.alarms).toContain("rolled-back 3 3");
    world.run(3_000);
    expect(ringAt(world, 3).epoch).toBe(3);
    world.crash(3);
    world.start(3);
    expect(world.core(3).votes).toBe(false);
  });

  it("are told by epoch or votes that go back in a new life, said twice; a late message of an old life is none", () => {
    const peers = new RingPeers();
    const judge = (ms: number, life: number, epoch: number, votes: number): string => {
      return peers.judge(instant(ms * 1000), 2 as NodeNumber, { epoch, votes, life, hashHigh: 0, hashLow: 0 });
    };
    expect(judge(0, 1, 5, 9)).toBe("good");
    expect(judge(1, 1, 4, 3)).toBe("good");
    expect(judge(2, 2, 5, 9)).toBe("good");
    expect(judge(3, 1, 5, 8)).toBe("late");
    expect(judge(4, 3, 5, 8)).toBe("doubtful");
    expect([...peers.doubted()]).toEqual([2]);
    expect(judge(5, 2, 6, 10)).toBe("good");
    expect([...peers.doubted()]).toEqual([]);
    expect(judge(6, 4, 5, 10)).toBe("doubtful");
    expect(judge(900, 4, 6, 9)).toBe("doubtful");
    expect(judge(1_100, 4, 6, 9)).toBe("rolled-back");
    expect(judge(1_200, 4, 9, 99)).toBe("rolled-back");
    expect(peers.isDistrusted(2 as NodeNumber)).toBe(true);
  });
});

describe("a recovery", () => {
  it("is refused where it makes no sense", () => {
    const world = worldOf(5);
    for (const number of [3, 4, 5]) world.crash(number);
    world.run(2_500);
    const flaws: [number[], string][] = [
      [[], "no lost member is named"],
      [[1, 3, 4], "this node itself is named"],
      [[3, 4], "3 of 5 members are a majority: remove the lost ones"],
      [[3, 4, 9], "node 9 is no member of the ring"],
      [[3, 3, 4], "node 3 is named twice, or out of order"],
    ];
    for (const [lost, flaw] of flaws) {
      expect(outcome(world, world.recover(1, lost), 0)).toEqual(["INVALID_ARGUMENT", flaw]);
    }
  });

  it("is refused while a node named lost is heard by this one, or by one that has to agree", () => {
    const world = worldOf(5);
    for (const number of [4, 5]) world.crash(number);
    world.run(2_500);
    expect(outcome(world, world.recover(1, [3, 4, 5]))).toEqual(["INVALID_ARGUMENT", "node 3 answers: it is not lost"]);
    world.reaches = (from, to) => !(from === 1 && to === 3) && !(from === 3 && to === 1);
    world.run(2_500);
    const [code, message] = outcome(world, world.recover(1, [3, 4, 5]));
    expect([code, message]).toEqual([
      "INVALID_ARGUMENT",
      "node 2 was heard, or has heard, of a node that is named as lost",
    ]);
    expect(ringAt(world, 1).epoch).toBe(1);
  });

  it("that named too few can be tried again with more", () => {
    const world = worldOf(7);
    for (const number of [3, 4, 5, 6, 7]) world.crash(number);
    world.run(2_500);
    expect(outcome(world, world.recover(1, [4, 5, 6, 7]), 30_000)[0]).toBe("ok");
    expect(ringAt(world, 1).epoch).toBe(1 + 2 ** 20);
    expect(outcome(world, world.propose(1, withWeight(ringAt(world, 1), 1, 4)))[0]).toBe("ok");
  });

  it("of one that is left alone needs nobody, and lets the ring go on from there", () => {
    const world = worldOf(3);
    for (const number of [2, 3]) world.crash(number);
    world.run(2_500);
    expect(outcome(world, world.recover(1, [3, 2]))[0]).toBe("ok");
    const ring = ringAt(world, 1);
    expect(ring.epoch).toBe(1 + 2 ** 20);
    expect(new Set(ring.owners)).toEqual(new Set([1]));
    expect(outcome(world, world.propose(1, withWeight(ring, 1, 4)))[0]).toBe("ok");
  });
});
