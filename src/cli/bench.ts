/** `ringtail bench`: load on a cluster, with a percentile report, an HDR log, and a verdict on the generator itself. */
import type { Command } from "commander";
import { type DurabilityName, durabilityOf } from "../base/durability.ts";
import { bucketBytesMax, keyBytesMax } from "../base/full-key.ts";
import type { ArrivalKind } from "../lab/arrivals.ts";
import { type BenchEvents, type BenchOptions, runBench } from "../lab/bench.ts";
import { keyBytesMin } from "../lab/key-space.ts";
import { loadModes } from "../lab/load-phase.ts";
import { pacings } from "../lab/pacing.ts";
import { reportOf } from "../lab/report.ts";
import type { BenchResult, RunPlan } from "../lab/result.ts";
import { type Distribution, type Workload, workloads } from "../lab/workloads.ts";
import { valueBytesMax } from "../wire/limits.ts";
import { badArgument, type JsonOption, print, printJson, printTable, wholeNumber } from "./output.ts";
import { Progress } from "./progress.ts";
import { addSeedNodes, seedNodesOf } from "./seed-nodes.ts";

const examples = `
Workloads (YCSB): a  50 % gets, 50 % puts    b  95 % gets, 5 % puts    c  gets only

Examples:
  ringtail bench                                    as fast as 64 clients go, half gets, half puts
  ringtail bench --rate 5000                        5,000 operations a second, whatever becomes of them
  ringtail bench --workload b --clients 16 --durability memory
  ringtail bench --rate 5000 --hlog run.hlog --json > run.json

A closed loop (--clients) shows what the cluster can do. An open loop (--rate) shows how it feels: latency is measured
from the instant at which an operation should have begun, so that stalls are seen by all that waited. A run in which the
generator could not keep up says VOIDED first; the status is 0 all the same, or 40 with --strict-void.`;

const exitVoided = 40;
const keysMax = 10_000_000;
const secondsMax = 86_400;

interface BenchFlags extends JsonOption {
  readonly seedNode?: readonly string[];
  readonly workload: string;
  readonly reads?: string;
  readonly keys?: string;
  readonly keyBytes?: string;
  readonly valueBytes?: string;
  readonly distribution?: string;
  readonly bucket?: string;
  readonly durability?: string;
  readonly r?: string;
  readonly w?: string;
  readonly clients?: string;
  readonly rate?: string;
  readonly arrivals?: string;
  readonly pacing?: string;
  readonly duration: string;
  readonly warmUp: string;
  readonly connections: string;
  readonly inFlightMax: string;
  readonly timeoutMs: string;
  readonly seed: string;
  readonly load: string;
  readonly hlog?: string;
  readonly series?: boolean;
  readonly strictVoid?: boolean;
}

/** Adds the command. */
export function addBench(program: Command): void {
  addSeedNodes(program.command("bench").description("load on a cluster, with a percentile report"))
    .option("--workload <name>", "a, b or c, as below; the options that follow override it", "a")
    .option("--reads <percent>", "how many of 100 operations are gets")
    .option("--keys <count>", "how many keys (default: 100000)")
    .option("--key-bytes <bytes>", "size of a key (default: 16)")
    .option("--value-bytes <bytes>", "size of a value (default: 1024)")
    .option("--distribution <name>", "uniform, or zipfian (scrambled, 0.99; the default)")
    .option("--bucket <name>", "where the keys are (default: bench)")
    .option("--durability <mode>", "memory, buffered, one-durable or durable (default: the bucket's)")
    .option("--r <count>", "how many replicas must answer a get (default: the bucket's)")
    .option("--w <count>", "how many replicas must acknowledge a put (default: the bucket's)")
    .option("--clients <count>", "closed loop: so many operations at once (default: 64)")
    .option("--rate <per-second>", "open loop: so many operations a second")
    .option("--arrivals <kind>", "with --rate: poisson (default) or constant")
    .option(
      "--pacing <way>",
      "with --rate, how to wait for the next send: nap (default), spin (takes a whole CPU) or timer",
    )
    .option("--duration <seconds>", "the measured part", "20")
    .option("--warm-up <seconds>", "before it, with the same load", "5")
    .option("--connections <count>", "per node, 1 to 8", "1")
    .option("--in-flight-max <count>", "operations at once; one that must wait for others voids the run", "16384")
    .option("--timeout-ms <ms>", "of each operation", "1000")
    .option("--seed <number>", "of keys, kinds and arrivals", "1")
    .option("--load <when>", "put the keys first: auto (those that are missing), always or never", "auto")
    .option("--hlog <file>", "write an HDR histogram log (format 1.3, one line a second for gets and for puts)")
    .option("--series", "tell each second: p50, p99, p99.9 and the slowest")
    .option("--strict-void", "end with status 40 when the run is void")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples)
    .action(bench);
}

/** One of a few words; throws `INVALID_ARGUMENT` naming them. */
function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === text);
  if (found !== undefined) return found;
  throw badArgument(`${name} is ${text}; allowed: ${allowed.join(", ")}`);
}

function seconds(name: string, text: string, min: number): number {
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= secondsMax) return value;
  throw badArgument(`${name} is ${text}; allowed: seconds, ${min} to ${secondsMax}`);
}

function optional(name: string, text: string | undefined, usual: number, min: number, max: number): number {
  return text === undefined ? usual : wholeNumber(name, text, min, max);
}

function workloadOf(flags: BenchFlags): Workload {
  const named = workloads[oneOf("--workload", flags.workload, Object.keys(workloads))] as Workload;
  const keys = optional("--keys", flags.keys, named.keys, 1, keysMax);
  const distributions: readonly Distribution[] = ["uniform", "zipfian"];
  const bucket = flags.bucket ?? named.bucket;
  const bucketBytes = Buffer.byteLength(bucket);
  if (bucketBytes < 1 || bucketBytes > bucketBytesMax)
    throw badArgument(`--bucket has ${bucketBytes} bytes; allowed: 1 to ${bucketBytesMax}`);
  if (flags.durability !== undefined) durabilityOf(flags.durability);
  return {
    name: named.name,
    readPercent: optional("--reads", flags.reads, named.readPercent, 0, 100),
    keys,
    keyBytes: optional(
      "--key-bytes",
      flags.keyBytes,
      Math.max(named.keyBytes, keyBytesMin(keys)),
      keyBytesMin(keys),
      keyBytesMax,
    ),
    valueBytes: optional("--value-bytes", flags.valueBytes, named.valueBytes, 0, valueBytesMax),
    distribution:
      flags.distribution === undefined
        ? named.distribution
        : oneOf("--distribution", flags.distribution, distributions),
    bucket,
    durability: (flags.durability as DurabilityName | undefined) ?? named.durability,
    r: optional("--r", flags.r, named.r, 1, 7),
    w: optional("--w", flags.w, named.w, 1, 7),
  };
}

function planOf(flags: BenchFlags): RunPlan {
  const isOpen = flags.rate !== undefined;
  if (isOpen && flags.clients !== undefined)
    throw badArgument("both --rate and --clients were given; allowed: one of them (an open or a closed loop)");
  for (const name of ["arrivals", "pacing"] as const)
    if (!isOpen && flags[name] !== undefined) throw badArgument(`--${name} needs --rate`);
  const inFlightMax = wholeNumber("--in-flight-max", flags.inFlightMax, 1, 65_536);
  const arrivalKinds: readonly ArrivalKind[] = ["poisson", "constant"];
  return {
    mode: isOpen ? "open" : "closed",
    clients: isOpen ? null : wholeNumber("--clients", flags.clients ?? "64", 1, inFlightMax),
    rate: isOpen ? wholeNumber("--rate", flags.rate as string, 1, 1_000_000) : null,
    arrivals: isOpen ? oneOf("--arrivals", flags.arrivals ?? "poisson", arrivalKinds) : null,
    pacing: isOpen ? oneOf("--pacing", flags.pacing ?? "nap", pacings) : null,
    durationSeconds: seconds("--duration", flags.duration, 0.1),
    warmUpSeconds: seconds("--warm-up", flags.warmUp, 0),
    connections: wholeNumber("--connections", flags.connections, 1, 8),
    inFlightMax,
    seed: wholeNumber("--seed", flags.seed, 0, 0xffff_ffff),
  };
}

async function bench(flags: BenchFlags): Promise<void> {
  const options: BenchOptions = {
    seedNodes: seedNodesOf(flags),
    workload: workloadOf(flags),
    plan: planOf(flags),
    load: oneOf("--load", flags.load, loadModes),
    timeoutMs: wholeNumber("--timeout-ms", flags.timeoutMs, 1, 600_000),
    histogramLog: flags.hlog,
    series: flags.series === true,
  };
  const result = await runBench(options, progressOf(flags.json !== true));
  if (flags.json === true) printJson(result);
  else printReport(result);
  if (result.voided !== null && flags.strictVoid === true) process.exitCode = exitVoided;
}

function progressOf(shown: boolean): BenchEvents {
  let progress: Progress | undefined;
  return {
    onLoading: (keys) => {
      progress = new Progress("loading keys", keys, shown);
    },
    onKey: () => progress?.step(),
    onLoaded: ({ read, written }) => {
      progress?.end();
      if (shown) process.stderr.write(`loaded: ${written} keys written, ${read} read\n`);
    },
    onRunning: (total) => {
      progress = new Progress("running, seconds", Math.ceil(total), shown);
    },
    onSecond: () => progress?.step(),
    onRunEnded: () => progress?.end(),
  };
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
