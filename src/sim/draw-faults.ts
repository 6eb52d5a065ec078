/**
 * Drawing faults: a run's schedule, from streams of their own, before the run. The atlas is
 * kept while drawing: whatever can take a copy that a mode does not promise to keep may only hit the same W-1 hosts all
 * run long, so that every acknowledged write keeps an intact holder.
 */
import type { Rng } from "../base/rng.ts";
import { type Fault, type FaultKind, losesCopies } from "./fault.ts";
import { type FaultClass, type RunPlan, reapsWithinRun } from "./plan.ts";
import { drawRingActs } from "./ring-acts.ts";

/** Which nodes may lose what a mode does not promise to keep: at most W-1, the same all run long. */
function mortalNodes(plan: RunPlan, rng: Rng): number[] {
  const all = rng.shuffle(Array.from({ length: plan.nodes }, (_, index) => index));
  return all.slice(0, plan.w - 1);
}

/** Draws the schedule of a run. Times count from the beginning of the chaos phase. */
export function drawFaults(plan: RunPlan, rng: Rng): Fault[] {
  const mortals = mortalNodes(plan, rng.fork("mortals"));
  const faults = drawRingActs(plan, rng.fork("rings"), mortals);
  faults.push(...drawIdentityAct(plan, rng.fork("identities"), mortals));
  for (const fault of drawDiskFaults(plan, rng.fork("disks"), mortals)) faults.push(fault);
  faults.push(...drawLoadFaults(plan, rng.fork("loads")));
  if (plan.faults.length === 0) return faults;
  const count = Math.ceil((plan.chaosUs / 1_000_000) * (plan.faultsPerKiloSecond / 1_000));
  for (let i = 0; i < count; i += 1) {
    const stream = rng.fork(`fault/${i}`);
    const fault = drawFault(plan, stream, mortals);
    if (fault !== undefined) faults.push(fault);
  }
  return faults.sort((a, b) => a.at - b.at);
}

/** In the middle of the run, with something to miss before and after. `factor` of a clone, 1: it is told an address of its own. */
function drawIdentityAct(plan: RunPlan, rng: Rng, mortals: readonly number[]): Fault[] {
  const { identity: kind, chaosUs } = plan;
  if (kind === null || mortals.length === 0) return [];
  const at = rng.between(300_000, chaosUs >> 1);
  const node = rng.pick(mortals);
  const lasts = kind === "wipe" ? rng.below(2_000_000) : rng.between(chaosUs >> 2, chaosUs >> 1);
  return [{ at, kind, node, lasts, pairs: [], factor: rng.chance(250) ? 1 : 0 }];
}

/** A node that the fault may hit; -1: there is none. */
function drawVictim(plan: RunPlan, kind: FaultKind, rng: Rng, mortals: readonly number[]): number {
  if (!losesCopies(kind, plan.durability)) return rng.below(plan.nodes);
  return mortals.length === 0 ? -1 : rng.pick(mortals);
}

/** A few of each class that the plan has. */
function drawDiskFaults(plan: RunPlan, rng: Rng, mortals: readonly number[]): Fault[] {
  const faults: Fault[] = [];
  for (const kind of plan.diskFaults) {
    for (let left = rng.between(1, 6); left > 0; left -= 1) {
      const node = drawVictim(plan, kind, rng, mortals);
      const at = rng.below(plan.chaosUs);
      const lasts = rng.between(500_000, 3_000_000);
      if (node >= 0) faults.push({ at, kind, node, lasts, pairs: [], factor: rng.below(2) });
    }
  }
  return faults;
}

/** A few of each class that the plan has. `factor`: microseconds of a busy turn; operations of a burst. */
function drawLoadFaults(plan: RunPlan, rng: Rng): Fault[] {
  const faults: Fault[] = [];
  for (const kind of plan.loadFaults) {
    for (let left = rng.between(1, 3); left > 0; left -= 1) {
      const factor = kind === "busy" ? rng.pick([1_000, 3_000, 10_000]) : rng.between(50, 200);
      const lasts = rng.between(200_000, 1_000_000);
      faults.push({ at: rng.below(plan.chaosUs), kind, node: rng.below(plan.nodes), lasts, pairs: [], factor });
    }
  }
  return faults;
}

const pathFaults: readonly FaultClass[] = ["split", "udp-split", "tcp-split", "slow-link"];

function drawFault(plan: RunPlan, rng: Rng, mortals: readonly number[]): Fault | undefined {
  const kind = rng.pick(plan.faults);
  const at = rng.below(plan.chaosUs);
  const short = rng.chance(500);
  const lasts = short ? rng.between(1_000, 100_000) : rng.between(100_000, 3_000_000);
  const node = drawVictim(plan, kind, rng, mortals);
  if (node < 0) return undefined;
  const places = plan.nodes + plan.clients;
  const pairs = pathFaults.includes(kind) ? drawPairs(plan.nodes, places, rng) : [];
  const factor = rng.pick([10, 100, 1_000]);
  if (!reapsWithinRun(plan)) return { at, kind, node, lasts, pairs, factor };
  // A process that is gone delays nothing, and what lies on its disk may be older than what the others forget meanwhile.
  const gone = kind === "crash" || kind === "power";
  const within = gone ? 4 * lasts : Math.min(lasts, 125 * plan.reapAgeMs);
  return { at, kind, node, lasts: within, pairs, factor: Math.min(factor, 10) };
}

type Pair = readonly [number, number];

/** Directed paths to block or slow: one of several shapes. */
function drawPairs(nodes: number, places: number, rng: Rng): Pair[] {
  const all: Pair[] = [];
  for (let from = 0; from < places; from += 1) {
    for (let to = 0; to < places; to += 1) if (from !== to) all.push([from, to]);
  }
  const victim = rng.below(places);
  const side = Array.from({ length: places }, () => rng.below(2));
  switch (rng.below(6)) {
    case 0:
      return all.filter(([from, to]) => from === victim || to === victim);
    case 1:
      return all.filter(([from, to]) => side[from] !== side[to]);
    case 2:
      return [rng.pick(all)];
    case 3:
      return all.filter(([from]) => from === victim);
    case 4:
      return all.filter(() => rng.chance(300));
    default:
      return all.filter(
        ([from, to]) => from < nodes && to < nodes && (from + 1) % nodes !== to && (to + 1) % nodes !== from,
      );
  }
}
