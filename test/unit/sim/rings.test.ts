/** Stories of rings and members on whole nodes in the simulator: growing, half-chosen rings, nodes that come late. */
import { expect, test } from "vitest";
import { ringBytes } from "../../../src/node/node-files.ts";
import type { StateSaves } from "../../../src/node/state-saves.ts";
import { isMoving, stageChange } from "../../../src/ring/plan.ts";
import type { Ring } from "../../../src/ring/ring.ts";
import { digestText } from "../../../src/ring/ring-digest.ts";
import { FrameType, RingChangeKind } from "../../../src/wire/frame-types.ts";
import {
  FetchRingReply,
  FetchRingRequest,
  GetReply,
  GetRequest,
  PutReply,
  PutRequest,
} from "../../../src/wire/gen/codecs.ts";
import { encodeRing } from "../../../src/wire/ring-codec.ts";
import { expectGolden } from "../../support/golden.ts";
import { RingWorld } from "../../support/ring-world.ts";

const text = new TextEncoder();

test("three nodes become four: a join is staged, planned, committed and carried out", () => {
  const world = new RingWorld(1, 3);
  world.untilReady(0, 1, 2);
  world.add({ seedNodes: [world.address(0)] });
  expect(world.stageJoin(1)).toEqual({ code: null, message: "" });
  // The newcomer gets the ring with its next report, and is a member that owns nothing.
  world.untilReady(3);
  world.untilEpoch(2, 0, 1, 2, 3);
  expect(world.ring(3).member(world.node(3)?.shared.number as never)?.status).toBe("joining");
  expect(world.commit(2)).toEqual({ code: null, message: "" });
  world.untilEpoch(3, 0, 1, 2, 3);
  world.until("nothing moves any more", () => [0, 1, 2, 3].every((seat) => !isMoving(world.ring(seat))));
  expect(world.ring(0).member(4 as never)?.status).toBe("member");
  expect([...world.ring(0).owners].filter((owner) => owner === 4)).toHaveLength(2);
  const told = world.events(0, "ring", "node").map((text) => `node 1: ${text}`);
  const toldNew = world.events(3, "ring", "node").map((text) => `node 4: ${text}`);
  expectGolden(
    "cluster-join",
    ["A fourth node joins three: what the journals of nodes 1 and 4 say", ...told, ...toldNew].join("\n"),
  );
  const rings = [0, 1, 2, 3].map((seat) => world.node(seat)?.shared.ringHash);
  expect(new Set(rings.map((hash) => `${hash?.high}/${hash?.low}`)).size).toBe(1);
});

test("two operators commit at once: one plan is carried out, the other is told so", () => {
  const world = new RingWorld(2, 3);
  world.untilReady(0, 1, 2);
  world.changeLater(0, { kind: RingChangeKind.stageLeave, member: 3 });
  const second = world.change(1, { kind: RingChangeKind.stageLeave, member: 2 });
  world.untilEpoch(2, 0, 1, 2);
  world.world.runFor(3_000_000);
  const staged = [0, 1, 2].map((seat) => world.ring(seat).staged);
  expect(staged[0]).toHaveLength(1);
  expect(staged[1]).toEqual(staged[0]);
  expect(staged[2]).toEqual(staged[0]);
  expect(second.code).toBe(staged[0]?.[0]?.member === 2 ? null : "BASE_EPOCH_CHANGED");
});

test("a ring that was accepted, and whose proposer then died, is chosen by the others", () => {
  const world = new RingWorld(3, 3);
  world.untilReady(0, 1, 2);
  const before = world.drives[1]?.disk.stateFiles.get("ballot")?.length ?? 0;
  world.changeLater(0, { kind: RingChangeKind.stageLeave, member: 3 });
  // A vote with a ring in it is longer than a promise by hundreds of bytes.
  world.until("a node has accepted the ring", () => {
    const ballot = [1, 2].map((seat) => world.drives[seat]?.disk.stateFiles.get("ballot")?.length ?? 0);
    return Math.max(...ballot) > before + 200;
  });
  expect(world.epochs(0, 1, 2)).toEqual([1, 1, 1]);
  world.seat(0).kill(world.world.now);
  world.untilEpoch(2, 1, 2);
  expect(world.ring(1).staged).toHaveLength(1);
  world.seat(0).boot(world.world.now);
  world.untilReady(0);
  expect(world.epochs(0, 1, 2)).toEqual([2, 2, 2]);
});

test("a node that missed rings takes the newest before it serves", () => {
  const world = new RingWorld(4, 3);
  world.untilReady(0, 1, 2);
  world.seat(2).kill(world.world.now);
  expect(world.change(0, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe(null);
  expect(world.change(0, { kind: RingChangeKind.unstage, member: 2 }).code).toBe(null);
  world.untilEpoch(3, 0, 1);
  world.seat(2).boot(world.world.now);
  world.until("the node serves", () => {
    const ready = world.seat(2).ready;
    if (ready) expect(world.epochs(2)).toEqual([3]);
    return ready;
  });
});

test("a newer ring is not saved before what the last one has made of the node's replicas is", () => {
  const world = new RingWorld(12, 3);
  world.untilReady(0, 1, 2);
  const saves = world.node(2)?.shared.saves as StateSaves;
  const save = saves.save.bind(saves);
  const held: (() => void)[] = [];
  saves.save = (name, bytes, done) => {
    if (name === "transfers") held.push(() => save(name, bytes, done));
    else save(name, bytes, done);
  };
  expect(world.change(0, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe(null);
  world.untilEpoch(2, 0, 1, 2);
  expect(world.change(0, { kind: RingChangeKind.unstage, member: 2 }).code).toBe(null);
  world.untilEpoch(3, 0, 1);
  world.world.runFor(5_000_000);
  expect(held.length).toBe(1);
  expect(world.epochs(2)).toEqual([2]);
  saves.save = save;
  for (const one of held) one();
  world.untilEpoch(3, 2);
});

test("without a majority no ring changes, and the nodes go on", () => {
  const world = new RingWorld(5, 3);
  world.untilReady(0, 1, 2);
  world.seat(1).kill(world.world.now);
  world.seat(2).kill(world.world.now);
  expect(world.change(0, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe("QUORUM_NOT_MET");
  expect(world.seat(0).ready).toBe(true);
  expect(world.epochs(0)).toEqual([1]);
});

test("a majority lost for good is left behind by a recovery, and a node of it that returns is fenced", () => {
  const world = new RingWorld(6, 3);
  world.untilReady(0, 1, 2);
  world.seat(1).kill(world.world.now);
  world.seat(2).kill(world.world.now);
  world.world.runFor(5_000_000);
  expect(world.change(0, { kind: RingChangeKind.recover, lost: [2, 3] })).toEqual({ code: null, message: "" });
  expect(world.epochs(0)).toEqual([1 + (1 << 20)]);
  expect(world.ring(0).member(2 as never)?.status).toBe("left");
  world.seat(2).boot(world.world.now);
  world.until("the lost node is fenced", () => world.node(2)?.shared.phase === "fenced");
  const get = { bucket: text.encode("b"), key: text.encode("k") };
  const question = { type: FrameType.GET, codec: GetRequest, message: get, reply: GetReply };
  const refused = world.ask({ address: world.address(2), ...question });
  expect(refused.code).toBe("NODE_STOPPING");
  expect(refused.message).toContain("has left the cluster");
  expect(world.members(2).fenced).toContain("has left the cluster");
  // Clients that ask it learn the ring without it.
  const fetch = { type: FrameType.FETCH_RING, codec: FetchRingRequest, message: { epoch: 0 }, reply: FetchRingReply };
  expect(world.ask({ address: world.address(2), ...fetch }).reply?.ring?.epoch).toBe(1 + (1 << 20));
});

test("a zone that is lost whole is removed by one plan, and what its nodes held is held by the others", () => {
  const world = new RingWorld(11, 0);
  for (let seat = 0; seat < 6; seat += 1) {
    const start = seat === 0 ? { bootstrap: true, expect: 6, partitions: 16 } : { seedNodes: [world.address(0)] };
    world.add({ zone: `zone-${seat % 3}`, ...start });
  }
  world.untilReady(0, 1, 2, 3, 4, 5);
  const put = {
    bucket: text.encode("b"),
    key: text.encode("k"),
    value: text.encode("v"),
    requestId: new Uint8Array(16).fill(1),
  };
  const write = { type: FrameType.PUT, codec: PutRequest, message: put, reply: PutReply };
  expect(world.ask({ address: world.address(0), ...write }).code).toBe(null);
  world.world.runFor(1_000_000);
  for (const seat of [2, 5]) world.seat(seat).kill(world.world.now);
  for (const member of [3, 6])
    expect(world.change(0, { kind: RingChangeKind.stageRemove, member })).toEqual({ code: null, message: "" });
  expect(world.commit(0)).toEqual({ code: null, message: "" });
  const left = [0, 1, 3, 4];
  world.until("nothing moves any more", () => left.every((seat) => !isMoving(world.ring(seat))));
  expect([3, 6].map((number) => world.ring(0).member(number as never)?.status)).toEqual(["left", "left"]);
  const get = { bucket: text.encode("b"), key: text.encode("k"), r: 3 };
  const read = { type: FrameType.GET, codec: GetRequest, message: get, reply: GetReply };
  for (const seat of left) {
    const { reply } = world.ask({ address: world.address(seat), ...read });
    expect(reply?.record.length).toBeGreaterThan(0);
  }
});

test("a second bootstrap is another cluster: neither lets the other's node in", () => {
  const world = new RingWorld(7, 2);
  world.untilReady(0, 1);
  world.add({ bootstrap: true, expect: 1, seedNodes: [world.address(0)], n: 1, r: 1, w: 1 });
  world.untilReady(2);
  world.world.runFor(3_000_000);
  expect(world.ring(2).clusterId).not.toBe(world.ring(0).clusterId);
  expect(world.members(0).members).toHaveLength(2);
  expect(world.members(0).waiting).toHaveLength(0);
  expect(world.members(2).members).toHaveLength(1);
});

test("a killed node is held for dead and its return is seen; one that stops cleanly says so", () => {
  const world = new RingWorld(8, 3);
  world.untilReady(0, 1, 2);
  world.world.runFor(2_000_000);
  expect(world.stateOf(0, 3)).toBe("alive");
  world.seat(2).kill(world.world.now);
  world.until("node 3 is dead", () => world.node(0)?.shared.isDead(3 as never) === true, 15_000_000);
  expect(world.stateOf(1, 3)).not.toBe("alive");
  world.seat(2).boot(world.world.now);
  world.until("node 3 is back", () => world.node(0)?.shared.isReachable(3 as never) === true, 15_000_000);
  world.world.runFor(1_000_000);
  world.seat(2).stop(world.world.now);
  world.until("node 3 has left", () => !world.seat(2).alive, 10_000_000);
  expect(world.stateOf(0, 3)).toBe("left");
  expect(world.ring(0).member(3 as never)?.status).toBe("member");
});

test("a node whose join is unstaged is fenced, and its directory does not come back", () => {
  const world = new RingWorld(9, 3);
  world.untilReady(0, 1, 2);
  world.add({ seedNodes: [world.address(0)] });
  world.stageJoin(0);
  world.untilReady(3);
  expect(world.change(1, { kind: RingChangeKind.unstage, member: 4 }).code).toBe(null);
  world.until("node 4 is fenced", () => world.node(3)?.shared.phase === "fenced");
  expect(world.epochs(0, 1, 2)).toEqual([3, 3, 3]);
  world.seat(3).kill(world.world.now);
  world.seat(3).boot(world.world.now);
  const [death] = world.world.deaths;
  expect(death?.reason).toContain("has left its cluster");
});

/** Node 3 comes back with another ring of epoch 2 than the one that nodes 1 and 2 have chosen meanwhile. */
function conflicting(seed: number): RingWorld {
  const world = new RingWorld(seed, 3);
  world.untilReady(0, 1, 2);
  const first: Ring = world.ring(2);
  world.seat(2).kill(world.world.now);
  expect(world.change(0, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe(null);
  const other = stageChange(first, { kind: "leave", member: 3 as never });
  world.drives[2]?.disk.stateFiles.set("ring", ringBytes(encodeRing(other)));
  world.seat(2).boot(world.world.now);
  const sees = (seat: number): boolean =>
    world
      .node(seat)
      ?.shared.journal.after(0, 0)
      .some(({ text }) => text.includes("both vote no more")) === true;
  world.until("all have seen the conflict", () => [0, 1, 2].every(sees));
  return world;
}

test("of two rings of one epoch an operator names one: those who hold it vote again, and the other takes the next", () => {
  const world = conflicting(13);
  const leave = { kind: RingChangeKind.stageLeave, member: 1 };
  for (const seat of [0, 1, 2]) expect(world.change(seat, leave).code).not.toBe(null);
  expect(world.epochs(0, 1, 2)).toEqual([2, 2, 2]);
  const digest = digestText(world.node(0)?.shared.ringHash as never);
  const accept = { kind: RingChangeKind.acceptRing, digest };
  // Asked of all, as the command line does: node 3 holds another ring and says so.
  expect([0, 1, 2].map((seat) => world.change(seat, accept).code)).toEqual([null, null, "INVALID_ARGUMENT"]);
  expect(world.change(1, { kind: RingChangeKind.unstage, member: 2 }).code).toBe(null);
  world.untilEpoch(3, 0, 1, 2);
  expect(world.ring(2).staged).toEqual([]);
  // Node 3 is one of them again: with node 1 away it makes the majority.
  world.seat(0).kill(world.world.now);
  expect(world.change(1, { kind: RingChangeKind.stageLeave, member: 3 }).code).toBe(null);
  world.untilEpoch(4, 1, 2);
  const hashes = [1, 2].map((seat) => digestText(world.node(seat)?.shared.ringHash as never));
  expect(hashes[0]).toBe(hashes[1]);
});

test("a node that has lost its votes' file votes no more", () => {
  const world = new RingWorld(10, 3);
  world.untilReady(0, 1, 2);
  world.seat(2).kill(world.world.now);
  world.drives[2]?.disk.stateFiles.delete("ballot");
  world.seat(2).boot(world.world.now);
  world.untilReady(2);
  expect(world.events(2, "ring").join()).toContain("votes of this node were lost");
  expect(world.change(2, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe("STORAGE_FAILED");
  expect(world.change(0, { kind: RingChangeKind.stageLeave, member: 2 }).code).toBe(null);
});

test("a member that stopped cleanly and does not come back can be removed", () => {
  const world = new RingWorld(11, 5);
  world.untilReady(0, 1, 2, 3, 4);
  world.world.runFor(2_000_000);
  world.seat(4).stop(world.world.now);
  world.until("node 5 has stopped", () => !world.seat(4).alive, 10_000_000);
  expect(world.stateOf(0, 5)).toBe("left");
  expect(world.change(0, { kind: RingChangeKind.stageRemove, member: 5 }).code).toBe(null);
  expect(world.commit(0).code).toBe(null);
  // It may be a restart: what it holds is not given up at once.
  world.world.runFor(10_000_000);
  expect(isMoving(world.ring(0))).toBe(true);
  world.until("the others own all of it", () => world.ring(0).member(5 as never)?.status === "left", 120_000_000);
});

test("hints for a member that is being replaced go to the newcomer, whoever is back first", () => {
  const world = new RingWorld(12, 0);
  world.add({ bootstrap: true, expect: 3, partitions: 8, n: 1, r: 1, w: 1 });
  for (let seat = 1; seat < 3; seat += 1) world.add({ seedNodes: [world.address(0)] });
  world.untilReady(0, 1, 2);
  world.add({ seedNodes: [world.address(0)] });
  expect(world.stageJoin(0).code).toBe(null);
  world.untilReady(3);
  world.seat(2).kill(world.world.now);
  world.until("node 3 is dead", () => world.node(0)?.shared.isDead(3 as never) === true);
  const keys = Array.from({ length: 32 }, (_, i) => text.encode(`k${i}`));
  const common = { bucket: text.encode("b") };
  for (const [i, key] of keys.entries()) {
    const message = { ...common, key, value: key, requestId: new Uint8Array(16).fill(i + 1) };
    const question = { type: FrameType.PUT, codec: PutRequest, message, reply: PutReply };
    expect(world.ask({ address: world.address(0), ...question }).code).toBe(null);
  }
  const hintsFor = (number: number): number =>
    [0, 1].reduce((sum, seat) => sum + (world.node(seat)?.store?.hints.countOf(number) ?? 0), 0);
  expect(hintsFor(3)).toBeGreaterThan(0);
  // The plan is under way, and the newcomer is not there; then the member that it is to replace comes back.
  expect(world.commit(0).code).toBe(null);
  world.untilEpoch(3, 0, 1);
  world.seat(3).kill(world.world.now);
  expect(
    world
      .ring(0)
      .transfers()
      .some(({ replaced }) => replaced === 3),
  ).toBe(true);
  world.seat(2).boot(world.world.now);
  world.until("no hint waits for node 3", () => hintsFor(3) === 0);
  expect(hintsFor(4)).toBeGreaterThan(0);
  world.seat(3).boot(world.world.now);
  world.until("the newcomer is a member", () => world.ring(0).member(4 as never)?.status === "member");
  world.until("all hints are home", () => hintsFor(4) === 0);
  for (const key of keys) {
    const question = { type: FrameType.GET, codec: GetRequest, message: { ...common, key }, reply: GetReply };
    const { code, reply } = world.ask({ address: world.address(1), ...question });
    expect(code).toBe(null);
    expect(reply?.record.length).toBeGreaterThan(0);
  }
});
