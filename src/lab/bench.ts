/**
 * One run of the bench, from connecting to the result: load phase, warm-up, the measured window, and the wait for what is
 * still in flight, so that the slowest operations count like all others.
 */

import { durabilityName } from "../base/durability.ts";
import { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import { bucketBytes, resolveOptions } from "../client/options.ts";
import { defaultOptions, type RequestOptions } from "../client/request.ts";
import { systemClock } from "../io/clock.ts";
import type { Ring } from "../ring/ring.ts";
import { Arrivals } from "./arrivals.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { ClusterTarget } from "./cluster-target.ts";
import { Contexts } from "./contexts.ts";
import { HistogramLog } from "./histogram-log.ts";
import { keyChoice } from "./key-choice.ts";
import { KeySpace } from "./key-space.ts";
import { type LoadMode, type LoadReport, load } from "./load-phase.ts";
import { thisMachine, type Usage, type UsageBetween, usageBetween, usageNow } from "./machine.ts";
import { OpenLoop } from "./open-loop.ts";
import { Pacer } from "./pacing.ts";
import { Recorder } from "./recorder.ts";
import { type BenchResult, type ClusterFacts, percentilesOf, type RunPlan, resultOf } from "./result.ts";
import type { Target } from "./target.ts";
import { Traffic } from "./traffic.ts";
import { decideVoid } from "./verdict.ts";
import type { Workload } from "./workloads.ts";

/** What to run. */
export interface BenchOptions {
  readonly seedNodes: readonly string[];
  readonly workload: Workload;
  readonly plan: RunPlan;
  readonly load: LoadMode;
  /** Of each operation. */
  readonly timeoutMs: number;
  /** Where the HDR log goes; undefined: nowhere. */
  readonly histogramLog: string | undefined;
  /** Whether the result tells each second. */
  readonly series: boolean;
}

/** What a run tells while it goes on. */
export interface BenchEvents {
  onLoading(keys: number): void;
  onKey(): void;
  onLoaded(report: LoadReport): void;
  onRunning(seconds: number): void;
  onSecond(): void;
  onRunEnded(): void;
}

const loadTimeoutUs = 10_000_000;
const secondMs = 1_000;
/** While nothing is left to send. */
const drainPollUs = 5_000;

/** Runs; rejects with `RingtailError` when the options or the cluster do not allow it. */
export async function runBench(options: BenchOptions, events: BenchEvents): Promise<BenchResult> {
  const keeps = options.series || options.histogramLog !== undefined;
  const log = keeps ? new HistogramLog(options.histogramLog) : undefined;
  const { connections, inFlightMax } = options.plan;
  const target = await ClusterTarget.connect({
    seedNodes: options.seedNodes,
    connectionsPerNode: connections,
    inFlightMax,
  });
  try {
    return await new Bench(options, events, target, log).run();
  } finally {
    await target.close();
  }
}

class Bench {
  readonly #options: BenchOptions;
  readonly #events: BenchEvents;
  readonly #target: ClusterTarget;
  readonly #log: HistogramLog | undefined;
  readonly #bucket: Uint8Array;
  readonly #requestOptions: RequestOptions;
  readonly #keySpace: KeySpace;
  readonly #contexts: Contexts;
  readonly #rng: Rng;

  constructor(options: BenchOptions, events: BenchEvents, target: ClusterTarget, log: HistogramLog | undefined) {
    const { workload, plan, timeoutMs } = options;
    this.#options = options;
    this.#events = events;
    this.#target = target;
    this.#log = log;
    this.#bucket = bucketBytes(workload.bucket);
    const settings = {
      r: workload.r === 0 ? undefined : workload.r,
      w: workload.w === 0 ? undefined : workload.w,
      durability: workload.durability ?? undefined,
      // An update of these workloads replaces the whole value, whoever wrote it.
      overwrite: true,
      timeoutMs,
    };
    this.#requestOptions = resolveOptions(defaultOptions, settings, target.ring.policyOf(this.#bucket));
    this.#rng = new Rng(plan.seed);
    const { keys: count, keyBytes, valueBytes } = workload;
    this.#keySpace = new KeySpace({ count, keyBytes, valueBytes, rng: this.#rng.fork("values") });
    this.#contexts = new Contexts(count);
  }

  async run(): Promise<BenchResult> {
    const { workload, plan } = this.#options;
    const machine = thisMachine();
    const loaded = await this.#load();
    const cluster = clusterFacts(this.#target.ring, this.#bucket, workload);
    const startedMs = Date.now() + plan.warmUpSeconds * 1000;
    const { recorder, usage, scheduled } = await this.#measure();
    this.#log?.save(recorder.from, startedMs, [`ringtail bench, workload ${workload.name}, ${cluster.durability}`]);
    const voided = decideVoid({
      askedRate: plan.rate,
      scheduled,
      answeredInside: recorder.answeredInside,
      operations: recorder.gets.operations + recorder.puts.operations,
      latenessP999Us: percentilesOf(recorder.lateness)["p99.9"] * 1000,
      windowUs: recorder.to - recorder.from,
      cpuUs: usage.cpuUs,
      waitedUs: usage.waitedUs,
      heldBack: recorder.heldBack,
      inFlightMax: plan.inFlightMax,
      stealShare: usage.stealShare,
    });
    const startedAt = new Date(startedMs).toISOString();
    const series = this.#options.series ? (this.#log?.series(recorder.from) ?? null) : null;
    return resultOf({ workload, plan, recorder, usage, voided, load: loaded, machine, cluster, startedAt, series });
  }

  async #load(): Promise<LoadReport | null> {
    const { load: mode, workload } = this.#options;
    if (mode === "never") return null;
    this.#events.onLoading(workload.keys);
    const report = await load({
      target: this.#target,
      keySpace: this.#keySpace,
      contexts: this.#contexts,
      bucket: this.#bucket,
      valueBytes: workload.valueBytes,
      requestOptions: { ...this.#requestOptions, timeoutUs: loadTimeoutUs },
      mode,
      onKey: () => this.#events.onKey(),
    });
    this.#events.onLoaded(report);
    return report;
  }

  async #measure(): Promise<{ recorder: Recorder; usage: UsageBetween; scheduled: number }> {
    const { plan } = this.#options;
    const start = this.#target.now();
    const from = after(start, plan.warmUpSeconds * 1_000_000);
    const to = after(from, plan.durationSeconds * 1_000_000);
    const log = this.#log;
    const recorder = new Recorder({
      from,
      to,
      isOpenLoop: plan.mode === "open",
      take: log === undefined ? undefined : (...interval) => log.add(...interval),
    });
    const watch = new Watch(this.#events, recorder, plan);
    this.#events.onRunning(plan.warmUpSeconds + plan.durationSeconds);
    if (plan.mode === "closed") await this.#closedLoop(recorder, to);
    else await this.#openLoop(recorder, start, to);
    this.#events.onRunEnded();
    const usage = watch.end();
    const scheduled = recorder.gets.operations + recorder.puts.operations + recorder.gets.errors + recorder.puts.errors;
    return { recorder, usage, scheduled };
  }

  #traffic(recorder: Recorder, onEnded: (now: Instant) => void): Traffic {
    const { workload } = this.#options;
    return new Traffic({
      target: this.#target,
      recorder,
      keySpace: this.#keySpace,
      contexts: this.#contexts,
      choice: keyChoice(workload.distribution, this.#rng.fork("keys"), workload.keys),
      rng: this.#rng.fork("kinds"),
      readPercent: workload.readPercent,
      bucket: this.#bucket,
      requestOptions: this.#requestOptions,
      onEnded,
    });
  }

  #closedLoop(recorder: Recorder, to: Instant): Promise<void> {
    const target: Target = this.#target;
    return new Promise((resolve) => {
      const turn = (now: Instant): void => {
        loop.fill(now);
        target.flush(now);
        if (now >= to && traffic.inFlight === 0) resolve();
      };
      const traffic = this.#traffic(recorder, () => {
        loop.free();
        target.wantTurn(turn);
      });
      const loop = new ClosedLoop(this.#options.plan.clients ?? 1, (now) => {
        if (now >= to) return false;
        traffic.send(now, now, false);
        return true;
      });
      target.wantTurn(turn);
    });
  }

  #openLoop(recorder: Recorder, start: Instant, until: Instant): Promise<void> {
    const { rate, arrivals: kind, pacing, inFlightMax } = this.#options.plan;
    const target: Target = this.#target;
    const clock = (): Instant => target.now();
    const traffic = this.#traffic(recorder, () => {});
    const arrivals = new Arrivals(kind ?? "poisson", rate ?? 1, this.#rng.fork("arrivals"), start);
    const loop = new OpenLoop({ traffic, arrivals, until, inFlightMax, clock });
    const pacer = new Pacer(pacing ?? "nap", clock, () => {
      const now = clock();
      if (loop.poll(now) > 0) target.flush(now);
      if (loop.next !== never) return loop.next;
      return traffic.inFlight === 0 ? never : after(now, drainPollUs);
    });
    return pacer.run();
  }
}

/** Takes usage at both ends of the window, and ends an interval of the log every second in between. */
class Watch {
  readonly #recorder: Recorder;
  readonly #timers: NodeJS.Timeout[] = [];
  #before: Usage = usageNow();
  #after: Usage | undefined;

  constructor(events: BenchEvents, recorder: Recorder, plan: RunPlan) {
    this.#recorder = recorder;
    this.#timers.push(setInterval(() => events.onSecond(), secondMs));
    this.#at(plan.warmUpSeconds, () => this.#onWindow());
    this.#at(plan.warmUpSeconds + plan.durationSeconds, () => {
      this.#after = usageNow();
    });
  }

  #at(seconds: number, act: () => void): void {
    this.#timers.push(setTimeout(act, seconds * 1000));
  }

  #onWindow(): void {
    this.#before = usageNow();
    this.#timers.push(setInterval(() => this.#recorder.endInterval(systemClock.now()), secondMs));
  }

  /** Everything has been answered. */
  end(): UsageBetween {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#recorder.endInterval(systemClock.now());
    return usageBetween(this.#before, this.#after ?? usageNow());
  }
}

function clusterFacts(ring: Ring, bucket: Uint8Array, workload: Workload): ClusterFacts {
  const policy = ring.policyOf(bucket);
  const durability = workload.durability ?? (policy.durability === 0 ? "unknown" : durabilityName(policy.durability));
  return {
    nodes: ring.members.filter(({ status }) => status !== "left").length,
    epoch: ring.epoch,
    partitions: ring.partitions,
    n: policy.n,
    r: workload.r === 0 ? policy.r : workload.r,
    w: workload.w === 0 ? policy.w : workload.w,
    durability,
  };
}
