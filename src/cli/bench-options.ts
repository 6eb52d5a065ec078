/** The options of `ringtail bench` that say what is asked of a cluster and how: their flags, their checks, and what they mean. */
import { Command, CommanderError } from "commander";
import { type DurabilityName, durabilityOf } from "../base/durability.ts";
import { keyBytesMax } from "../base/full-key.ts";
import type { Coordination } from "../client/own-coordination.ts";
import type { ArrivalKind } from "../lab/arrivals.ts";
import { keyBytesMin } from "../lab/key-space.ts";
import { loadModes } from "../lab/load-phase.ts";
import type { BenchOptions } from "../lab/options.ts";
import { pacings } from "../lab/pacing.ts";
import type { RunPlan } from "../lab/result.ts";
import { type Distribution, type Workload, workloads } from "../lab/workloads.ts";
import { valueBytesMax } from "../wire/limits.ts";
import { badArgument, bucketName, wholeNumber } from "./output.ts";
import { addSeedNodes, seedNodesOf } from "./seed-nodes.ts";

const keysMax = 10_000_000;
const secondsMax = 86_400;
const processesMax = 64;
const coordinations: readonly Coordination[] = ["node", "client"];

/** The flags of one kind of load. */
export interface LoadFlags {
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
  readonly coordination: string;
  readonly inFlightMax: string;
  readonly timeoutMs: string;
  readonly seed: string;
  readonly load: string;
  readonly processes: string;
  readonly priority: string;
}

/** Adds them to a command. */
export function addLoadOptions(command: Command): Command {
  return addSeedNodes(command)
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
    .option("--coordination <by>", "who coordinates gets: node, or client", "node")
    .option("--in-flight-max <count>", "operations at once; one that must wait for others voids the run", "16384")
    .option("--timeout-ms <ms>", "of each operation", "1000")
    .option("--seed <number>", "of keys, kinds and arrivals", "1")
    .option("--load <when>", "put the keys first: auto (those that are missing), always or never", "auto")
    .option(
      "--priority <which>",
      "of the generator: normal, or high (real-time scheduling; right where it shares CPUs with nodes)",
      "normal",
    )
    .option("--processes <count>", "generators, each a process with its share of the load", "1");
}

/** One of a few words; throws `INVALID_ARGUMENT` naming them. */
function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === text);
  if (found !== undefined) return found;
  throw badArgument(`${name} is ${text}; allowed: ${allowed.join(", ")}`);
}

/** Seconds, from `min` up; throws `INVALID_ARGUMENT`. */
export function seconds(name: string, text: string, min: number): number {
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= secondsMax) return value;
  throw badArgument(`${name} is ${text}; allowed: seconds, ${min} to ${secondsMax}`);
}

function optional(name: string, text: string | undefined, usual: number, min: number, max: number): number {
  return text === undefined ? usual : wholeNumber(name, text, min, max);
}

function workloadOf(flags: LoadFlags): Workload {
  const named = workloads[oneOf("--workload", flags.workload, Object.keys(workloads))] as Workload;
  const keys = optional("--keys", flags.keys, named.keys, 1, keysMax);
  const distributions: readonly Distribution[] = ["uniform", "zipfian"];
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
    bucket: bucketName(flags.bucket ?? named.bucket),
    durability: (flags.durability as DurabilityName | undefined) ?? named.durability,
    r: optional("--r", flags.r, named.r, 1, 7),
    w: optional("--w", flags.w, named.w, 1, 7),
  };
}

function planOf(flags: LoadFlags): RunPlan {
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
    coordination: oneOf("--coordination", flags.coordination, coordinations),
    inFlightMax,
    seed: wholeNumber("--seed", flags.seed, 0, 0xffff_ffff),
  };
}

/** What the flags ask for; throws `INVALID_ARGUMENT`. */
export function benchOptionsOf(
  flags: LoadFlags,
  extras: Pick<BenchOptions, "keepsIntervals" | "hiccups">,
): BenchOptions {
  const plan = planOf(flags);
  const processes = wholeNumber("--processes", flags.processes, 1, processesMax);
  if (plan.clients !== null && plan.clients < processes)
    throw badArgument(`--processes is ${processes}; allowed: no more than --clients, ${plan.clients}`);
  return {
    seedNodes: seedNodesOf(flags),
    workload: workloadOf(flags),
    plan,
    load: oneOf("--load", flags.load, loadModes),
    timeoutMs: wholeNumber("--timeout-ms", flags.timeoutMs, 1, 600_000),
    processes,
    prior: oneOf("--priority", flags.priority, ["normal", "high"]) === "high",
    ...extras,
  };
}

/** The flags with those of a text over them, as for side B of a duel; throws `INVALID_ARGUMENT`. */
export function changedFlags<T extends LoadFlags>(flags: T, text: string): T {
  const parser = addLoadOptions(new Command("--against")).exitOverride();
  parser.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  try {
    parser.parse(
      text.split(/\s+/).filter((word) => word !== ""),
      { from: "user" },
    );
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw badArgument(`--against is "${text}": ${error.message.replace(/^error: /, "")}`);
  }
  const given = Object.entries(parser.opts()).filter(([name]) => parser.getOptionValueSource(name) === "cli");
  if (given.length === 0) throw badArgument(`--against is "${text}"; allowed: flags that change the load`);
  const names = given.map(([name]) => name);
  // A loop of the one kind has no use for the flags of the other.
  const dropped = names.includes("rate")
    ? ["clients"]
    : names.includes("clients")
      ? ["rate", "arrivals", "pacing"]
      : [];
  const kept = Object.entries(flags).filter(([name]) => !dropped.includes(name));
  return Object.fromEntries([...kept, ...given]) as unknown as T;
}
