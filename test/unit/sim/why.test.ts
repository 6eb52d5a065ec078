/**
 * Why something was slow, in whole simulated clusters: one cause at a time is injected at the second of three nodes, and
 * what `ringtail why` makes of the nodes' answers ranks just that cause first, at that node.
 */
import { describe, expect, it } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { type DurationUs, instant } from "../../../src/base/time.ts";
import { explainTail, type Tail } from "../../../src/lab/why.ts";
import { PauseKind } from "../../../src/metrics/pauses.ts";
import { noContext } from "../../../src/sim/client-call.ts";
import type { SimNode } from "../../../src/sim/process.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { TopKeysReply, TopKeysRequest, WhyReply, WhyRequest } from "../../../src/wire/gen/codecs.ts";
import { DataStory } from "../../support/data-story.ts";

const victim = 1;
const everyUs = 20_000;

function ready(plan: ConstructorParameters<typeof DataStory>[0]): DataStory {
  const story = new DataStory(plan);
  expect(story.cluster.awaitReady()).toBe(true);
  story.pass(1_000_000);
  return story;
}

function put(story: DataStory, key: string, node: number, hasToEnd: boolean = true, durability: number = 0): void {
  const wish = { kind: "put" as const, key, value: 1, padding: 100, context: noContext, node, durability };
  story.client.write(wish, (_now, { outcome }) => {
    if (hasToEnd) expect(outcome).toBe("ok");
  });
}

/** A put and a get to each node in turn, keys of their own, every 20 ms. */
function load(story: DataStory, name: string, count: number, each: (i: number) => void = () => {}): void {
  for (let i = 0; i < count; i += 1) {
    put(story, `${name}-${i}`, i % 3);
    story.client.read({ keys: [`${name}-${i - 3}`], node: i % 3 }, (_now, { outcome }) => expect(outcome).toBe("ok"));
    each(i);
    story.pass(everyUs);
  }
  expect(story.until(5_000_000, () => story.client.open === 0)).toBe(true);
}

function tailOf(story: DataStory, seconds: number): Tail {
  const message = { seconds, bucket: new Uint8Array(0) };
  const replies = [0, 1, 2].map((seat) => story.ask(seat, FrameType.WHY, WhyRequest, message, WhyReply));
  expect(replies.some((reply) => reply.ops.length > 0)).toBe(true);
  return explainTail(replies);
}

function first(tail: Tail): { readonly cause: string; readonly node: number } {
  const share = tail.shares[0];
  return { cause: share?.cause ?? "", node: share?.where[0]?.node ?? 0 };
}

function pauses(
  story: DataStory,
  lengthUs: DurationUs,
  after: (node: SimNode, from: number) => void,
): (i: number) => void {
  const { world } = story.cluster;
  const node = world.nodes[victim] as SimNode;
  return (i) => {
    if (i % 25 !== 0) return;
    const from = world.now;
    node.pause(from);
    world.scheduler.in(lengthUs, (now) => {
      node.resume(now);
      after(node, from);
    });
  };
}

describe("one cause at a time, the one that is ranked first", () => {
  it("disk: the syncs of one node are slow", () => {
    const story = ready({ durability: Durability.oneDurable });
    story.cluster.drives[victim]?.slow(50);
    load(story, "disk", 200);
    expect(first(tailOf(story, 4))).toEqual({ cause: "disk", node: 2 });
  });

  it("loop: one process stands still for 60 ms, again and again", () => {
    const story = ready({});
    load(
      story,
      "loop",
      200,
      pauses(story, 60_000, () => {}),
    );
    expect(first(tailOf(story, 4))).toEqual({ cause: "loop", node: 2 });
  });

  it("gc: it stands still just as long, and the collector is told to have done it, afterwards", () => {
    const story = ready({});
    const collected = (node: SimNode, from: number): void =>
      node.pauses.note(PauseKind.gc, instant(from), instant(from + 55_000));
    load(story, "gc", 200, pauses(story, 60_000, collected));
    expect(first(tailOf(story, 4))).toEqual({ cause: "gc", node: 2 });
  });

  it("link: both ways between one node and the others are slow", () => {
    const story = ready({});
    const { network } = story.cluster.world;
    for (const other of [0, 2]) {
      network.slow(victim, other, 100);
      network.slow(other, victim, 100);
    }
    load(story, "link", 200);
    const tail = tailOf(story, 4);
    expect(tail.shares[0]?.cause).toBe("link");
    // Whoever else coordinates has a fast way to the third.
    expect(tail.slowest[0]?.coordinator).toBe(2);
  });

  it("hot-key: many puts of one key at once", () => {
    const story = ready({ turnUs: 2_000, bufferKiB: 4 });
    for (let round = 0; round < 8; round += 1) {
      // Of two durabilities in turn: puts of one share a write, and nothing is slow.
      for (let i = 0; i < 30; i += 1) put(story, `hot-${round}`, victim, true, 1 + (i % 2));
      story.pass(300_000);
    }
    expect(first(tailOf(story, 3))).toEqual({ cause: "hot-key", node: 2 });
  });

  it("hot-key: turns that are spent on one key, where no put has to wait for another", () => {
    const causeOf = (keyOf: (round: number, i: number) => string): string => {
      const story = ready({});
      (story.cluster.world.nodes[victim] as SimNode).turnLeastUs = 20_000;
      for (let round = 0; round < 8; round += 1) {
        for (let i = 0; i < 30; i += 1) put(story, keyOf(round, i), victim);
        story.pass(300_000);
      }
      return first(tailOf(story, 3)).cause;
    };
    expect(causeOf((round) => `hot-${round}`)).toBe("hot-key");
    expect(causeOf((round, i) => `cold-${round}-${i}`)).not.toBe("hot-key");
  });

  it("peer: an owner is silent, and a put waits until a fallback is asked in its place", () => {
    const story = ready({ nodes: 4, w: 3, joiners: 0 });
    const { world } = story.cluster;
    world.nodes[victim]?.pause(world.now);
    for (let i = 0; i < 8; i += 1) put(story, `silent-${i}`, i % 2 === 0 ? 0 : 2, false);
    expect(story.until(20_000_000, () => story.client.open === 0)).toBe(true);
    world.nodes[victim]?.resume(world.now);
    story.pass(500_000);
    expect(first(tailOf(story, 30)).cause).toBe("peer");
  });
});

describe("the hottest keys", () => {
  it("are those that are asked for the most, told by each node of what it coordinates", () => {
    const story = ready({});
    load(story, "cold", 100, (i) => {
      for (let n = 0; n < 3; n += 1) story.client.read({ keys: ["hot"], node: i % 2 }, () => {});
    });
    const told = [0, 1, 2].map((seat) => story.ask(seat, FrameType.TOP_KEYS, TopKeysRequest, {}, TopKeysReply));
    const hottest = told.map(({ gets }) => new TextDecoder().decode(gets[0]?.fullKey ?? new Uint8Array(0)));
    expect(hottest.map((key) => key.endsWith("hot"))).toEqual([true, true, false]);
    // Three of four gets in two seconds of 50 times three.
    expect(told[0]?.gets[0]?.perSecond).toBeGreaterThan(60);
    expect(told[0]?.gets[0]?.perSecond).toBeLessThan(90);
    expect(told[0]?.getsPerSecond).toBeGreaterThan(told[0]?.gets[0]?.perSecond ?? 0);
  });
});
