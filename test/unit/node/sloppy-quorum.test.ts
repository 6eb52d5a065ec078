/**
 * Sloppy quorums with whole nodes in the simulated world (Dynamo 4.6: "it takes the first N healthy nodes", and what was
 * written to a fallback goes home when its owner is back). Each story is one cluster, with nothing drawn but delays.
 */
import { describe, expect, test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { statusOk } from "../../../src/base/errors.ts";
import { instant } from "../../../src/base/time.ts";
import { Audit } from "../../../src/sim/audit.ts";
import type { SimClient } from "../../../src/sim/client.ts";
import { noContext } from "../../../src/sim/client-call.ts";
import { Cluster } from "../../../src/sim/cluster.ts";
import type { Operation } from "../../../src/sim/history.ts";
import { hintsLeft } from "../../../src/sim/invariants/hints-drain.ts";
import type { RunPlan } from "../../../src/sim/plan.ts";
import type { SimNode } from "../../../src/sim/process.ts";
import { planOf } from "../../../src/sim/run.ts";
import { openRecord } from "../../../src/version/record.ts";

const key = "story";

class Story {
  readonly cluster: Cluster;
  readonly client: SimClient;

  constructor(plan: Partial<RunPlan>) {
    const network = {
      delayMinUs: 100,
      delayJitterUs: 100,
      windowBytes: 65_536,
      fragmentPerMille: 0,
      holdPerMille: 0,
      dawdlePerMille: 0,
    };
    const common = { partitions: 8, durability: Durability.buffered, network, turnUs: 20, bufferKiB: 256 };
    this.cluster = new Cluster(planOf({ seed: 1, plan: { ...common, ...plan } }), false);
    this.cluster.boot();
    expect(this.cluster.awaitReady()).toBe(true);
    this.client = this.cluster.addClient(undefined, true);
    this.client.fetchRing();
    this.until(() => this.client.ring !== undefined);
  }

  until(condition: () => boolean, seconds = 30): void {
    const { world } = this.cluster;
    expect(world.runUntil(instant(world.now + seconds * 1_000_000), condition)).toBe(true);
    expect(world.deaths).toEqual([]);
  }

  /** Seats of the owners, in the order of the list; then of everybody else. */
  get seats(): { readonly owners: readonly number[]; readonly others: readonly number[] } {
    const audit = new Audit(this.cluster, this.client.ring as NonNullable<SimClient["ring"]>, () => {});
    const owners = audit.owners(key);
    const all = this.cluster.world.nodes.map((_, seat) => seat);
    return { owners, others: all.filter((seat) => !owners.includes(seat)) };
  }

  node(seat: number): SimNode {
    return this.cluster.world.nodes[seat] as SimNode;
  }

  kill(seat: number): void {
    const { world } = this.cluster;
    this.node(seat).kill(world.now);
    world.runFor(1_000_000);
  }

  boot(seat: number): void {
    this.node(seat).boot(this.cluster.world.now);
    this.until(() => this.node(seat).ready);
  }

  put(value: number, w: number): Operation {
    const wish = { kind: "put", key, value, padding: 0, context: noContext, w } as const;
    const operation = this.client.write(wish, () => {});
    this.until(() => operation.outcome !== "open");
    return operation;
  }

  get(r: number, node: number, strict = false): Operation {
    let ended: Operation | undefined;
    this.client.read({ keys: [key], r, node, strict }, (_now, operation) => {
      ended = operation;
    });
    this.until(() => ended !== undefined);
    return ended as unknown as Operation;
  }

  /** The values on a seat's disk. */
  valuesAt(seat: number): number {
    const audit = new Audit(this.cluster, this.client.ring as NonNullable<SimClient["ring"]>, () => {});
    const sealed = audit.disks[seat]?.get(key);
    return sealed === undefined ? 0 : openRecord(sealed).siblings.length;
  }

  numberOf(seat: number): number {
    return this.cluster.nodeAt(seat)?.shared.number ?? 0;
  }
}

describe("an owner is down", () => {
  test("W = N is met with a fallback, its hint goes home when the owner is back, and then it is gone", () => {
    const story = new Story({ nodes: 4, n: 3, r: 2, w: 3 });
    const { owners, others } = story.seats;
    const [, down] = owners as [number, number, number];
    const fallback = others[0] as number;
    story.kill(down);

    const put = story.put(1, 3);
    expect(put.outcome).toBe("ok");
    expect(put.fallbackAcks).toEqual([story.numberOf(fallback)]);
    expect(put.acks).toHaveLength(3);
    expect(hintsLeft(story.cluster)).toBe(1);

    const get = story.get(3, owners[0] as number);
    expect(get.siblings.map((shown) => shown.value)).toEqual([1]);
    expect(get.fallbackAcks).toEqual([story.numberOf(fallback)]);

    story.boot(down);
    expect(story.valuesAt(down)).toBe(0);
    story.until(() => hintsLeft(story.cluster) === 0);
    expect(story.valuesAt(down)).toBe(1);
    // The fallback keeps nothing: it never was an owner.
    expect(story.cluster.drives[fallback]?.hints()).toEqual([]);
    expect(story.valuesAt(fallback)).toBe(0);
  });

  test("what a fallback does not know is no answer: with R = N an absent key needs the owners", () => {
    const story = new Story({ nodes: 4, n: 3, r: 3, w: 1 });
    const { owners } = story.seats;
    story.kill(owners[2] as number);
    const get = story.get(3, owners[0] as number);
    expect(get.outcome).toBe("unknown");
    expect(story.get(2, owners[0] as number).outcome).toBe("ok");
  });

  test("a strict get counts owners alone", () => {
    const story = new Story({ nodes: 4, n: 3, r: 2, w: 3 });
    const { owners } = story.seats;
    story.kill(owners[1] as number);
    expect(story.put(1, 3).outcome).toBe("ok");
    expect(story.get(3, owners[0] as number, true).outcome).toBe("unknown");
    expect(story.get(3, owners[0] as number).outcome).toBe("ok");
  });

  test("hints survive the fallback's own death", () => {
    const story = new Story({ nodes: 4, n: 3, r: 2, w: 3 });
    const { owners, others } = story.seats;
    const [, down] = owners as [number, number, number];
    const fallback = others[0] as number;
    story.kill(down);
    expect(story.put(1, 3).outcome).toBe("ok");
    story.kill(fallback);
    story.boot(down);
    story.boot(fallback);
    expect(story.cluster.drives[fallback]?.hints()).toHaveLength(1);
    story.until(() => hintsLeft(story.cluster) === 0);
    expect(story.valuesAt(down)).toBe(1);
  });
});

test("with no owner left a fallback coordinates, and all copies go home", () => {
  const story = new Story({ nodes: 4, n: 2, r: 1, w: 2 });
  const { owners, others } = story.seats;
  for (const seat of owners) story.kill(seat);
  const put = story.put(1, 2);
  expect(put.outcome).toBe("ok");
  expect([...put.fallbackAcks].sort()).toEqual(others.map((seat) => story.numberOf(seat)).sort());
  expect(others.map((seat) => story.numberOf(seat))).toContain(put.coordinator);
  expect(story.get(1, others[0] as number).siblings.map((shown) => shown.value)).toEqual([1]);
  for (const seat of owners) story.boot(seat);
  story.until(() => hintsLeft(story.cluster) === 0);
  for (const seat of owners) expect(story.valuesAt(seat)).toBe(1);
});

test("a node that stops is left alone at once: nobody fails, with W = N, while it goes", () => {
  const story = new Story({ nodes: 5, n: 3, r: 2, w: 3 });
  const { owners } = story.seats;
  const stopping = story.node(owners[1] as number);
  const asked: Operation[] = [];
  for (let i = 0; i < 40; i += 1) {
    const wish = { kind: "put", key: `key-${i}`, value: i, padding: 0, context: noContext, w: 3 } as const;
    asked.push(story.client.write(wish, () => {}));
    if (i === 10) stopping.stop(story.cluster.world.now);
    story.cluster.world.runFor(2_000);
  }
  story.until(() => asked.every((operation) => operation.outcome !== "open"));
  expect(asked.map((operation) => [operation.outcome, operation.status])).toEqual(asked.map(() => ["ok", statusOk]));
  story.until(() => stopping.stopped);
  story.boot(owners[1] as number);
  story.until(() => hintsLeft(story.cluster) === 0);
});
