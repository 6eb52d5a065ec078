/**
 * Rolling restarts: how long versions grow. Every boot mints under an actor of its own, so each restart may leave one
 * more entry in the version of every record that is written afterwards; only a certificate takes it out again. Node
 * after node is stopped and started, and after each start every key is read and written there. Nothing else goes wrong.
 */
import { assert } from "../base/assert.ts";
import { Durability } from "../base/durability.ts";
import { type DurationUs, instant } from "../base/time.ts";
import { openRecord } from "../version/record.ts";
import type { SimClient } from "./client.ts";
import { Cluster } from "./cluster.ts";
import type { RunPlan } from "./plan.ts";
import { poisoned } from "./poison.ts";
import type { SimNode } from "./process.ts";
import { planOf } from "./run.ts";

/** Entries of the versions of all copies at one moment. */
export interface VersionEntries {
  /** Rounds of restarts so far. */
  readonly rounds: number;
  readonly most: number;
  /** Of all copies together, and how many those are. */
  readonly sum: number;
  readonly copies: number;
}

/** What to run. */
export interface RollingOptions {
  readonly seed: number;
  readonly rounds: number;
  /** How long what could be forgotten is left alone; above the length of the run: nothing is. */
  readonly reapAgeMs: number;
}

const nodes = 3;
const keys: readonly string[] = Array.from({ length: 16 }, (_, index) => `key-${index}`);
const withinUs: DurationUs = 60_000_000;
/** After each round, so that certificates can be had: a few of the shortest ages. */
const restUs: DurationUs = 15_000_000;

function rollingPlan({ seed, reapAgeMs }: RollingOptions): RunPlan {
  const steady = { faults: [], ringActs: [], joiners: 0, reapAgeMs, repairPassMs: 2_000, repairWindowMs: 1_300 };
  const quorum = { n: 3, r: 2, w: 2, durability: Durability.buffered, partitions: 8, hintKiB: 1_024 };
  return planOf({ seed, nodes, plan: { ...steady, ...quorum, deadlineUs: 2_500_000, attemptUs: 1_000_000 } });
}

/** Restarts every node in turn, round after round; what the versions are after each round and its rest. */
export function rollingRestarts(options: RollingOptions): VersionEntries[] {
  return poisoned(() => new Rolling(options).run());
}

class Rolling {
  readonly #options: RollingOptions;
  readonly #cluster: Cluster;
  #values = 0;

  constructor(options: RollingOptions) {
    this.#options = options;
    this.#cluster = new Cluster(rollingPlan(options), false);
  }

  run(): VersionEntries[] {
    const cluster = this.#cluster;
    cluster.boot();
    assert(cluster.awaitReady(), "the cluster becomes ready");
    const client = cluster.addClient(undefined, true);
    client.fetchRing();
    this.#until(() => client.open === 0);
    const found: VersionEntries[] = [];
    for (let round = 1; round <= this.#options.rounds; round += 1) {
      for (const node of cluster.world.nodes) this.#restart(node, client);
      cluster.world.runFor(restUs);
      found.push(this.#entries(round));
    }
    return found;
  }

  #until(condition: () => boolean): void {
    const { world } = this.#cluster;
    assert(world.runUntil(instant(world.now + withinUs), condition), "a restart takes no minute");
  }

  #restart(node: SimNode, client: SimClient): void {
    const { world } = this.#cluster;
    node.stop(world.now);
    this.#until(() => !node.alive);
    node.boot(world.now);
    this.#until(() => this.#cluster.membersReady());
    let open = keys.length;
    for (const key of keys)
      this.#write(client, node.position, key, () => {
        open -= 1;
      });
    this.#until(() => open === 0);
  }

  /** Reads the key and writes it at this node, again and again until it is done. */
  #write(client: SimClient, node: number, key: string, done: () => void): void {
    const again = (): void => this.#cluster.world.scheduler.in(100_000, () => this.#write(client, node, key, done));
    client.read({ keys: [key], r: 2, strict: true, node }, (_now, read, context) => {
      if (read.outcome !== "ok") return again();
      this.#values += 1;
      client.write({ kind: "put", key, value: this.#values, padding: 0, context, node }, (_at, write) => {
        if (write.outcome === "ok") done();
        else again();
      });
    });
  }

  #entries(rounds: number): VersionEntries {
    const sizes = this.#cluster.drives.flatMap((drive) =>
      [...drive.records()].map(([, sealed]) => openRecord(sealed).version.size),
    );
    return { rounds, most: Math.max(...sizes), sum: sizes.reduce((sum, size) => sum + size, 0), copies: sizes.length };
  }
}
