/**
 * Minimise: from a failing run to a small tape that fails the same way. A tape is plain data
 * (seed, plan, faults) and is kept as a regression test. Shrinking keeps a step only if the same invariant still fails:
 * whole fault classes go first, then single faults, then clients, loops, keys and time.
 */
import type { Fault } from "./fault.ts";
import type { RunPlan } from "./plan.ts";
import { type RunOptions, type RunResult, runSeed } from "./run.ts";

/** A run, spelled out. */
export interface Tape {
  /** What it shows, for people. */
  readonly about?: string;
  readonly seed: number;
  readonly plan: RunPlan;
  readonly faults: readonly Fault[];
}

/** What a plan may not name because it was written down before there was such a thing; its seed draws it no more. */
const notInOlderTapes: Partial<RunPlan> = { lastWrites: false, ownCoordination: false, zones: 0 };

/** The options that play a tape. */
export function optionsOf(tape: Tape): RunOptions {
  return { seed: tape.seed, plan: { ...notInOlderTapes, ...tape.plan }, faults: tape.faults };
}

/** Shrinks a failing tape with at most `runsMax` runs; `run` is a parameter so that a test needs no cluster. */
export function minimise(
  tape: Tape,
  runsMax: number,
  run: (options: RunOptions) => Pick<RunResult, "violations"> = runSeed,
): Tape {
  let left = runsMax;
  const failures = (candidate: Tape): string[] => {
    left -= 1;
    return run(optionsOf(candidate)).violations.map((violation) => violation.invariant);
  };
  const wanted = failures(tape)[0];
  if (wanted === undefined) return tape;
  let best = tape;
  const tryThis = (candidate: Tape): boolean => {
    if (left <= 0 || !failures(candidate).includes(wanted)) return false;
    best = candidate;
    return true;
  };
  for (const kind of new Set(tape.faults.map((fault) => fault.kind))) {
    tryThis({ ...best, faults: best.faults.filter((fault) => fault.kind !== kind) });
  }
  for (let size = best.faults.length >> 1; size >= 1; size >>= 1) dropRuns(size, () => best, tryThis);
  while (shrinkPlan(best.plan).some((plan) => tryThis({ ...best, plan })));
  return best;
}

/** Drops runs of `size` faults, from the end to the beginning. */
function dropRuns(size: number, best: () => Tape, tryThis: (candidate: Tape) => boolean): void {
  for (let end = best().faults.length; end > 0; end -= size) {
    const start = Math.max(0, end - size);
    const { faults } = best();
    tryThis({ ...best(), faults: [...faults.slice(0, start), ...faults.slice(end)] });
  }
}

/** Plans one step smaller. Clients and nodes keep their number: the faults' pairs name them by position. */
function shrinkPlan(plan: RunPlan): RunPlan[] {
  const smaller: RunPlan[] = [];
  if (plan.loops > 1) smaller.push({ ...plan, loops: 1 });
  if (plan.keys > 1) smaller.push({ ...plan, keys: plan.keys >> 1 });
  if (plan.valuePadding > 0) smaller.push({ ...plan, valuePadding: 0 });
  if (plan.chaosUs > 500_000) smaller.push({ ...plan, chaosUs: plan.chaosUs >> 1 });
  if (plan.operations.length > 1) smaller.push({ ...plan, operations: plan.operations.slice(1) });
  return smaller;
}
