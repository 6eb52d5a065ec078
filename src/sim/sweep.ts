/**
 * Sweep: one short scripted run again and again, each time with one thing gone wrong at one node's disk (reliability.md
 * section 10): the call of that number fails, or the process is killed or loses its power as it begins. Boots are part of
 * it. Every run is checked like any other; the script is the plan's workload with no other fault.
 */

import { Durability } from "../base/durability.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs } from "../base/time.ts";
import { Run } from "./phases.ts";
import type { RunPlan } from "./plan.ts";
import { poisoned } from "./poison.ts";
import type { SimNode } from "./process.ts";
import { planOf } from "./run.ts";
import type { Violation } from "./violation.ts";

/** What goes wrong at a call. */
export type Mishap = "error" | "kill" | "power";

/** All of them. */
export const mishaps: readonly Mishap[] = ["error", "kill", "power"];

const rebootAfterUs: DurationUs = 100_000;

/** The script: three nodes, every kind of operation, a log of small segments, so that all calls there are take place. */
export function sweepPlan(seed: number): RunPlan {
  return planOf({
    seed,
    nodes: 3,
    plan: {
      ...{
        n: 3,
        r: 2,
        w: 2,
        partitions: 8,
        durability: Durability.durable,
        faults: [],
        bufferKiB: 4,
        logSegmentKiB: 1,
      },
      ...{ clients: 2, loops: 1, keys: 3, thinkUs: 20_000, chaosUs: 1_000_000, valuePadding: 100, hintKiB: 1024 },
      ...{ operations: ["get", "put", "blind-put", "delete", "read-modify-write"], deadlineUs: 1_000_000 },
    },
  });
}

/** How a run of the script went. */
export interface SweptRun {
  /** Calls that the disk of the node was given before the healing began. */
  readonly calls: number;
  /** The mishap took place. */
  readonly hit: boolean;
  readonly violations: readonly Violation[];
}

/** Runs the script with a mishap at call `at` of the first node's disk; `at` 0: with none. */
export function sweepOnce(plan: RunPlan, mishap: Mishap, at: number): SweptRun {
  const run = new Run(plan, [], false);
  const { world, drives } = run.cluster;
  const { disk } = drives[0] as (typeof drives)[number];
  const node = world.nodes[0] as SimNode;
  let calls = 0;
  let hit = false;
  const reboot = (): void => {
    world.scheduler.in(rebootAfterUs, (now) => {
      if (!node.alive) node.boot(now);
    });
  };
  // Until clients come, a node that ends itself is started again as it is later.
  world.excuse = (_node, reason) => {
    if (!reason.includes("simulated")) return false;
    reboot();
    return true;
  };
  if (mishap === "error") disk.failAt = at;
  disk.onCall = (call) => {
    calls = call;
    if (call !== at) return;
    hit = true;
    mark("sweep.hit");
    if (mishap === "error") return;
    world.scheduler.in(0, (now) => {
      if (mishap === "kill") node.kill(now);
      else node.powerCut(now);
      reboot();
    });
  };
  poisoned(() => run.go());
  return { calls, hit, violations: run.violations };
}
