/**
 * Overload in the simulated world: nodes whose turns are long, and more requests than they can begin. What is answered is
 * no less than without the surplus, nobody waits for long, a modest client is served beside one that floods, and gets that
 * share a read never miss what was acknowledged before they came.
 */
import { afterEach, describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Durability } from "../../../src/base/durability.ts";
import { type DurationUs, instant } from "../../../src/base/time.ts";
import type { SimClient } from "../../../src/sim/client.ts";
import { Cluster } from "../../../src/sim/cluster.ts";
import type { Fault } from "../../../src/sim/fault.ts";
import type { Operation } from "../../../src/sim/history.ts";
import { checkQueues } from "../../../src/sim/invariants/queues-bounded.ts";
import { planOf, runSeed } from "../../../src/sim/run.ts";
import type { Violation } from "../../../src/sim/violation.ts";

afterEach(() => enableCanaries([]));

const network = {
  delayMinUs: 100,
  delayJitterUs: 100,
  windowBytes: 262_144,
  fragmentPerMille: 0,
  holdPerMille: 0,
  dawdlePerMille: 0,
};
const turnUs = 4_000;

/** Three nodes, each with turns of 4 ms from now on. */
class Story {
  readonly cluster: Cluster;
  readonly violations: Violation[] = [];

  constructor() {
    const shape = { nodes: 3, joiners: 0, n: 3, r: 2, w: 2, partitions: 8, durability: Durability.memory };
    const plan = { ...shape, network, turnUs: 0, bufferKiB: 256, deadlineUs: 400_000, attemptUs: 400_000 };
    this.cluster = new Cluster(planOf({ seed: 1, plan }), false);
    this.cluster.boot();
    expect(this.cluster.awaitReady()).toBe(true);
  }

  newClient(): SimClient {
    const client = this.cluster.addClient(undefined, true);
    client.fetchRing();
    expect(
      this.cluster.world.runUntil(instant(this.cluster.world.now + 5_000_000), () => client.ring !== undefined),
    ).toBe(true);
    return client;
  }

  busy(): void {
    for (const node of this.cluster.world.nodes) node.turnLeastUs = turnUs;
  }

  /** So many gets a millisecond from one client, each at a node in turn, for a time; returns how many were answered in it. */
  hammer(client: SimClient, perMs: number, lasts: DurationUs, keyOf: (i: number) => string): number {
    const { world, history } = this.cluster;
    const start = world.now;
    for (let i = 0; world.now < start + lasts; i += 1) {
      client.read({ keys: [keyOf(i)], node: i % 3 }, () => {});
      if (i % perMs !== perMs - 1) continue;
      world.runFor(1_000);
      checkQueues(this.cluster, (violation) => this.violations.push(violation));
    }
    expect(world.deaths).toEqual([]);
    return history.operations.filter(({ outcome, end }) => outcome === "ok" && end >= start).length;
  }

  counter(name: string): number {
    const of = (seat: number): number => {
      const counters = this.cluster.nodeAt(seat)?.shared.metrics.counters ?? [];
      return counters.find((counter) => counter.name === name)?.value ?? 0;
    };
    return of(0) + of(1) + of(2);
  }
}

const keyOf = (i: number): string => `key-${i % 50}-${i % 7}`;

/** What three busy nodes answer in a fifth of a second when so much is asked of them, once they know it. */
function goodput(perMs: number): { readonly answered: number; readonly story: Story } {
  const story = new Story();
  const client = story.newClient();
  story.busy();
  story.hammer(client, perMs, 200_000, keyOf);
  const answered = story.hammer(client, perMs, 200_000, keyOf);
  return { answered, story };
}

describe("more comes than can be done", () => {
  test("as much is answered as without the surplus, and the rest is refused", () => {
    const most = goodput(12);
    const fourTimes = goodput(48);
    expect(most.answered).toBeGreaterThan(2_000);
    expect(fourTimes.answered).toBeGreaterThan(0.95 * most.answered);
    expect(fourTimes.story.counter("requests_refused")).toBeGreaterThan(100);
    expect(fourTimes.story.violations).toEqual([]);
  });

  test("a line without end is found by the run's own check", () => {
    enableCanaries(["line-without-end"]);
    const found = goodput(48).story.violations.map(({ invariant }) => invariant);
    expect(new Set(found)).toEqual(new Set(["queues-bounded"]));
  });
});

/** A client that asks for little beside one that floods: how many of its gets took longer than so, or failed. */
function beside(): { readonly asked: number; readonly slow: number } {
  const story = new Story();
  const flood = story.newClient();
  const modest = story.newClient();
  story.busy();
  const mine: Operation[] = [];
  const ask = (i: number): void => {
    modest.read({ keys: [keyOf(i)], node: i % 3 }, (_now, operation) => {
      mine.push(operation);
      if (i < 20) ask(i + 1);
    });
  };
  story.hammer(flood, 40, 150_000, keyOf);
  ask(0);
  story.hammer(flood, 40, 300_000, keyOf);
  const slow = mine.filter((one) => one.outcome !== "ok" || one.attempts > 1);
  return { asked: mine.length, slow: slow.length };
}

describe("a modest client beside one that floods", () => {
  test("is not refused once", () => {
    const { asked, slow } = beside();
    expect(asked).toBe(21);
    expect(slow).toBe(0);
  });

  test("would be, did clients not take turns", () => {
    enableCanaries(["no-turns-among-clients"]);
    const { asked, slow } = beside();
    expect(asked < 21 || slow > 0).toBe(true);
  });
});

test("a hot key is read once for all gets that stand in line for it", () => {
  const story = new Story();
  const client = story.newClient();
  story.busy();
  story.hammer(client, 6, 100_000, () => "hot");
  const answered = story.hammer(client, 20, 200_000, () => "hot");
  // Twelve would be all that can be begun in a turn of three nodes, were each read for itself.
  expect(answered).toBeGreaterThan(3 * 12 * (200_000 / turnUs));
});

/** Bursts of gets on the one key that is put all the time, over a slow network. */
function boarding(seed: number): readonly string[] {
  const chaosUs = 1_500_000;
  const faults: Fault[] = [];
  for (let at = 50_000; at < chaosUs; at += 100_000) {
    faults.push({ at, kind: "burst", node: 0, lasts: 0, pairs: [], factor: 60 });
  }
  for (let node = 0; node < 3; node += 1) {
    faults.push({ at: 0, kind: "busy", node, lasts: chaosUs, pairs: [], factor: 3_000 });
  }
  const shape = { nodes: 3, joiners: 0, n: 3, r: 2, w: 2, keys: 1, clients: 3, loops: 2, thinkUs: 2_000, chaosUs };
  const slow = { ...network, delayJitterUs: 20_000 };
  const work = { operations: ["put", "get"] as const, durability: Durability.memory, network: slow, turnUs: 20 };
  const quiet = { faults: [], diskFaults: [], ringActs: [], identity: null, firewall: false, deadlineUs: 1_000_000 };
  const result = runSeed({ seed, faults, plan: { ...shape, ...work, ...quiet, attemptUs: 400_000, valuePadding: 0 } });
  return result.violations.map(({ invariant }) => invariant);
}

describe("gets that share a read", () => {
  test("never miss what was acknowledged before they came", () => {
    expect(boarding(1)).toEqual([]);
  });

  test("would, could they board a flight that has left", () => {
    enableCanaries(["boards-a-flight-that-left"]);
    const found = new Set<string>();
    for (let seed = 1; seed <= 12 && found.size === 0; seed += 1) for (const one of boarding(seed)) found.add(one);
    expect([...found]).toContain("own-write-not-read");
  });
});
