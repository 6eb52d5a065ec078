/**
 * Bench: a generator and what is told of its runs: loads once, then measures as often as it is asked to, and joins what
 * was recorded with what the machine did meanwhile, and with a verdict on the generator itself. `sweep.ts` and `duel.ts`
 * drive it through many runs.
 */
import { ClusterSystem } from "./cluster-target.ts";
import { type Generator, type GeneratorEvents, LocalGenerator } from "./generator.ts";
import type { LoadReport } from "./load-phase.ts";
import { thisMachine } from "./machine.ts";
import { HiccupWatch, type MachineHiccups } from "./machine-hiccups.ts";
import type { BenchOptions } from "./options.ts";
import { askRealTime } from "./priority.ts";
import { ManyGenerators } from "./processes.ts";
import type { Recording } from "./recording.ts";
import { type BenchResult, percentilesOf, type RunPlan, resultOf } from "./result.ts";
import { seriesOf } from "./series.ts";
import type { System } from "./target.ts";
import { decideVoid } from "./verdict.ts";

/** What one run has measured. */
export interface Measured {
  readonly result: BenchResult;
  readonly recording: Recording;
  /** Null: not asked for. */
  readonly hiccups: MachineHiccups | null;
}

/** What a cluster, or another store, is connected by. */
export type Connect = (options: BenchOptions) => Promise<System>;

/** A cluster of ours. */
export const connectCluster: Connect = ({ seedNodes, workload, plan }) =>
  ClusterSystem.connect({
    seedNodes,
    connectionsPerNode: plan.connections,
    coordination: plan.coordination,
    inFlightMax: plan.inFlightMax,
    workload,
  });

/** The generator of one process; rejects with `RingtailError` when the options or the system do not allow it. */
export async function openGenerator(
  options: BenchOptions,
  events: GeneratorEvents,
  connect: Connect = connectCluster,
): Promise<LocalGenerator> {
  const { workload, plan, timeoutMs, prior } = options;
  if (prior && !askRealTime())
    process.stderr.write("real-time scheduling is not permitted: the generator waits for a CPU as others do\n");
  const system = await connect(options);
  try {
    return new LocalGenerator(system, { workload, seed: plan.seed, timeoutMs, events });
  } catch (error) {
    await system.close();
    throw error;
  }
}

export class Bench {
  readonly #options: BenchOptions;
  readonly #generator: Generator;
  readonly #machine = thisMachine();
  #loaded: LoadReport | null = null;

  private constructor(options: BenchOptions, generator: Generator) {
    this.#options = options;
    this.#generator = generator;
  }

  /** Connects and loads; rejects with `RingtailError`. */
  static async open(options: BenchOptions, events: GeneratorEvents, connect?: Connect): Promise<Bench> {
    const generator =
      options.processes > 1 ? new ManyGenerators(options, events) : await openGenerator(options, events, connect);
    const bench = new Bench(options, generator);
    try {
      bench.#loaded = await generator.load(options.load);
    } catch (error) {
      await generator.close();
      throw error;
    }
    return bench;
  }

  /** As it was asked for. */
  get plan(): RunPlan {
    return this.#options.plan;
  }

  /** One measured run. */
  async run(plan: RunPlan = this.plan): Promise<Measured> {
    const watch = this.#options.hiccups ? await HiccupWatch.start() : undefined;
    try {
      const recording = await this.#generator.measure({ plan, keepsIntervals: this.#options.keepsIntervals });
      const { startedMs } = recording;
      const hiccups = (await watch?.stop(startedMs, startedMs + plan.durationSeconds * 1000)) ?? null;
      return { recording, hiccups, result: this.#resultOf(plan, recording, hiccups) };
    } catch (error) {
      watch?.kill();
      throw error;
    }
  }

  #resultOf(plan: RunPlan, recording: Recording, hiccups: MachineHiccups | null): BenchResult {
    const { recorder, usage } = recording;
    const voided = decideVoid({
      askedRate: plan.rate,
      scheduled: recorder.gets.operations + recorder.puts.operations + recorder.gets.errors + recorder.puts.errors,
      answeredInside: recorder.answeredInside,
      operations: recorder.gets.operations + recorder.puts.operations,
      latenessP999Us: percentilesOf(recorder.lateness)["p99.9"] * 1000,
      windowUs: recorder.to - recorder.from,
      cpuUs: usage.cpuUs,
      waitedUs: usage.waitedUs,
      heldBack: recorder.heldBack,
      inFlightMax: plan.inFlightMax,
      stealShare: usage.stealShare,
      hiccupP999Us: hiccups?.prior === true ? percentilesOf(hiccups.all)["p99.9"] * 1000 : null,
    });
    return resultOf({
      ...{ workload: this.#options.workload, plan, recorder, usage, voided, load: this.#loaded },
      ...{ processes: this.#options.processes, machine: this.#machine, cluster: this.#generator.facts },
      startedAt: new Date(recording.startedMs).toISOString(),
      series: this.#options.keepsIntervals ? seriesOf(recording.intervals) : null,
      hiccups: {
        generator: percentilesOf(recording.stalls),
        machine: hiccups === null ? null : { ...percentilesOf(hiccups.all), prior: hiccups.prior },
      },
    });
  }

  /** Resolves when no connection, and no process, is left. */
  close(): Promise<void> {
    return this.#generator.close();
  }
}

/** One run from connecting to the result. */
export async function runBench(options: BenchOptions, events: GeneratorEvents, connect?: Connect): Promise<Measured> {
  const bench = await Bench.open(options, events, connect);
  try {
    return await bench.run();
  } finally {
    await bench.close();
  }
}
