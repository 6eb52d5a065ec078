/**
 * Run: one seed from an empty world to a verdict (reliability.md section 5.9): warm-up, chaos, heal, convergence by reads, audit. A run is
 * a pure function of its options; its trace hash proves it. A run that shows a violation is run again with recording
 * on, for the readable trace: the second hash must equal the first.
 */
import { Durability } from "../base/durability.ts";
import { listenForMarks } from "../base/mark.ts";
import { Rng } from "../base/rng.ts";
import { type DurationUs, instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import { Audit, type Invariant, ownersOf } from "./audit.ts";
import type { SimClient } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { tellFrames } from "./describe.ts";
import { drawFaults, type Fault, Faults, losesCopies } from "./faults.ts";
import { ackedWritesSurvive } from "./invariants/acked-writes-survive.ts";
import { causality } from "./invariants/causality.ts";
import { CountersRise } from "./invariants/counters-rise.ts";
import { DotsUnique } from "./invariants/dots-unique.ts";
import { noPhantomValues } from "./invariants/no-phantom-values.ts";
import { operationsEnd } from "./invariants/operations-end.ts";
import { checkQueues, queuesDrain } from "./invariants/queues-bounded.ts";
import { QuorumHonoured } from "./invariants/quorum-honoured.ts";
import { replicasConverge } from "./invariants/replicas-converge.ts";
import { judge } from "./oracle.ts";
import { drawPlan, type FaultClass, type RunPlan } from "./plan.ts";
import { poisoned } from "./poison.ts";
import { lineText, type TraceLine } from "./trace.ts";
import type { Report, Violation } from "./violation.ts";
import { Workload } from "./workload.ts";

const endInvariants: readonly Invariant[] = [
  ackedWritesSurvive,
  noPhantomValues,
  causality,
  replicasConverge,
  queuesDrain,
  operationsEnd,
];

/** What to run. Whatever is not given is drawn from the seed. */
export interface RunOptions {
  readonly seed: number;
  readonly nodes?: number;
  /** Fields of the plan to use instead of the drawn ones. */
  readonly plan?: Partial<RunPlan>;
  /** A schedule of faults to use instead of the drawn one. */
  readonly faults?: readonly Fault[];
}

export interface RunStats {
  readonly events: number;
  readonly simulatedUs: DurationUs;
  readonly operations: number;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  readonly faults: number;
  readonly faultClasses: readonly FaultClass[];
  /** Rare branches that were taken, with counts: base/mark.ts. */
  readonly marks: Readonly<Record<string, number>>;
}

export interface RunResult {
  readonly seed: number;
  /** 16 hexadecimal digits: equal for equal options, always. */
  readonly hash: string;
  readonly plan: RunPlan;
  /** The schedule that was used. Seed, plan and faults together are a tape: they repeat the run for ever. */
  readonly faults: readonly Fault[];
  readonly stats: RunStats;
  readonly violations: readonly Violation[];
  /** After a violation: readable lines, those that touch the failing key and the last ones. */
  readonly trace: readonly string[];
}

const violationsMax = 40;
const healWithinUs: DurationUs = 30_000_000;
const convergeWithinUs: DurationUs = 30_000_000;
const convergeRoundsMax = 5;
const queueCheckUs: DurationUs = 250_000;
const settleUs: DurationUs = 300_000;
const quietUs: DurationUs = 1_500_000;

class Run {
  readonly plan: RunPlan;
  readonly cluster: Cluster;
  readonly violations: Violation[] = [];
  readonly #options: RunOptions;
  readonly #schedule: readonly Fault[];
  readonly #report: Report;
  #faults: Faults | undefined;
  #ring: Ring | undefined;

  constructor(options: RunOptions, plan: RunPlan, recording: boolean) {
    this.#options = options;
    this.plan = plan;
    this.cluster = new Cluster(plan, recording);
    this.#report = (violation) => {
      if (this.violations.length < violationsMax) this.violations.push(violation);
    };
    this.#schedule = options.faults ?? drawFaults(plan, this.cluster.world.rng.fork("faults"));
    if (recording) tellFrames(this.cluster.world.network);
  }

  /** All phases. An exception out of them is a client's: nodes are caught where they are entered. */
  go(): void {
    try {
      this.#phases();
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#blame("client-threw", `a client could make no sense of what it got: ${reason}`);
    }
  }

  /** Ends early when a node has died of itself. */
  #phases(): void {
    const { cluster } = this;
    this.#watch();
    cluster.boot();
    if (!cluster.awaitReady()) this.#blame("cluster-never-ready", "not every node became ready");
    else if (this.#chaos() && this.#heal() && this.#converge()) this.#audit();
    for (const death of cluster.world.deaths) {
      const text = `${death.node.name}: ${death.reason}`;
      this.#report({ at: death.at, invariant: "node-died", text });
    }
  }

  #watch(): void {
    const { ledger, world } = this.cluster;
    ledger.watch(new DotsUnique((key) => this.cluster.partitionOf(key), this.#report));
    if (this.plan.durability === Durability.memory) return;
    const numberOf = (seat: number): number => this.cluster.nodeAt(seat)?.shared.number ?? 0;
    const lifeOf = (seat: number): number => world.nodes[seat]?.life ?? 0;
    ledger.watch(new CountersRise(numberOf, lifeOf, this.#report));
  }

  #blame(invariant: string, text: string): void {
    this.#report({ at: this.cluster.world.now, invariant, text });
  }

  get #dead(): boolean {
    return this.cluster.world.deaths.length > 0;
  }

  #pass(duration: DurationUs): void {
    const { world } = this.cluster;
    const until = instant(world.now + duration);
    while (!this.#dead && world.now < until) {
      world.runFor(Math.min(queueCheckUs, until - world.now));
      checkQueues(this.cluster, this.#report);
    }
  }

  #until(within: DurationUs, condition: () => boolean): boolean {
    const { world } = this.cluster;
    return world.runUntil(instant(world.now + within), () => this.#dead || condition()) && !this.#dead;
  }

  #chaos(): boolean {
    const { cluster, plan } = this;
    const quorum = new QuorumHonoured(cluster, this.#report);
    for (let i = 0; i < plan.clients; i += 1) cluster.addClient(quorum).fetchRing();
    const workload = new Workload(plan, cluster.world, cluster.clients);
    this.#faults = new Faults({
      world: cluster.world,
      drives: cluster.drives,
      clients: cluster.clients,
      onClientCrash: (client) => workload.onClientCrash(client),
    });
    cluster.world.excuse = (node, reason) => this.#faults?.excuses(node, reason) ?? false;
    this.#ring = cluster.nodeAt(0)?.ring;
    workload.start();
    this.#pass(plan.warmUpUs);
    this.#faults.schedule(cluster.world.now, this.#schedule);
    this.#pass(plan.chaosUs);
    workload.stop();
    if (this.#until(3 * plan.deadlineUs, () => workload.idle)) return true;
    if (!this.#dead) this.#blame("operations-end", "the clients did not come to rest after the chaos");
    return false;
  }

  #heal(): boolean {
    const { world } = this.cluster;
    const faults = this.#faults as Faults;
    faults.heal(world.now);
    const ready = this.#until(healWithinUs, () => {
      faults.bootDead(world.now);
      return world.nodes.every((node) => node.ready);
    });
    if (!ready && !this.#dead) this.#blame("cluster-not-ready-after-heal", "not every node became ready again");
    // What stalled in a split arrives late: a put that its client gave up long ago may still happen.
    this.#pass(quietUs);
    return ready && !this.#dead;
  }

  /**
   * Reads every key at R = N, from one coordinator after the other, until all owners hold the same; then once more from
   * every coordinator, for the oracle.
   */
  #converge(): boolean {
    const reader = this.cluster.addClient(undefined, true);
    const keys = this.cluster.history.keys();
    const { nodes } = this.plan;
    for (let round = 0; round < convergeRoundsMax; round += 1) {
      if (!this.#readAll(reader, keys, (index) => [(index + round) % nodes], false)) return false;
      this.#pass(settleUs);
      if (!this.#dead && this.#converged(keys)) break;
    }
    const everywhere = Array.from({ length: nodes }, (_, node) => node);
    if (!this.#readAll(reader, keys, () => everywhere, true)) return false;
    this.#pass(quietUs);
    return !this.#dead;
  }

  #readAll(
    reader: SimClient,
    keys: readonly string[],
    coordinators: (index: number) => readonly number[],
    final: boolean,
  ): boolean {
    let open = 0;
    const ask = (key: string, node: number): void => {
      reader.read({ keys: [key], r: this.plan.n, final, node }, (_now, operation) => {
        if (operation.outcome === "ok") open -= 1;
        else this.cluster.world.scheduler.in(200_000, () => ask(key, node));
      });
    };
    for (const [index, key] of keys.entries()) {
      for (const node of coordinators(index)) {
        open += 1;
        ask(key, node);
      }
    }
    const done = this.#until(convergeWithinUs, () => open === 0);
    if (!done && !this.#dead) this.#blame("reads-fail-after-heal", `${open} of the convergence reads never succeeded`);
    return done;
  }

  #converged(keys: readonly string[]): boolean {
    const audit = new Audit(this.cluster, this.#ring as Ring, () => {});
    return keys.every((key) => {
      const owners = ownersOf(audit.ring, this.cluster, key);
      const texts = owners.map((seat) => String(audit.disks[seat]?.get(key) ?? ""));
      return texts.every((text) => text === texts[0]);
    });
  }

  #audit(): void {
    const audit = new Audit(this.cluster, this.#ring as Ring, this.#report);
    for (const invariant of endInvariants) invariant.check(audit);
    const { plan } = this;
    const lossy = this.#schedule.some((fault) => losesCopies(fault.kind, plan.durability));
    const dotsOf = (requestId: string): ReturnType<typeof this.cluster.ledger.dotsOf> =>
      this.cluster.ledger.dotsOf(requestId);
    judge(this.cluster.history.operations, { recency: plan.r + plan.w > plan.n && !lossy, dotsOf }, this.#report);
  }

  result(marks: Readonly<Record<string, number>>): RunResult {
    const { world, history } = this.cluster;
    const count = (outcome: string): number => history.operations.filter((one) => one.outcome === outcome).length;
    const counts = this.#faults?.counts ?? new Map<FaultClass, number>();
    const stats: RunStats = {
      events: world.scheduler.done,
      simulatedUs: world.now,
      operations: history.operations.length,
      ok: count("ok"),
      failed: count("fail"),
      unknown: count("unknown"),
      faults: [...counts.values()].reduce((sum, one) => sum + one, 0),
      faultClasses: [...counts.keys()],
      marks,
    };
    const { seed } = this.#options;
    const { hash } = world.trace;
    return { seed, hash, plan: this.plan, faults: this.#schedule, stats, violations: this.violations, trace: [] };
  }

  get lines(): readonly TraceLine[] {
    return this.cluster.world.trace.lines;
  }
}

/** The plan of a run: drawn from its seed, then overridden by what the options say. */
export function planOf(options: RunOptions): RunPlan {
  const drawn = drawPlan(options.seed, new Rng(options.seed).fork("plan"), options.nodes);
  return { ...drawn, ...options.plan, seed: options.seed };
}

function runOnce(options: RunOptions, recording: boolean): { readonly result: RunResult; readonly run: Run } {
  const marks: Record<string, number> = {};
  const before = listenForMarks((name) => {
    marks[name] = (marks[name] ?? 0) + 1;
  });
  // Stacks are most of an error's price, and refusals are many. The second run of a failing seed has them.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = recording ? 30 : 0;
  try {
    const run = new Run(options, planOf(options), recording);
    poisoned(() => run.go());
    return { result: run.result(marks), run };
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
  const trace = traceText(run.lines, first.violations);
  if (result.hash === first.hash) return { ...result, trace };
  const text = `the second run of the seed gave ${result.hash} instead of ${first.hash}`;
  const violation: Violation = { at: instant(0), invariant: "not-deterministic", text };
  return { ...first, violations: [violation, ...first.violations], trace };
}

/** Every readable line of a run, whether it ends well or not. */
export function traceSeed(options: RunOptions): string[] {
  return runOnce(options, true).run.lines.map(lineText);
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
  readonly onResult: (result: RunResult) => void;
}): void {
  for (let i = 0; i < options.runs; i += 1) {
    const one: RunOptions = { seed: options.seed + i };
    options.onResult(runSeed(options.nodes === undefined ? one : { ...one, nodes: options.nodes }));
  }
}

/** A result as people read it: one line, and after a violation what happened and how to see it again. */
export function resultText(result: RunResult): string {
  const { seed, hash, plan, stats, violations } = result;
  const shape = `${plan.nodes} nodes N=${plan.n} R=${plan.r} W=${plan.w}`;
  const counts = `${stats.operations} operations (${stats.unknown} unknown), ${stats.faults} faults, ${stats.events} events`;
  const line = `seed ${seed} ${hash} ${shape}: ${counts}: ${violations.length === 0 ? "ok" : "VIOLATED"}`;
  if (violations.length === 0) return line;
  const told = violations.map(
    (one) => `  ${one.invariant}${one.key === undefined ? "" : ` (${one.key})`}: ${one.text}`,
  );
  return [line, ...told, ...result.trace, `again: ringtail sim --seed ${seed}`].join("\n");
}
