/** Stories of directories that are copied, lost or put back, on whole nodes in the simulator. */
import { afterEach, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { configOf } from "../../../src/node/config.ts";
import { Node } from "../../../src/node/node.ts";
import { SimDrive } from "../../../src/sim/drive.ts";
import type { SimNode } from "../../../src/sim/process.ts";
import { FrameType, RingChangeKind } from "../../../src/wire/frame-types.ts";
import { GetReply, GetRequest, PutReply, PutRequest } from "../../../src/wire/gen/codecs.ts";
import { RingWorld } from "../../support/ring-world.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const bucket = bytes("b");
const keyCount = 12;

afterEach(() => enableCanaries([]));

/** Three nodes that know each other. */
function worldOf(seed: number): RingWorld {
  const world = new RingWorld(seed, 3);
  world.untilReady(0, 1, 2);
  world.world.runFor(2_000_000);
  return world;
}

/** Puts every key, and lets the nodes tell each other how far their stores have come. */
function putAll(world: RingWorld, value: string): void {
  for (let i = 0; i < keyCount; i += 1) {
    const requestId = bytes(`${value}/${i}`.padEnd(16, "."));
    const message = { bucket, key: bytes(`k${i}`), value: bytes(value), requestId };
    const question = { type: FrameType.PUT, codec: PutRequest, message, reply: PutReply };
    expect(world.ask({ address: world.address(0), ...question }).code).toBe(null);
  }
  world.world.runFor(4_000_000);
}

function expectAllThere(world: RingWorld, seat: number): void {
  for (let i = 0; i < keyCount; i += 1) {
    const message = { bucket, key: bytes(`k${i}`) };
    const question = { type: FrameType.GET, codec: GetRequest, message, reply: GetReply };
    const { code, reply } = world.ask({ address: world.address(seat), ...question });
    expect(code).toBe(null);
    expect(reply?.record.length).toBeGreaterThan(0);
  }
}

const diskOf = (world: RingWorld, seat: number): SimDrive["disk"] => (world.drives[seat] as SimDrive).disk;
const fencedBy = (node: SimNode): string => (node.process as Node | undefined)?.shared.fencedBy ?? "";

/** Kills the third node and starts it with its disk as it was before the last puts. */
function rollBack(world: RingWorld): void {
  putAll(world, "old");
  const image = diskOf(world, 2).image();
  putAll(world, "new");
  world.seat(2).kill(world.world.now);
  diskOf(world, 2).putBack(image);
  world.seat(2).boot(world.world.now);
}

test("a directory from the past is refused, before it serves; its node comes back with an empty one, at its address", () => {
  const world = worldOf(21);
  rollBack(world);
  world.until("the node refuses", () => {
    expect(world.seat(2).ready).toBe(false);
    return fencedBy(world.seat(2)) !== "";
  });
  expect(fencedBy(world.seat(2))).toMatch(/^this directory is from the past: node-\d has seen its store further on/);

  world.seat(2).kill(world.world.now);
  diskOf(world, 2).wipe();
  world.seat(2).boot(world.world.now);
  expect(world.stageJoin(0).code).toBe(null);
  world.untilReady(2);
  expect(world.node(2)?.shared.number).toBe(4);
  expect(world.change(0, { kind: RingChangeKind.stageReplace, member: 3, by: 4 }).code).toBe(null);
  expect(world.commit(0).code).toBe(null);
  world.until("the new node has taken the old one's place", () => {
    const ring = world.ring(0);
    return ring.member(3 as never)?.status === "left" && ring.member(4 as never)?.status === "member";
  });
  expectAllThere(world, 2);
});

test("without that check a directory from the past serves", () => {
  enableCanaries(["trust-any-directory"]);
  const world = worldOf(21);
  rollBack(world);
  world.untilReady(2);
});

test("what a power cut has taken is no directory from the past, nor is it after the next start", () => {
  const world = worldOf(22);
  putAll(world, "kept");
  const image = diskOf(world, 2).image();
  putAll(world, "not synced");
  world.seat(2).powerCut(world.world.now);
  diskOf(world, 2).putBack(image);
  world.seat(2).boot(world.world.now);
  world.untilReady(2);
  expect(world.node(2)?.shared.losses).toBe(1);
  world.seat(2).kill(world.world.now);
  world.seat(2).boot(world.world.now);
  world.untilReady(2);
  expectAllThere(world, 2);
});

/** A second process with a copy of the third node's directory, on another machine; it is told to bear this address. */
function copy(world: RingWorld, advertise: string): SimNode {
  const listen = "127.0.1.3:7401";
  const config = configOf({
    name: "node-3",
    listen,
    advertise,
    host: "host-3",
    seedNodes: [world.address(0)],
  });
  const drive = new SimDrive(world.world.rng.fork("copy"));
  drive.disk.putBack(diskOf(world, 2).image());
  const twin = world.world.addStranger(listen, drive, (env) => new Node(env, config));
  twin.boot(world.world.now);
  return twin;
}

test("a copied directory that is told the address of the first: both refuse until somebody chooses", () => {
  const world = worldOf(23);
  putAll(world, "value");
  const twin = copy(world, world.address(2));
  world.until("both refuse", () => fencedBy(twin) !== "" && fencedBy(world.seat(2)) !== "", 10_000_000);
  for (const node of [twin, world.seat(2)]) expect(fencedBy(node)).toContain("one directory was copied");
  expectAllThere(world, 0);

  twin.kill(world.world.now);
  world.seat(2).stop(world.world.now);
  world.until("the node has stopped", () => !world.seat(2).alive);
  world.seat(2).boot(world.world.now);
  world.untilReady(2);
  world.until("it is alive to the others", () => world.stateOf(0, 3) === "alive");
  expectAllThere(world, 2);
});

test("without that check both go on", () => {
  enableCanaries(["ignore-twin"]);
  const world = worldOf(23);
  const twin = copy(world, world.address(2));
  world.world.runFor(10_000_000);
  expect([fencedBy(twin), fencedBy(world.seat(2))]).toEqual(["", ""]);
});

test("a copied directory that is told an address of its own does not start", () => {
  const world = worldOf(24);
  const twin = copy(world, "127.0.1.3:7401");
  expect(twin.alive).toBe(false);
  expect(world.world.deaths[0]?.reason).toContain("start it with the address it was created with");
});
