/**
 * Run: seeds in, results out. A run is a pure function of its options; its trace hash proves it. A run that shows a
 * violation is run again with recording on, for the readable trace: the second hash must equal the first. What happens
 * inside a run is phases.ts.
 */
import { listenForMarks } from "../base/mark.ts";
import { Rng } from "../base/rng.ts";
import { type DurationUs, instant } from "../base/time.ts";
import type { Fault } from "./fault.ts";
import { Run } from "./phases.ts";
import { drawPlan, drawShortPlan, type RunPlan } from "./plan.ts";
import { poisoned } from "./poison.ts";
import { lineText, type TraceLine } from "./trace.ts";
import type { Violation } from "./violation.ts";

/** What to run. Whatever is not given is drawn from the seed. */
export interface RunOptions {
  readonly seed: number;
  readonly nodes?: number;
  /** A short run: see `drawShortPlan`. */
  readonly short?: boolean;
  /** Fields of the plan to use instead of the drawn ones. */
  readonly plan?: Partial<RunPlan>;
  /** A schedule of faults to use instead of the drawn one. */
  readonly faults?: readonly Fault[];
}

/** What a run was made of. */
export interface RunStats {
  readonly events: number;
  readonly simulatedUs: DurationUs;
  readonly operations: number;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  readonly faults: number;
  readonly faultClasses: readonly Fault["kind"][];
  /** Rare branches that were taken, with counts: base/mark.ts. */
  readonly marks: Readonly<Record<string, number>>;
}

/** How a run went. */
export interface RunResult {
  readonly seed: number;
  /** 16 hexadecimal digits: equal for equal options, always. */
  readonly hash: string;
  readonly plan: RunPlan;
  /** The schedule that was used. Seed, plan and faults together are a tape: they repeat the run for ever. */
  readonly faults: readonly Fault[];
  readonly stats: RunStats;
  readonly violations: readonly Violation[];
  /** The command that shows the run again; a plan or faults that were given are not in it. */
  readonly again: string;
  /** After a violation: readable lines, those that touch the failing key and the last ones. */
  readonly trace: readonly string[];
}

/** The plan of a run: drawn from its seed, then overridden by what the options say. */
export function planOf(options: RunOptions): RunPlan {
  const draw = options.short === true ? drawShortPlan : drawPlan;
  const drawn = draw(options.seed, new Rng(options.seed).fork("plan"), options.nodes);
  return { ...drawn, ...options.plan, seed: options.seed };
}

function againOf({ seed, nodes, short }: RunOptions): string {
  return `ringtail sim --seed ${seed}${nodes === undefined ? "" : ` --nodes ${nodes}`}${short === true ? " --short" : ""}`;
}

function resultOf(options: RunOptions, run: Run, marks: Readonly<Record<string, number>>): RunResult {
  const { world, history } = run.cluster;
  const count = (outcome: string): number => history.operations.filter((one) => one.outcome === outcome).length;
  const counts = [...run.faultCounts];
  const stats: RunStats = {
    events: world.scheduler.done,
    simulatedUs: world.now,
    operations: history.operations.length,
    ok: count("ok"),
    failed: count("fail"),
    unknown: count("unknown"),
    faults: counts.reduce((sum, [, one]) => sum + one, 0),
    faultClasses: counts.map(([kind]) => kind),
    marks,
  };
  const { plan, schedule: faults, violations } = run;
  return {
    seed: plan.seed,
    hash: world.trace.hash,
    plan,
    faults,
    stats,
    violations,
    again: againOf(options),
    trace: [],
  };
}

function runOnce(options: RunOptions, recording: boolean): { readonly result: RunResult; readonly run: Run } {
  const marks = new Map<string, number>();
  const before = listenForMarks((name) => {
    marks.set(name, (marks.get(name) ?? 0) + 1);
  });
  // Stacks are most of an error's price, and refusals are many. The second run of a failing seed has them.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = recording ? 30 : 0;
  try {
    const run = new Run(planOf(options), options.faults, recording);
    poisoned(() => run.go());
    return { result: resultOf(options, run, Object.fromEntries(marks)), run };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    listenForMarks(before);
  }
}

/** Runs one seed. After a violation it is run a second time for the readable trace. */
export function runSeed(options: RunOptions): RunResult {
  const { result } = runOnce(options, false);
  return result.violations.length === 0 ? result : withTrace(options, result);
}

function withTrace(options: RunOptions, first: RunResult): RunResult {
  const { result, run } = runOnce(options, true);
  const trace = traceText(run.cluster.world.trace.lines, first.violations);
  if (result.hash === first.hash) return { ...result, trace };
  const text = `the second run of the seed gave ${result.hash} instead of ${first.hash}`;
  const violation: Violation = { at: instant(0), invariant: "not-deterministic", text };
  return { ...first, violations: [violation, ...first.violations], trace };
}

const lastLines = 80;
const keyLines = 400;

/** What people need of a long trace: everything about the first failing key, and the end. */
function traceText(lines: readonly TraceLine[], violations: readonly Violation[]): string[] {
  const key = violations.find((violation) => violation.key !== undefined)?.key;
  const at = violations[0]?.at ?? 0;
  const text: string[] = [];
  if (key !== undefined) {
    const touching = lines.filter((line) => line.key === key || line.place === "fault" || line.text === "boots");
    text.push(`-- everything about ${key}, with boots and faults (the last ${keyLines} lines)`);
    text.push(...touching.slice(-keyLines).map(lineText));
  }
  text.push(`-- the last ${lastLines} lines before the violation`);
  text.push(
    ...lines
      .filter((line) => line.at <= at)
      .slice(-lastLines)
      .map(lineText),
  );
  return text;
}

/** Runs `runs` seeds from `seed` on and hands over each result. */
export function runSim(options: {
  readonly seed: number;
  readonly runs: number;
  readonly nodes?: number;
  readonly short?: boolean;
  readonly onResult: (result: RunResult) => void;
}): void {
  const { seed, runs, onResult, ...shape } = options;
  for (let i = 0; i < runs; i += 1) onResult(runSeed({ ...shape, seed: seed + i }));
}

/** A result as people read it: one line, and after a violation what happened and how to see it again. */
export function resultText(result: RunResult): string {
  const { seed, hash, plan, stats, violations } = result;
  const shape = `${plan.nodes} nodes N=${plan.n} R=${plan.r} W=${plan.w}`;
  const { operations, unknown, faults, events } = stats;
  const counts = `${operations} operations (${unknown} unknown), ${faults} faults, ${events} events`;
  const line = `seed ${seed} ${hash} ${shape}: ${counts}: ${violations.length === 0 ? "ok" : "VIOLATED"}`;
  if (violations.length === 0) return line;
  const told = violations.map(
    (one) => `  ${one.invariant}${one.key === undefined ? "" : ` (${one.key})`}: ${one.text}`,
  );
  return [line, ...told, ...result.trace, `again: ${result.again}`].join("\n");
}
