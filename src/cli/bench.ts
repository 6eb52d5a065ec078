/**
 * `ringtail bench`: load on a cluster, with a percentile report, HDR logs, plots, and a verdict on the generator itself:
 * one run, a sweep to the knee (`bench-sweep.ts`), or two ways of running it against each other (`bench-duel.ts`).
 */
import type { Command } from "commander";
import { runBench } from "../lab/bench.ts";
import { runPage } from "../lab/page/pages.ts";
import { reportOf } from "../lab/report.ts";
import type { BenchResult } from "../lab/result.ts";
import { addCompare, runAgainst } from "./bench-duel.ts";
import type { BenchFlags } from "./bench-flags.ts";
import { addLoadOptions, benchOptionsOf } from "./bench-options.ts";
import { addOutputOptions, BenchOutput, progressOf } from "./bench-output.ts";
import { sweep } from "./bench-sweep.ts";
import { badArgument, print, printJson, printTable } from "./output.ts";

const examples = `
Workloads (YCSB): a  50 % gets, 50 % puts    b  95 % gets, 5 % puts    c  gets only

Examples:
  ringtail bench                                    as fast as 64 clients go, half gets, half puts
  ringtail bench --rate 5000                        5,000 operations a second, whatever becomes of them
  ringtail bench --workload b --clients 16 --durability memory
  ringtail bench --rate 5000 --hlog run.hlog --json > run.json
  ringtail bench --rate 5000 --report run.html      spectrum, time series and events as one HTML file
  ringtail bench --sweep --slo-ms 10 --report sweep.html      rates up to where p99.9 passes 10 ms
  ringtail bench --rate 2000 --durability memory --against "--durability durable" --blocks 10
  ringtail bench compare old.hlog new.hlog          two runs of earlier, by their logs

A closed loop (--clients) shows what the cluster can do. An open loop (--rate) shows how it feels: latency is measured
from the instant at which an operation should have begun, so that stalls are seen by all that waited. A run in which the
generator could not keep up says VOIDED first; the status is 0 all the same, or 40 with --strict-void.`;

const exitVoided = 40;

/** Adds the command. */
export function addBench(program: Command): void {
  const command = program.command("bench").description("load on a cluster, with a percentile report");
  // The flags of `bench compare` are its own.
  command.enablePositionalOptions();
  addOutputOptions(addLoadOptions(command))
    .option("--series", "tell each second: p50, p99, p99.9 and the slowest")
    .option("--sweep", "open loop at rising rates, from --rate (default: 1000) to the knee")
    .option("--slo-ms <ms>", "with --sweep: what p99.9 may be (default: 10)")
    .option("--rate-max <per-second>", "with --sweep: no rate above this (default: 1000000)")
    .option(
      "--against <flags>",
      "the same load with these flags instead, in interleaved blocks: A is without, B with them",
    )
    .option("--blocks <count>", "with --against: pairs of blocks, each of --duration (default: 10)")
    .option("--strict-void", "end with status 40 when the run is void")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples)
    .action(bench);
  addCompare(command);
}

async function bench(flags: BenchFlags): Promise<void> {
  for (const [name, needs] of [
    ["sloMs", "sweep"],
    ["rateMax", "sweep"],
    ["blocks", "against"],
  ] as const) {
    if (flags[name] !== undefined && flags[needs] === undefined)
      throw badArgument(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} needs --${needs}`);
  }
  if (flags.sweep === true && flags.against !== undefined)
    throw badArgument("both --sweep and --against were given; allowed: one of them");
  const results =
    flags.sweep === true
      ? await sweep(flags)
      : flags.against === undefined
        ? [await run(flags)]
        : await runAgainst(flags, flags.against);
  if (flags.strictVoid === true && results.some(({ voided }) => voided !== null)) process.exitCode = exitVoided;
}

async function run(flags: BenchFlags): Promise<BenchResult> {
  const output = new BenchOutput(flags);
  const keepsIntervals = flags.series === true || output.wantsIntervals;
  const options = benchOptionsOf(flags, { keepsIntervals, hiccups: output.wantsHiccups });
  const measured = await runBench(options, progressOf(flags.json !== true));
  const { result } = measured;
  // A report keeps intervals, too; they are told where they were asked for.
  const told = flags.series === true ? result : { ...result, series: null };
  if (flags.json === true) printJson(told);
  else printReport(told);
  output.saveLog("", measured);
  await output.savePage(async () => {
    const happenings = await output.happenings(flags, measured.recording.startedMs, options.plan.durationSeconds);
    return runPage(measured, { commands: output.commands, happenings });
  });
  return result;
}

function printReport(result: BenchResult): void {
  const { before, table, after, series } = reportOf(result);
  print(...before);
  printTable(table);
  print(...after);
  if (series.length > 0) {
    print("");
    printTable(series);
  }
}
