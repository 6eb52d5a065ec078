/**
 * Sweep: one short scripted run again and again, each time with one thing gone wrong at one node's disk: the call of
 * that number fails, alone or with all that follow, or the process is killed or loses its power as the call has begun.
 * Boots are part of it. Every run is checked like any other; the script is the plan's workload with no other fault.
 */

import { Durability } from "../base/durability.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs } from "../base/time.ts";
import type { DiskCall, DiskFailure } from "./disk.ts";
import { Run } from "./phases.ts";
import type { RunPlan } from "./plan.ts";
import { poisoned } from "./poison.ts";
import type { SimNode } from "./process.ts";
import { planOf } from "./run.ts";
import type { Violation } from "./violation.ts";

/** What goes wrong at a call. */
export interface Mishap {
  readonly name: string;
  /** The calls to which it can happen. */
  readonly calls: readonly DiskCall[];
  /** Undefined: the process is killed, or `power` is lost. */
  readonly fails?: { readonly how: DiskFailure; readonly onward: readonly DiskCall[] };
  readonly power?: boolean;
}

const changes: readonly DiskCall[] = ["write", "append", "sync", "file"];
const all: readonly DiskCall[] = ["read", ...changes];

/**
 * All of them. A disk that is full or has become read-only (ENOSPC, EROFS) goes on refusing what changes it; one that
 * is dead (EIO) refuses everything; both until the process starts anew.
 */
export const mishaps: readonly Mishap[] = [
  { name: "error", calls: all, fails: { how: "undone", onward: [] } },
  { name: "short write", calls: ["append"], fails: { how: "torn", onward: [] } },
  { name: "error after the fact", calls: changes, fails: { how: "done", onward: [] } },
  { name: "full from here on", calls: changes, fails: { how: "undone", onward: changes } },
  { name: "dead from here on", calls: all, fails: { how: "undone", onward: all } },
  { name: "kill", calls: all },
  { name: "power cut", calls: all, power: true },
];

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
  /** The calls that the disk of the node was given, in their order. */
  readonly calls: readonly DiskCall[];
  /** The mishap took place. */
  readonly hit: boolean;
  readonly violations: readonly Violation[];
}

/** The calls, by number from 1, at which a mishap can happen in a run that went so far. */
export function sitesOf({ calls }: SweptRun, mishap: Mishap): number[] {
  return calls.flatMap((call, index) => (mishap.calls.includes(call) ? [index + 1] : []));
}

/** Runs the script with a mishap at call `at` of the first node's disk; `at` 0: with none. */
export function sweepOnce(plan: RunPlan, mishap: Mishap, at: number): SweptRun {
  const run = new Run(plan, [], false);
  const { world, drives } = run.cluster;
  const { disk } = drives[0] as (typeof drives)[number];
  const node = world.nodes[0] as SimNode;
  const calls: DiskCall[] = [];
  let hit = false;
  let lifeHit = 0;
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
  if (mishap.fails !== undefined) disk.planned = { at, ...mishap.fails };
  disk.onCall = (call, kind) => {
    calls.push(kind);
    // Whoever starts the process anew, then or later: its disk is well again.
    if (hit && node.life !== lifeHit) disk.planned = null;
    if (call !== at) return;
    hit = true;
    lifeHit = node.life;
    mark("sweep.hit");
    if (mishap.fails !== undefined) return;
    world.scheduler.in(0, (now) => {
      if (mishap.power === true) node.powerCut(now);
      else node.kill(now);
      reboot();
    });
  };
  poisoned(() => run.go());
  return { calls, hit, violations: run.violations };
}
