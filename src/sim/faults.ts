/**
 * Faults: lets a schedule (draw-faults.ts) happen to a world, and ends every fault when all is healed. Applying it needs
 * only the world; what operators do is handed on (ring-operators.ts).
 */
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { SimClient } from "./client.ts";
import type { SimDrive } from "./drive.ts";
import { type Fault, faultText, type IdentityAct, isIdentityAct } from "./fault.ts";
import type { Blocked } from "./invariants/no-false-dead.ts";
import type { SimNode } from "./process.ts";
import { isRingAct, type RingAct } from "./ring-acts.ts";
import { TraceType } from "./trace.ts";
import type { World } from "./world.ts";

/** Half of what a node of the default configuration keeps free. */
const halfReserveBytes = 128 * 1024 * 1024;

/** What faults happen to. */
export interface FaultsOptions {
  readonly world: World;
  /** By node. */
  readonly drives: readonly SimDrive[];
  readonly clients: readonly SimClient[];
  /** A client's process died and started anew. */
  readonly onClientCrash: (client: SimClient) => void;
  /** A record on that seat's disk has been damaged, its own or, `target` not 0, one that it keeps for another node. */
  readonly onRot: (seat: number, fullKey: Uint8Array, target: number) => void;
  /** A client asks for so much at once. */
  readonly onBurst: (operations: number) => void;
  /** Operators are to do something. */
  readonly onRingAct: (now: Instant, act: RingAct) => void;
  /** Messages do not pass any more, or pass again. */
  readonly onNetworkFault: (now: Instant, blocked: Blocked, begins: boolean) => void;
  /** Something befalls a node's directory. */
  readonly onIdentityAct: (now: Instant, act: IdentityAct) => void;
  /** Whether a process may run on that seat: its node has not been given up, and has not left. */
  readonly mayRun: (seat: number) => boolean;
}

/** Lets a schedule happen to a world. */
export class Faults {
  readonly #world: World;
  readonly #drives: readonly SimDrive[];
  readonly #clients: readonly SimClient[];
  readonly #options: FaultsOptions;
  /** Faults that were applied, by class. */
  readonly counts: Map<Fault["kind"], number> = new Map();
  #healed = false;

  constructor(options: FaultsOptions) {
    this.#world = options.world;
    this.#drives = options.drives;
    this.#clients = options.clients;
    this.#options = options;
  }

  /** A node ends itself when its disk fails, as it should; it is started again, also when all else is healed (sweep.ts). */
  excuses(node: SimNode, reason: string): boolean {
    if (!reason.includes("simulated")) return false;
    this.#world.scheduler.in(100_000, (at) => this.#boot(at, node));
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
    if (isIdentityAct(fault)) {
      this.#options.onIdentityAct(now, fault);
      return;
    }
    if (isRingAct(fault)) {
      this.#options.onRingAct(now, fault);
      return;
    }
    const node = this.#world.nodes[fault.node] as SimNode;
    const drive = this.#drives[fault.node] as SimDrive;
    switch (fault.kind) {
      case "crash":
        this.#crash(now, node, fault.lasts);
        return;
      case "restart":
        this.restart(now, node);
        return;
      case "power":
        node.powerCut(now);
        this.#later(fault.lasts, (at) => this.#boot(at, node));
        return;
      case "pause":
        node.pause(now);
        this.#later(fault.lasts, (at) => node.resume(at));
        return;
      case "busy":
        node.turnLeastUs = fault.factor;
        this.#later(fault.lasts, () => {
          node.turnLeastUs = 0;
        });
        return;
      case "burst":
        this.#options.onBurst(fault.factor);
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
      case "bit-rot":
        this.#rot(drive, fault);
        return;
      case "disk-full":
        this.#fillDisk(drive, fault);
        return;
      case "client-crash":
        this.#crashClient(now, fault);
        return;
      default:
        this.#hitNetwork(now, fault);
    }
  }

  #failDisk(drive: SimDrive, fault: Fault, reads: boolean): void {
    const { faults } = drive.disk;
    const perMille = Math.min(500, fault.factor);
    if (reads) faults.readErrors = perMille;
    else faults.writeErrors = faults.syncErrors = perMille;
    this.#later(fault.lasts, () => healDisk(drive));
  }

  /** `factor` 1: a hint as well, if it keeps any. */
  #rot(drive: SimDrive, { node, factor }: Fault): void {
    const fullKey = drive.rot();
    if (fullKey !== null) this.#options.onRot(node, fullKey, 0);
    const hint = factor === 1 ? drive.rotHint() : null;
    if (hint !== null) this.#options.onRot(node, hint.fullKey, hint.target);
  }

  /** `factor` 0: all but full; 1: no new key is coordinated there. */
  #fillDisk(drive: SimDrive, fault: Fault): void {
    drive.disk.faults.freeBytes = fault.factor === 0 ? 0 : halfReserveBytes;
    this.#later(fault.lasts, () => freeDisk(drive));
  }

  #hitNetwork(now: Instant, fault: Fault): void {
    const { network } = this.#world;
    const { onNetworkFault } = this.#options;
    const blocked = blockedBy(fault);
    onNetworkFault(now, blocked, true);
    if (fault.kind === "reset") {
      const open = network.connections();
      if (open.length > 0) open[fault.lasts % open.length]?.reset();
      onNetworkFault(now, blocked, false);
      return;
    }
    for (const [from, to] of fault.pairs) this.#hitPath(fault, from, to, true);
    this.#later(fault.lasts, (at) => {
      for (const [from, to] of fault.pairs) this.#hitPath(fault, from, to, false);
      onNetworkFault(at, blocked, false);
    });
  }

  #hitPath({ kind, factor }: Fault, from: number, to: number, begins: boolean): void {
    const { network, datagrams } = this.#world;
    if (kind === "slow-link") network.slow(from, to, begins ? factor : 0);
    else {
      const what = kind === "split" ? network : kind === "udp-split" ? datagrams : network.streams;
      if (begins) what.block(from, to);
      else what.unblock(from, to);
    }
  }

  #crashClient(now: Instant, fault: Fault): void {
    const client = this.#clients[fault.lasts % this.#clients.length];
    if (client === undefined) return;
    client.crash(now);
    this.#options.onClientCrash(client);
  }

  #crash(now: Instant, node: SimNode, lasts: DurationUs): void {
    node.kill(now);
    this.#later(lasts, (at) => this.#boot(at, node));
  }

  /** A clean stop, then a start; a stop that takes too long ends in a kill only if the mode can bear it. */
  restart(now: Instant, node: SimNode): void {
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
    const mayBoot = !node.alive && this.#options.mayRun(node.position);
    if (mayBoot && !this.#world.deaths.some((death) => death.node === node)) node.boot(now);
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
    this.#world.datagrams.heal();
    for (const drive of this.#drives) {
      drive.slow(0);
      healDisk(drive);
      freeDisk(drive);
    }
    for (const node of this.#world.nodes) {
      node.turnLeastUs = 0;
      node.resume(now);
      this.#boot(now, node);
    }
  }
}

/** What a fault of the network keeps from passing; what is slow may be too late to count. */
function blockedBy({ kind }: Fault): Blocked {
  return kind === "udp-split" ? "udp" : kind === "tcp-split" || kind === "reset" ? "tcp" : "all";
}

function freeDisk(drive: SimDrive): void {
  drive.disk.faults.freeBytes = Number.MAX_SAFE_INTEGER;
}

function healDisk(drive: SimDrive): void {
  drive.disk.faults.readErrors = 0;
  drive.disk.faults.writeErrors = 0;
  drive.disk.faults.syncErrors = 0;
}
