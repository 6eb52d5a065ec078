/**
 * Stories of data that moves in the background, in whole simulated clusters: replicas become equal without a read, an
 * emptied store is refilled before it counts, and a node joins under load without a write getting lost.
 */
import { describe, expect, it } from "vitest";
import { ReadRule } from "../../../src/handoff/transfer.ts";
import { planChange } from "../../../src/ring/plan.ts";
import type { Ring } from "../../../src/ring/ring.ts";
import type { SimDrive } from "../../../src/sim/drive.ts";
import { FrameType, RingChangeKind } from "../../../src/wire/frame-types.ts";
import {
  HintStatusReply,
  HintStatusRequest,
  MembersReply,
  MembersRequest,
  RepairPreviewReply,
  RepairPreviewRequest,
  RepairStatusReply,
  RepairStatusRequest,
  RingChangeReply,
  RingChangeRequest,
  TransferStatusReply,
  TransferStatusRequest,
} from "../../../src/wire/gen/codecs.ts";
import { shortsToBytes } from "../../../src/wire/ring-codec.ts";
import { DataStory } from "../../support/data-story.ts";

const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${i}`);

function unsynced(story: DataStory, seat: number): number {
  const { ring, shared } = story.node(seat);
  let count = 0;
  for (const n of ring?.listSizes ?? []) {
    for (let p = 0; p < (ring?.partitions ?? 0); p += 1) {
      if (shared.readRule(p as never, n) === ReadRule.notSynced) count += 1;
    }
  }
  return count;
}

describe("an emptied store", () => {
  it("is refilled by its peers, and counts towards no read until then", () => {
    const story = new DataStory({});
    expect(story.cluster.awaitReady()).toBe(true);
    expect(story.write(0, 40, 100)).toBe(40);
    expect(story.untilSeen(30_000_000, () => story.repaired)).toBe(true);
    const { world, drives } = story.cluster;
    const node = world.nodes[1];
    node?.kill(world.now);
    drives[1]?.disk.loseStore();
    node?.boot(world.now);
    expect(story.until(10_000_000, () => node?.ready === true)).toBe(true);
    expect(unsynced(story, 1)).toBe(16);
    // Two of three have the record, and the third must not make one of them superfluous.
    expect(story.read(keys(40), 2)).toEqual({ ok: 40, missing: [] });
    expect(story.untilSeen(60_000_000, () => unsynced(story, 1) === 0)).toBe(true);
    expect(story.read(keys(40), 3)).toEqual({ ok: 40, missing: [] });
    story.pass(3_000_000);
    expect(story.repaired).toBe(true);
    expect(story.wrongTrees()).toEqual([]);
  });

  it("is one whose directory kept the word that it was complete", () => {
    const story = new DataStory({});
    expect(story.cluster.awaitReady()).toBe(true);
    story.write(0, 5, 100);
    story.pass(2_000_000);
    const node = story.cluster.world.nodes[1];
    node?.kill(story.cluster.world.now);
    node?.boot(story.cluster.world.now);
    expect(story.until(10_000_000, () => node?.ready === true)).toBe(true);
    // kill -9 loses nothing that reached the system.
    expect(unsynced(story, 1)).toBe(0);
  });
});

describe("a write-ahead log that has lost a segment", () => {
  it("is told from a whole one, and its node counts towards no read until it has compared itself", () => {
    for (const lost of [0, 1]) {
      const story = new DataStory({ logSegmentKiB: 1 });
      expect(story.cluster.awaitReady()).toBe(true);
      const { world, drives } = story.cluster;
      const [, node] = world.nodes;
      const drive = drives[1] as SimDrive;
      const { segments } = drive.disk;
      // The engine's syncs take long, so that what was written is in the log alone.
      drive.slow(1_000);
      expect(story.write(0, 40, 100)).toBe(40);
      node?.kill(world.now);
      drive.slow(0);
      expect(segments.size).toBeGreaterThan(3);
      segments.delete([...segments.keys()][lost] as number);
      node?.boot(world.now);
      expect(story.until(10_000_000, () => node?.ready === true)).toBe(true);
      expect(unsynced(story, 1)).toBe(16);
      expect(story.read(keys(40), 2)).toEqual({ ok: 40, missing: [] });
      expect(story.untilSeen(60_000_000, () => unsynced(story, 1) === 0)).toBe(true);
      expect(story.read(keys(40), 3)).toEqual({ ok: 40, missing: [] });
    }
  });
});

describe("anti-entropy", () => {
  it("makes replicas equal that a split kept apart, and tells how far it is", () => {
    const story = new DataStory({});
    expect(story.cluster.awaitReady()).toBe(true);
    const { network } = story.cluster.world;
    for (const other of [0, 1]) {
      network.block(2, other);
      network.block(other, 2);
    }
    story.pass(1_000_000);
    expect(story.write(0, 30, 500)).toBeGreaterThan(0);
    expect(story.repaired).toBe(false);
    network.heal();
    expect(story.untilSeen(60_000_000, () => story.repaired)).toBe(true);
    const status = (hurry: boolean): RepairStatusReply =>
      story.ask(0, FrameType.REPAIR_STATUS, RepairStatusRequest, { hurry }, RepairStatusReply);
    const asked = status(true);
    expect(asked.pairs).toBe(2 * 16);
    expect(story.untilSeen(60_000_000, () => status(false).verifiedUs >= asked.nowUs)).toBe(true);
    const reply = story.ask(0, FrameType.HINT_STATUS, HintStatusRequest, {}, HintStatusReply);
    expect(reply.rows.reduce((sum, row) => sum + row.count, 0)).toBe(0);
  });

  it("shows in a preview what differs, and moves nothing", () => {
    const story = new DataStory({ repairPassMs: 600_000 });
    expect(story.cluster.awaitReady()).toBe(true);
    expect(story.write(0, 20, 500)).toBe(20);
    story.pass(2_000_000);
    const { world, drives } = story.cluster;
    world.nodes[2]?.kill(world.now);
    drives[2]?.disk.loseStore();
    // The first node's partition is compared before the emptied one has regained anything.
    world.nodes[2]?.boot(world.now);
    expect(story.until(10_000_000, () => world.nodes[2]?.ready === true)).toBe(true);
    const body = { partition: story.cluster.partitionOf("key-3"), keysMax: 100 };
    const reply = story.ask(0, FrameType.REPAIR_PREVIEW, RepairPreviewRequest, body, RepairPreviewReply);
    expect(reply.peers.map(({ peer, status, refused }) => ({ peer, status, refused }))).toEqual([
      { peer: 2, status: 0, refused: false },
      { peer: 3, status: 0, refused: false },
    ]);
    expect(reply.peers[0]?.keys).toBe(0);
  });
});

describe("a join under load", () => {
  it("moves partitions to the newcomer; every acknowledged write stays readable, old copies are cleaned up", () => {
    const story = new DataStory({ nodes: 4, joiners: 1 });
    const { world } = story.cluster;
    expect(story.until(60_000_000, () => [0, 1, 2].every((seat) => world.nodes[seat]?.ready === true))).toBe(true);
    expect(story.write(0, 40, 1_000)).toBe(40);
    world.nodes[3]?.boot(world.now);

    const members = (): MembersReply => story.ask(0, FrameType.MEMBERS, MembersRequest, {}, MembersReply);
    expect(story.until(20_000_000, () => story.node(0).ring !== undefined)).toBe(true);
    for (let i = 0; i < 20 && members().waiting.length === 0; i += 1) story.pass(500_000);
    const [newcomer] = members().waiting;
    expect(newcomer?.address).toBe(world.nodes[3]?.address);
    const change = (body: Partial<RingChangeRequest>): void => {
      story.ask(0, FrameType.RING_CHANGE, RingChangeRequest, body, RingChangeReply);
    };
    change({ kind: RingChangeKind.stageJoin, newcomer: newcomer as never });
    expect(story.until(20_000_000, () => world.nodes[3]?.ready === true)).toBe(true);
    const plan = planChange(story.node(0).ring as Ring);
    change({ kind: RingChangeKind.commit, plan: plan.id, goal: shortsToBytes(plan.goal) });
    const before = story.node(0).ring as Ring;
    expect(before.transfers().length).toBeGreaterThan(0);

    let written = 40;
    let listed = 0;
    let rounds = 0;
    const done = (): boolean => {
      const ring = story.node(0).ring as Ring;
      return ring.active.length === 0 && ring.members.every(({ status }) => status === "member");
    };
    for (; rounds < 120 && !done(); rounds += 1) {
      const { rows } = story.ask(3, FrameType.TRANSFER_STATUS, TransferStatusRequest, {}, TransferStatusReply);
      listed = Math.max(listed, rows.length);
      expect(story.write(written, 5, 1_000)).toBe(5);
      written += 5;
      expect(story.read(keys(written), 2)).toEqual({ ok: written, missing: [] });
      story.pass(500_000);
    }
    expect(done()).toBe(true);
    expect(listed).toBeGreaterThan(0);

    expect(unsynced(story, 3)).toBe(0);
    expect(story.read(keys(written), 3)).toEqual({ ok: written, missing: [] });
    const ring = story.node(0).ring as Ring;
    expect([...ring.owners].filter((owner) => owner === 4).length).toBeGreaterThan(0);
    // Nobody but the owners holds a record when the copies given up are cleaned up.
    const strays = (): number => {
      const audit = story.audit();
      const found = keys(written).flatMap((key) => {
        const owners = audit.owners(key);
        return audit.disks.filter((disk, seat) => disk.has(key) && !owners.includes(seat));
      });
      return found.length;
    };
    for (let i = 0; i < 60 && strays() > 0; i += 1) story.pass(1_000_000);
    expect(strays()).toBe(0);
    expect(story.untilSeen(60_000_000, () => story.repaired)).toBe(true);
    story.pass(3_000_000);
    expect(story.wrongTrees()).toEqual([]);
  }, 60_000);
});
