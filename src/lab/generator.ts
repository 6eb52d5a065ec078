/**
 * Generator: loads a system with a workload, as often as it is asked to: the load phase once, then measured runs, each with
 * a plan of its own. LocalGenerator does so in this process; `processes.ts` in several. A run is warm-up, the measured
 * window, and the wait for what is still in flight, so that the slowest operations count like all others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import { Arrivals } from "./arrivals.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { Contexts } from "./contexts.ts";
import { LoopMeter } from "./hiccups.ts";
import { keyChoice } from "./key-choice.ts";
import { KeySpace } from "./key-space.ts";
import { type LoadMode, type LoadReport, load } from "./load-phase.ts";
import { type Usage, usageBetween, usageNow } from "./machine.ts";
import { OpenLoop } from "./open-loop.ts";
import { Pacer } from "./pacing.ts";
import { type IntervalTaker, Recorder } from "./recorder.ts";
import type { Interval, Recording } from "./recording.ts";
import type { RunPlan } from "./result.ts";
import type { System, SystemFacts, Target } from "./target.ts";
import { Traffic } from "./traffic.ts";
import type { Workload } from "./workloads.ts";

/** What a generator tells while it works. */
export interface GeneratorEvents {
  onLoading(keys: number): void;
  /** So many keys more are done. */
  onKeys(count: number): void;
  onLoaded(report: LoadReport): void;
  onRunning(seconds: number): void;
  onSecond(): void;
  onRunEnded(): void;
}

/** One measured run. */
export interface RunOptions {
  readonly plan: RunPlan;
  /** Whether the recording has intervals of a second each; of more where there would be too many of them. */
  readonly keepsIntervals: boolean;
  /** When the run begins, on the wall clock: several processes begin together. Undefined: now. */
  readonly atMs?: number | undefined;
}

export interface Generator {
  /** As of now. */
  readonly facts: SystemFacts;
  /** Null: nothing was loaded. */
  load(mode: LoadMode): Promise<LoadReport | null>;
  measure(options: RunOptions): Promise<Recording>;
  close(): Promise<void>;
}

const loadTimeoutUs: DurationUs = 10_000_000;
const secondMs = 1_000;
const usPerSecond = 1_000_000;
/** While nothing is left to send. */
const drainPollUs = 5_000;
/** Their histograms are kept until the run is over: 140 KiB each. */
const intervalsMax = 1_800;

export class LocalGenerator implements Generator {
  readonly #system: System;
  readonly #workload: Workload;
  readonly #events: GeneratorEvents;
  readonly #target: Target;
  readonly #keySpace: KeySpace;
  readonly #contexts: Contexts;

  /** Throws `RingtailError` when the system does not allow what the workload asks for. */
  constructor(
    system: System,
    options: { workload: Workload; seed: number; timeoutMs: number; events: GeneratorEvents },
  ) {
    const { workload, seed, timeoutMs, events } = options;
    this.#system = system;
    this.#workload = workload;
    this.#events = events;
    this.#target = system.target(timeoutMs * 1000);
    const { keys: count, keyBytes, valueBytes } = workload;
    this.#keySpace = new KeySpace({ count, keyBytes, valueBytes, rng: new Rng(seed).fork("values") });
    this.#contexts = new Contexts(count, system.seenBy);
  }

  get facts(): SystemFacts {
    return this.#system.facts;
  }

  async load(mode: LoadMode): Promise<LoadReport | null> {
    if (mode === "never") return null;
    this.#events.onLoading(this.#workload.keys);
    const report = await load({
      target: this.#system.target(loadTimeoutUs),
      keySpace: this.#keySpace,
      contexts: this.#contexts,
      valueBytes: this.#workload.valueBytes,
      mode,
      onKey: () => this.#events.onKeys(1),
    });
    this.#events.onLoaded(report);
    return report;
  }

  async measure({ plan, keepsIntervals, atMs }: RunOptions): Promise<Recording> {
    if (atMs !== undefined) await sleep(Math.max(0, atMs - Date.now()));
    const start = this.#target.now();
    const startedMs = Date.now() + plan.warmUpSeconds * secondMs;
    const from = after(start, plan.warmUpSeconds * usPerSecond);
    const to = after(from, plan.durationSeconds * usPerSecond);
    const intervals: Interval[] = [];
    const take: IntervalTaker = (begin, end, gets, puts) => {
      intervals.push({ from: (begin - from) / usPerSecond, to: (end - from) / usPerSecond, gets, puts });
    };
    const recorder = new Recorder({
      from,
      to,
      isOpenLoop: plan.mode === "open",
      take: keepsIntervals ? take : undefined,
    });
    const watch = new Watch(this.#events, () => recorder.endInterval(this.#target.now()), plan);
    this.#events.onRunning(plan.warmUpSeconds + plan.durationSeconds);
    if (plan.mode === "closed") await this.#closedLoop(plan, recorder, to);
    else await this.#openLoop(plan, recorder, start, to);
    this.#events.onRunEnded();
    return { recorder, intervals, startedMs, ...watch.end() };
  }

  #traffic(plan: RunPlan, recorder: Recorder, onEnded: (now: Instant) => void): Traffic {
    const { distribution, keys, readPercent } = this.#workload;
    const rng = new Rng(plan.seed);
    return new Traffic({
      target: this.#target,
      recorder,
      keySpace: this.#keySpace,
      contexts: this.#contexts,
      choice: keyChoice(distribution, rng.fork("keys"), keys),
      rng: rng.fork("kinds"),
      readPercent,
      onEnded,
    });
  }

  #closedLoop(plan: RunPlan, recorder: Recorder, to: Instant): Promise<void> {
    const target = this.#target;
    return new Promise((resolve) => {
      const turn = (now: Instant): void => {
        loop.fill(now);
        target.flush(now);
        if (now >= to && traffic.inFlight === 0) resolve();
      };
      const traffic = this.#traffic(plan, recorder, () => {
        loop.free();
        target.wantTurn(turn);
      });
      const loop = new ClosedLoop(plan.clients ?? 1, (now) => {
        if (now >= to) return false;
        traffic.send(now, now, false);
        return true;
      });
      target.wantTurn(turn);
    });
  }

  #openLoop(plan: RunPlan, recorder: Recorder, start: Instant, until: Instant): Promise<void> {
    const { rate, arrivals: kind, pacing, inFlightMax, seed } = plan;
    const target = this.#target;
    const clock = (): Instant => target.now();
    const traffic = this.#traffic(plan, recorder, () => {});
    const arrivals = new Arrivals(kind ?? "poisson", rate ?? 1, new Rng(seed).fork("arrivals"), start);
    const loop = new OpenLoop({ traffic, arrivals, until, inFlightMax, clock });
    const pacer = new Pacer(pacing ?? "nap", clock, () => {
      const now = clock();
      if (loop.poll(now) > 0) target.flush(now);
      if (loop.next !== never) return loop.next;
      return traffic.inFlight === 0 ? never : after(now, drainPollUs);
    });
    return pacer.run();
  }

  close(): Promise<void> {
    return this.#system.close();
  }
}

/** Takes usage at both ends of the window, and in between ends intervals and measures the process's own stalls. */
class Watch {
  readonly #meter = new LoopMeter();
  readonly #endInterval: () => void;
  readonly #timers: NodeJS.Timeout[] = [];
  #interval: NodeJS.Timeout | undefined;
  #before: Usage = usageNow();
  #after: Usage | undefined;

  constructor(events: GeneratorEvents, endInterval: () => void, plan: RunPlan) {
    this.#endInterval = endInterval;
    this.#timers.push(setInterval(() => events.onSecond(), secondMs));
    this.#at(plan.warmUpSeconds, () => this.#onWindow(Math.ceil(plan.durationSeconds / intervalsMax)));
    this.#at(plan.warmUpSeconds + plan.durationSeconds, () => {
      this.#after = usageNow();
      this.#meter.stop();
    });
  }

  #at(seconds: number, act: () => void): void {
    this.#timers.push(setTimeout(act, seconds * secondMs));
  }

  #onWindow(intervalSeconds: number): void {
    this.#before = usageNow();
    this.#meter.start();
    this.#beat(performance.now(), secondMs * intervalSeconds, 1);
  }

  /** Intervals end on whole seconds of the window: lateness does not add up, and all processes end theirs together. */
  #beat(windowMs: number, lengthMs: number, next: number): void {
    const end = (): void => {
      this.#endInterval();
      const passed = Math.floor((performance.now() - windowMs) / lengthMs);
      this.#beat(windowMs, lengthMs, Math.max(passed, next) + 1);
    };
    this.#interval = setTimeout(end, windowMs + next * lengthMs - performance.now());
  }

  /** Everything has been answered. */
  end(): Pick<Recording, "usage" | "stalls"> {
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#interval);
    this.#meter.stop();
    this.#endInterval();
    return { usage: usageBetween(this.#before, this.#after ?? usageNow()), stalls: this.#meter.stalls };
  }
}
