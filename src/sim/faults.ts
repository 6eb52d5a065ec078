/**
 * Faults: what goes wrong and when. A schedule is drawn before the run from a stream of its own and is plain data;
 * applying it needs only the world. The atlas (reliability.md section 5.6) is kept while drawing: whatever can take a
 * copy that a mode does not promise to keep may only hit the same W-1 hosts all run long, so that every acknowledged
 * write keeps an intact holder. (There is no hinted handoff and no anti-entropy yet: lost copies come back by read
 * repair alone.)
 */
import { Durability } from "../base/durability.ts";
import type { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { SimClient } from "./client.ts";
import type { SimDrive } from "./drive.ts";
import type { FaultClass, RunPlan } from "./plan.ts";
import type { SimNode } from "./process.ts";
import { TraceType } from "./trace.ts";
import type { World } from "./world.ts";

/** One fault. `pairs` are directed, positions of places; `node` indexes nodes. Unused fields are 0 or empty. */
export interface Fault {
  readonly at: DurationUs;
  readonly kind: FaultClass;
  readonly node: number;
  readonly lasts: DurationUs;
  readonly pairs: readonly (readonly [number, number])[];
  readonly factor: number;
}

/** Which nodes may lose what a mode does not promise to keep: at most W-1, the same all run long. */
export function mortalNodes(plan: RunPlan, rng: Rng): number[] {
  const all = rng.shuffle(Array.from({ length: plan.nodes }, (_, index) => index));
  return all.slice(0, plan.w - 1);
}

/** Whether a fault of this class can take acknowledged copies from a node of this plan's mode. */
export function losesCopies(kind: FaultClass, durability: Durability): boolean {
  if (kind === "power") return durability !== Durability.durable;
  const kills = kind === "crash" || kind === "read-errors" || kind === "write-errors";
  return kills && durability === Durability.memory;
}

/** Draws the schedule of a run. Times count from the beginning of the chaos phase. */
export function drawFaults(plan: RunPlan, rng: Rng): Fault[] {
  const faults: Fault[] = [];
  if (plan.faults.length === 0) return faults;
  const mortals = mortalNodes(plan, rng.fork("mortals"));
  const count = Math.ceil((plan.chaosUs / 1_000_000) * (plan.faultsPerKiloSecond / 1_000));
  for (let i = 0; i < count; i += 1) {
    const stream = rng.fork(`fault/${i}`);
    const fault = drawFault(plan, stream, mortals);
    if (fault !== undefined) faults.push(fault);
  }
  return faults.sort((a, b) => a.at - b.at);
}

function drawFault(plan: RunPlan, rng: Rng, mortals: readonly number[]): Fault | undefined {
  const kind = rng.pick(plan.faults);
  const at = rng.below(plan.chaosUs);
  const short = rng.chance(500);
  const lasts = short ? rng.between(1_000, 100_000) : rng.between(100_000, 3_000_000);
  const node = losesCopies(kind, plan.durability)
    ? mortals.length === 0
      ? -1
      : rng.pick(mortals)
    : rng.below(plan.nodes);
  if (node < 0) return undefined;
  const places = plan.nodes + plan.clients;
  const pairs = kind === "split" || kind === "slow-link" ? drawPairs(plan.nodes, places, rng) : [];
  return { at, kind, node, lasts, pairs, factor: rng.pick([10, 100, 1_000]) };
}

type Pair = readonly [number, number];

/** Directed paths to block or slow: one of several shapes. */
function drawPairs(nodes: number, places: number, rng: Rng): Pair[] {
  const all: Pair[] = [];
  for (let from = 0; from < places; from += 1) {
    for (let to = 0; to < places; to += 1) if (from !== to) all.push([from, to]);
  }
  const victim = rng.below(places);
  const side = Array.from({ length: places }, () => rng.below(2));
  switch (rng.below(6)) {
    case 0:
      return all.filter(([from, to]) => from === victim || to === victim);
    case 1:
      return all.filter(([from, to]) => side[from] !== side[to]);
    case 2:
      return [rng.pick(all)];
    case 3:
      return all.filter(([from]) => from === victim);
    case 4:
      return all.filter(() => rng.chance(300));
    default:
      return all.filter(
        ([from, to]) => from < nodes && to < nodes && (from + 1) % nodes !== to && (to + 1) % nodes !== from,
      );
  }
}

/** What faults happen to. */
export interface FaultsOptions {
  readonly world: World;
  /** By node. */
  readonly drives: readonly SimDrive[];
  readonly clients: readonly SimClient[];
  /** A client's process died and started anew. */
  readonly onClientCrash: (client: SimClient) => void;
}

/** Lets a schedule happen to a world. */
export class Faults {
  readonly #world: World;
  readonly #drives: readonly SimDrive[];
  readonly #clients: readonly SimClient[];
  readonly #onClientCrash: (client: SimClient) => void;
  /** Faults that were applied, by class. */
  readonly counts: Map<FaultClass, number> = new Map();
  #healed = false;

  constructor(options: FaultsOptions) {
    this.#world = options.world;
    this.#drives = options.drives;
    this.#clients = options.clients;
    this.#onClientCrash = options.onClientCrash;
  }

  /** A node ends itself when its disk fails, as it should; it is started again. */
  excuses(node: SimNode, reason: string): boolean {
    if (!reason.includes("simulated")) return false;
    this.#later(100_000, (at) => this.#boot(at, node));
    return true;
  }

  /** Puts the faults on the scheduler, counted from `start`. */
  schedule(start: Instant, faults: readonly Fault[]): void {
    for (const fault of faults) {
      this.#world.scheduler.at(instant(start + fault.at), (now) => {
        if (!this.#healed) this.#apply(now, fault);
      });
    }
  }

  #apply(now: Instant, fault: Fault): void {
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    const { trace } = this.#world;
    trace.note(now, fault.node, TraceType.fault, fault.lasts);
    if (trace.recording) trace.say(now, "fault", faultText(fault));
    const node = this.#world.nodes[fault.node] as SimNode;
    const drive = this.#drives[fault.node] as SimDrive;
    switch (fault.kind) {
      case "crash":
        this.#crash(now, node, fault.lasts);
        return;
      case "restart":
        this.#restart(now, node);
        return;
      case "power":
        node.powerCut(now);
        this.#later(fault.lasts, (at) => this.#boot(at, node));
        return;
      case "pause":
        node.pause(now);
        this.#later(fault.lasts, (at) => node.resume(at));
        return;
      case "slow-disk":
        drive.slow(fault.factor);
        this.#later(fault.lasts, () => drive.slow(0));
        return;
      case "read-errors":
        this.#failDisk(drive, fault, true);
        return;
      case "write-errors":
        this.#failDisk(drive, fault, false);
        return;
      case "clock":
        node.wallOffsetMs = (fault.lasts % 7_200_000) - 3_600_000;
        return;
      case "client-crash":
        this.#crashClient(now, fault);
        return;
      default:
        this.#hitNetwork(fault);
    }
  }

  #failDisk(drive: SimDrive, fault: Fault, reads: boolean): void {
    const { faults } = drive.disk;
    const perMille = Math.min(500, fault.factor);
    if (reads) faults.readErrors = perMille;
    else faults.writeErrors = faults.syncErrors = perMille;
    this.#later(fault.lasts, () => healDisk(drive));
  }

  #hitNetwork(fault: Fault): void {
    const { network } = this.#world;
    if (fault.kind === "reset") {
      const open = network.connections();
      if (open.length > 0) open[fault.lasts % open.length]?.reset();
      return;
    }
    for (const [from, to] of fault.pairs) {
      if (fault.kind === "split") network.block(from, to);
      else network.slow(from, to, fault.factor);
    }
    this.#later(fault.lasts, () => {
      for (const [from, to] of fault.pairs) {
        if (fault.kind === "split") network.unblock(from, to);
        else network.slow(from, to, 0);
      }
    });
  }

  #crashClient(now: Instant, fault: Fault): void {
    const client = this.#clients[fault.lasts % this.#clients.length];
    if (client === undefined) return;
    client.crash(now);
    this.#onClientCrash(client);
  }

  #crash(now: Instant, node: SimNode, lasts: DurationUs): void {
    node.kill(now);
    this.#later(lasts, (at) => this.#boot(at, node));
  }

  /** A clean stop, then a start; a stop that takes too long ends in a kill only if the mode can bear it. */
  #restart(now: Instant, node: SimNode): void {
    if (!node.alive || node.paused) return;
    const { life } = node;
    node.stop(now);
    const poll = (at: Instant): void => {
      if (this.#healed) return;
      if (node.life === life && node.alive) this.#later(50_000, poll);
      else this.#boot(at, node);
    };
    this.#later(50_000, poll);
  }

  #boot(now: Instant, node: SimNode): void {
    if (!node.alive && !this.#world.deaths.some((death) => death.node === node)) node.boot(now);
  }

  /** What ends a fault; nothing happens once all is healed. */
  #later(delay: DurationUs, action: (now: Instant) => void): void {
    this.#world.scheduler.in(delay, (now) => {
      if (!this.#healed) action(now);
    });
  }

  /** Starts what is down: a node that was still stopping when all was healed. */
  bootDead(now: Instant): void {
    for (const node of this.#world.nodes) this.#boot(now, node);
  }

  /** Ends every fault: paths open, disks fast, processes running. */
  heal(now: Instant): void {
    this.#healed = true;
    this.#world.network.heal();
    for (const drive of this.#drives) {
      drive.slow(0);
      healDisk(drive);
    }
    for (const node of this.#world.nodes) {
      node.resume(now);
      this.#boot(now, node);
    }
  }
}

function healDisk(drive: SimDrive): void {
  drive.disk.faults.readErrors = 0;
  drive.disk.faults.writeErrors = 0;
  drive.disk.faults.syncErrors = 0;
}

/** One line for people. */
export function faultText(fault: Fault): string {
  const pairs = fault.pairs.length === 0 ? "" : ` ${fault.pairs.map(([from, to]) => `${from}>${to}`).join(" ")}`;
  return `${fault.kind} node ${fault.node + 1} for ${fault.lasts} us, factor ${fault.factor}${pairs}`;
}
