/**
 * ManyGenerators: several generators, each in a process of its own with its share of the rate or of the clients, as one. The
 * first one loads; then the others read every key for its context; runs begin at one instant of the wall clock; what they
 * recorded is merged. `worker.ts` is the program of such a process.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ErrorCode, RingtailError } from "../base/errors.ts";
import type { Generator, GeneratorEvents, RunOptions } from "./generator.ts";
import type { LoadMode, LoadReport } from "./load-phase.ts";
import type { BenchOptions } from "./options.ts";
import { mergeRecordings, type PackedRecording, type Recording, unpackRecording } from "./recording.ts";
import type { RunPlan } from "./result.ts";
import type { SystemFacts } from "./target.ts";

/** What a process is told, each answered by one `Answered`. */
export type Order =
  | { readonly kind: "open"; readonly options: BenchOptions }
  | { readonly kind: "load"; readonly mode: LoadMode }
  | { readonly kind: "measure"; readonly run: RunOptions };

/** What a process answers, `Answered`, or tells unasked. */
export type Told =
  | { readonly kind: "answered"; readonly facts: SystemFacts; readonly value: unknown }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "loading" | "keys" | "running"; readonly count: number }
  | { readonly kind: "second" };

const program = fileURLToPath(new URL("./worker.js", import.meta.url));
/** From the order to the beginning of a run: every process has heard it by then. */
const headStartMs = 250;

export class ManyGenerators implements Generator {
  readonly #workers: readonly Worker[];
  readonly #options: BenchOptions;
  readonly #events: GeneratorEvents;
  #facts: SystemFacts | undefined;

  constructor(options: BenchOptions, events: GeneratorEvents) {
    this.#options = options;
    this.#events = events;
    this.#workers = Array.from({ length: options.processes }, (_, i) => new Worker(i === 0 ? events : undefined));
  }

  get facts(): SystemFacts {
    return this.#facts as SystemFacts;
  }

  async load(mode: LoadMode): Promise<LoadReport | null> {
    const plans = splitPlan(this.#options.plan, this.#options.processes);
    await this.#all((worker, i) => {
      const options = { ...this.#options, plan: plans[i] as RunPlan };
      return worker.order({ kind: "open", options });
    });
    const [first, ...others] = this.#workers;
    const report = (await first?.order({ kind: "load", mode })) as LoadReport | null;
    await Promise.all(others.map((worker) => worker.order({ kind: "load", mode: mode === "never" ? mode : "auto" })));
    this.#facts = first?.facts;
    if (report !== null) this.#events.onLoaded(report);
    return report;
  }

  async measure({ plan, keepsIntervals }: RunOptions): Promise<Recording> {
    const plans = splitPlan(plan, this.#workers.length);
    const atMs = Date.now() + headStartMs;
    const packed = await this.#all((worker, i) => {
      return worker.order({ kind: "measure", run: { plan: plans[i] as RunPlan, keepsIntervals, atMs } });
    });
    this.#events.onRunEnded();
    const recordings = packed.map((one) => unpackRecording(one as PackedRecording));
    return mergeRecordings(recordings as [Recording, ...Recording[]]);
  }

  #all(order: (worker: Worker, i: number) => Promise<unknown>): Promise<unknown[]> {
    return Promise.all(this.#workers.map(order));
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}

/** Each process's part of a plan: the whole of it, no more and no less, and draws of its own. */
export function splitPlan(plan: RunPlan, processes: number): RunPlan[] {
  const part = (whole: number, i: number): number => Math.floor(whole / processes) + (i < whole % processes ? 1 : 0);
  return Array.from({ length: processes }, (_, i) => ({
    ...plan,
    clients: plan.clients === null ? null : part(plan.clients, i),
    rate: plan.rate === null ? null : plan.rate / processes,
    inFlightMax: Math.ceil(plan.inFlightMax / processes),
    seed: (plan.seed + i) >>> 0,
  }));
}

/** One process. */
class Worker {
  facts: SystemFacts | undefined;
  readonly #child: ChildProcess;
  readonly #events: GeneratorEvents | undefined;
  #settle: { resolve: (value: unknown) => void; reject: (error: RingtailError) => void } | undefined;
  #ended = false;

  /** With `events` it tells its progress. */
  constructor(events: GeneratorEvents | undefined) {
    this.#events = events;
    this.#child = fork(program, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", (told) => this.#onTold(told as Told));
    this.#child.once("exit", (code, signal) => {
      this.#ended = true;
      const how = code === null ? `by ${signal}` : `with status ${code}`;
      this.#settle?.reject(new RingtailError("CONNECTION_LOST", `a generator's process ended ${how}`));
    });
  }

  /** One at a time. */
  order(order: Order): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#ended) reject(new RingtailError("CONNECTION_LOST", "a generator's process has ended"));
      else this.#child.send(order);
    });
  }

  #onTold(told: Told): void {
    if (told.kind === "answered") {
      this.facts = told.facts;
      this.#settle?.resolve(told.value);
    } else if (told.kind === "failed") this.#settle?.reject(new RingtailError(told.code, told.message));
    else if (told.kind === "loading") this.#events?.onLoading(told.count);
    else if (told.kind === "keys") this.#events?.onKeys(told.count);
    else if (told.kind === "running") this.#events?.onRunning(told.count);
    else this.#events?.onSecond();
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#settle = undefined;
    this.#child.disconnect();
    await ended;
  }
}
