/** A small simulated cluster for stories about moving data: quiet network, patient client, an operator. */
import { Durability } from "../../src/base/durability.ts";
import { type DurationUs, instant } from "../../src/base/time.ts";
import type { Node } from "../../src/node/node.ts";
import { Audit } from "../../src/sim/audit.ts";
import type { SimClient } from "../../src/sim/client.ts";
import { noContext } from "../../src/sim/client-call.ts";
import { Cluster } from "../../src/sim/cluster.ts";
import { isRepaired } from "../../src/sim/invariants/anti-entropy-converges.ts";
import { wrongTrees } from "../../src/sim/invariants/merkle-equal.ts";
import { type OperatorAnswer, SimOperator } from "../../src/sim/operator.ts";
import type { RunPlan } from "../../src/sim/plan.ts";
import { planOf } from "../../src/sim/run.ts";
import type { Violation } from "../../src/sim/violation.ts";
import type { Fields, MessageCodec } from "../../src/wire/codec.ts";

/** What a story is told with. */
export class DataStory {
  readonly cluster: Cluster;
  readonly client: SimClient;
  readonly operator: SimOperator;

  constructor(plan: Partial<RunPlan>) {
    const quiet = { delayMinUs: 100, delayJitterUs: 200, windowBytes: 65_536 };
    const network = { ...quiet, fragmentPerMille: 0, holdPerMille: 0, dawdlePerMille: 0 };
    const shape = { nodes: 3, joiners: 0, n: 3, r: 2, w: 2, partitions: 16, durability: Durability.buffered };
    const often = { repairPassMs: 2_000, repairWindowMs: 1_300, bufferKiB: 256, logSegmentKiB: 64 };
    this.cluster = new Cluster(planOf({ seed: 7, plan: { ...shape, ...often, network, turnUs: 0, ...plan } }), false);
    this.client = this.cluster.addClient(undefined, true);
    this.operator = new SimOperator(this.cluster.world.network);
    const { nodes, joiners } = this.cluster.plan;
    for (const node of this.cluster.world.nodes.slice(0, nodes - joiners)) node.boot(this.cluster.world.now);
  }

  node(seat: number): Node {
    const node = this.cluster.nodeAt(seat);
    if (node === undefined) throw new Error(`no process runs on seat ${seat}`);
    return node;
  }

  /** Runs until the condition holds; false: it did not within that time. */
  until(within: DurationUs, condition: () => boolean): boolean {
    const { world } = this.cluster;
    const held = world.runUntil(instant(world.now + within), () => world.deaths.length > 0 || condition());
    if (world.deaths.length > 0) throw new Error(world.deaths.map(({ reason }) => reason).join("; "));
    return held;
  }

  /** The same of a condition that is dear to ask: several times a second. */
  untilSeen(within: DurationUs, condition: () => boolean): boolean {
    const end = instant(this.cluster.world.now + within);
    while (!condition()) {
      if (this.cluster.world.now >= end) return false;
      this.until(100_000, () => false);
    }
    return true;
  }

  pass(duration: DurationUs): void {
    this.cluster.world.runFor(duration);
  }

  /** Writes `count` keys, from `first` on; how many were acknowledged. */
  write(first: number, count: number, value: number): number {
    let ended = 0;
    let ok = 0;
    for (let i = first; i < first + count; i += 1) {
      this.client.write(
        { kind: "put", key: `key-${i}`, value: value + i, padding: 100, context: noContext },
        (_now, operation) => {
          ended += 1;
          if (operation.outcome === "ok") ok += 1;
        },
      );
    }
    this.until(20_000_000, () => ended === count);
    return ok;
  }

  /** Reads keys; how many were answered, and those that a read did not find what was written last. */
  read(keys: readonly string[], r: number): { readonly ok: number; readonly missing: readonly string[] } {
    let ended = 0;
    let ok = 0;
    const missing: string[] = [];
    for (const key of keys) {
      this.client.read({ keys: [key], r }, (_now, operation) => {
        ended += 1;
        if (operation.outcome === "ok") ok += 1;
        if (operation.outcome === "ok" && operation.siblings.length === 0) missing.push(key);
      });
    }
    this.until(20_000_000, () => ended === keys.length);
    return { ok, missing };
  }

  /** Asks the node on that seat; throws when it refuses. */
  ask<Q, A>(seat: number, type: number, codec: MessageCodec<Q>, message: Fields<Q>, reply: MessageCodec<A>): A {
    const address = this.cluster.world.nodes[seat]?.address ?? "";
    let answer: OperatorAnswer<A> | undefined;
    this.operator.ask({ address, type, codec, message, reply }, (_now, came) => {
      answer = came;
    });
    this.until(60_000_000, () => answer !== undefined);
    const came = answer as OperatorAnswer<A> | undefined;
    if (came?.reply === undefined || came.reply === null) throw new Error(`refused: ${came?.message ?? "no answer"}`);
    return came.reply;
  }

  /** What the disks hold now. */
  audit(violations: Violation[] = []): Audit {
    const ring = this.node(0).ring;
    if (ring === undefined) throw new Error("the first node has no ring");
    return new Audit(this.cluster, ring, (violation) => violations.push(violation));
  }

  /** Whether all owners hold the same of every key, without a read. */
  get repaired(): boolean {
    const audit = this.audit();
    return this.cluster.history.keys().every((key) => isRepaired(audit, key));
  }

  /** What the Merkle trees get wrong. */
  wrongTrees(): readonly string[] {
    return wrongTrees(this.audit());
  }
}
