/** `ringtail sim`: the whole cluster in the deterministic simulator; the same seed tells the same story. */
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import type { RunResult } from "../sim/run.ts";
import { exitViolated, print, printJson, wholeNumber } from "./output.ts";
import { Progress } from "./progress.ts";

const examples = `
Examples:
  ringtail sim --seed 42
  ringtail sim --seed 1 --runs 1000
  ringtail sim --seed 1 --runs 1000 --short
  ringtail sim --seed 7 --nodes 5 --json

Ends with 0 when every run kept every invariant; a seed that did not is shown with its trace, and the status is 30.`;

interface SimFlags {
  readonly seed: string;
  readonly runs: string;
  readonly nodes?: string;
  readonly short?: boolean;
  readonly json?: boolean;
}

/** Adds the command. */
export function addSim(program: Command): void {
  program
    .command("sim")
    .description("run the whole cluster in the deterministic simulator, under faults, and check its promises")
    .option("--seed <number>", "the first seed", "1")
    .option("--runs <count>", "how many seeds, counting up", "1")
    .option("--nodes <count>", "1 to 9 nodes (default: drawn from the seed)")
    .option("--short", "short runs: a second of faults, 60 operations or so, no change of the ring")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples)
    .action(sim);
}

/**
 * A run passes through the whole program and stays nowhere for long, so much of what some hundred seeds cost is code that
 * is not compiled well yet. Less is inlined, which makes compiling cheap; so it can begin earlier than it does by itself.
 */
const compilation = ["--max-inlined-bytecode-size-cumulative=300", "--interrupt-budget=40000"];

async function sim(flags: SimFlags): Promise<void> {
  for (const flag of compilation) setFlagsFromString(flag);
  // Loaded when asked for: every other command starts faster without it.
  const { resultText, runSim } = await import("../sim/run.ts");
  const seed = wholeNumber("--seed", flags.seed, 0, 0xffff_ffff);
  const runs = wholeNumber("--runs", flags.runs, 1, 10_000_000);
  const nodes = flags.nodes === undefined ? undefined : wholeNumber("--nodes", flags.nodes, 1, 9);
  const json = flags.json === true;
  const progress = new Progress("seeds", runs, !json && runs > 1);
  const shown: RunResult[] = [];
  let failed = 0;
  let simulatedUs = 0;
  const started = Date.now();
  const onResult = (result: RunResult): void => {
    progress.step();
    simulatedUs += result.stats.simulatedUs;
    if (result.violations.length > 0) failed += 1;
    if (json && (runs === 1 || result.violations.length > 0)) shown.push(result);
    if (!json && (runs === 1 || result.violations.length > 0)) print(resultText(result));
  };
  const short = flags.short === true;
  runSim({ seed, runs, short, onResult, ...(nodes === undefined ? {} : { nodes }) });
  progress.end();
  const seconds = (Date.now() - started) / 1000;
  const simulatedSeconds = Math.round(simulatedUs / 1_000_000);
  if (json) printJson({ seed, runs, failed, seconds, simulatedSeconds, results: shown });
  else if (runs > 1) {
    print(`${runs} seeds, ${failed} failed, ${simulatedSeconds} simulated seconds in ${seconds.toFixed(1)} s`);
  }
  if (failed > 0) process.exitCode = exitViolated;
}
