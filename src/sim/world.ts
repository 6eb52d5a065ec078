/**
 * World: one simulated universe: a scheduler, a network, and the seats of the nodes, all drawn from one seed. It knows
 * nothing of clusters, clients or faults: cluster.ts, client.ts and faults.ts are made of what is here.
 *
 * Named forks of the seed feed each part, so that taking one fault away does not shift what the others draw; the
 * minimiser of a failing seed depends on it.
 */
import { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { DatagramNetwork, type DatagramOptions, quietDatagrams } from "./datagrams.ts";
import { Network, quietNetwork } from "./network.ts";
import type { NetworkOptions } from "./paths.ts";
import { type Drive, type Program, SimNode, type Watcher } from "./process.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** What a world is made from. */
export interface WorldOptions {
  readonly seed: number;
  readonly network?: NetworkOptions;
  readonly datagrams?: DatagramOptions;
  /** Keep readable lines; far slower. */
  readonly recording?: boolean;
  /** Longest turn of a process; see process.ts. */
  readonly turnUs?: DurationUs;
}

/** A process that ended by its own doing. */
export interface Death {
  readonly at: Instant;
  readonly node: SimNode;
  readonly reason: string;
}

/** A run takes no more events than this: beyond it, something talks to itself for ever. */
const eventsMax = 20_000_000;

export class World implements Watcher {
  readonly rng: Rng;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly network: Network;
  readonly datagrams: DatagramNetwork;
  readonly nodes: SimNode[] = [];
  /** Processes that ended of themselves without an excuse: each is a violation. */
  readonly deaths: Death[] = [];
  /** Whether a fault that is on explains this death. */
  excuse: ((node: SimNode, reason: string) => boolean) | undefined;
  readonly #turnUs: DurationUs;

  constructor(options: WorldOptions) {
    this.rng = new Rng(options.seed);
    this.scheduler = new Scheduler(this.rng.fork("scheduler"));
    this.trace = new Trace(options.recording ?? false);
    const network = options.network ?? quietNetwork;
    this.network = new Network(this.scheduler, this.trace, this.rng.fork("network"), network);
    const datagrams = options.datagrams ?? quietDatagrams;
    this.datagrams = new DatagramNetwork(this.network, this.rng.fork("datagrams"), datagrams);
    this.#turnUs = options.turnUs ?? 20;
  }

  get now(): Instant {
    return this.scheduler.now;
  }

  /** Adds a seat for a node; nothing runs on it until `boot`. */
  addNode(address: string, drive: Drive, program: Program): SimNode {
    const node = this.addStranger(address, drive, program);
    this.nodes.push(node);
    return node;
  }

  /** Adds a seat that is none of the cluster's: what is done to its nodes passes it over. */
  addStranger(address: string, drive: Drive, program: Program): SimNode {
    const position = this.network.size;
    const rng = this.rng.fork(`node/${position}`);
    const node = new SimNode(this.network, {
      position,
      address,
      drive,
      program,
      rng,
      watcher: this,
      turnUs: this.#turnUs,
      datagrams: this.datagrams,
    });
    this.network.add(node, address);
    return node;
  }

  onDeath(at: Instant, node: SimNode, reason: string): void {
    if (this.excuse?.(node, reason) === true) return;
    this.deaths.push({ at, node, reason });
  }

  /** Runs until `condition` holds, but not beyond `until`; returns whether it held. */
  runUntil(until: Instant, condition: () => boolean): boolean {
    for (;;) {
      if (condition()) return true;
      if (!this.scheduler.step(until)) return false;
      if (this.scheduler.done > eventsMax) return false;
    }
  }

  /** Runs for a time. */
  runFor(duration: DurationUs): void {
    const until = instant(this.now + duration);
    while (this.scheduler.step(until) && this.scheduler.done <= eventsMax);
  }
}
