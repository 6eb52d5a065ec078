/**
 * Check: a run against a real cluster, in the order load, rest, last reads, verdict. Who calls it decides how long the
 * load lasts, what happens to the cluster meanwhile, and what "at rest" means: `ringtail check` waits for a cluster that
 * nobody hurts, a chaos run (tools/chaos) breaks things and heals them first. The rules are the simulator's
 * (sim/oracle.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Durability, durabilityName } from "../../base/durability.ts";
import { type ErrorCode, RingtailError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";
import { systemClock } from "../../io/clock.ts";
import { RingtailClient } from "../../io/ringtail-client.ts";
import type { Ring } from "../../ring/ring.ts";
import { CanaryKeys } from "./canary-keys.ts";
import { readEverywhere } from "./final-reads.ts";
import { HistoryFile, type HistoryHead } from "./history-file.ts";
import { CheckRecorder } from "./recorder.ts";
import { CheckSession } from "./session.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** How to check. */
export interface CheckOptions {
  readonly seedNodes: readonly string[];
  readonly bucket: string;
  /** Keys at a time. */
  readonly keys: number;
  /** Sessions, each with a client and connections of its own. */
  readonly clients: number;
  /** Operations a second, of all sessions together; fewer where the cluster is slower. */
  readonly rate: number;
  /** Of keys, kinds and values. */
  readonly seed: number;
  readonly timeoutMs: number;
  /** Where the history is kept as well; undefined: nowhere. */
  readonly historyFile: string | undefined;
  /**
   * Whether a get may be held to what was acknowledged before it (G3), as far as bucket and ring allow. False where
   * something may take acknowledged copies away.
   */
  readonly recency: boolean;
}

/** The most operations of one run: the history is judged in memory. */
export const operationsMax = 2_000_000;

export class Check {
  readonly head: HistoryHead;
  readonly recorder: CheckRecorder;
  readonly #options: CheckOptions;
  readonly #clients: readonly RingtailClient[];
  readonly #keys: CanaryKeys;
  #loading: Promise<void> | undefined;
  #stopping = false;

  private constructor(options: CheckOptions, clients: readonly RingtailClient[]) {
    this.#options = options;
    this.#clients = clients;
    this.head = headOf(this.ring, options);
    const file = options.historyFile === undefined ? undefined : new HistoryFile(options.historyFile, this.head);
    this.recorder = new CheckRecorder(() => systemClock.now(), file);
    this.#keys = new CanaryKeys(`check-${systemClock.wallMs().toString(36)}-${process.pid}`, options.keys);
  }

  /** Connects all clients; rejects with `RingtailError` when the cluster cannot be reached. */
  static async connect(options: CheckOptions): Promise<Check> {
    const { seedNodes, timeoutMs } = options;
    const clients: RingtailClient[] = [];
    try {
      for (let i = 0; i < options.clients; i += 1) clients.push(await RingtailClient.connect({ seedNodes, timeoutMs }));
      return new Check(options, clients);
    } catch (error) {
      await Promise.all(clients.map((client) => client.close()));
      throw error;
    }
  }

  /** The newest ring that a client knows. */
  get ring(): Ring {
    return this.#clients.map(({ ring }) => ring).reduce((newest, ring) => (ring.epoch > newest.epoch ? ring : newest));
  }

  /** Every key of the run so far. */
  get keys(): readonly string[] {
    return this.#keys.all;
  }

  /** Begins the load. */
  start(): void {
    this.#loading = Promise.all(this.#clients.map((client, index) => this.#work(client, index + 1))).then(() => {});
  }

  async #work(client: RingtailClient, number: number): Promise<void> {
    const { bucket, seed, clients, rate } = this.#options;
    const session = new CheckSession({
      ...{ number, keys: this.#keys, recorder: this.recorder, bucket: client.bucket(bucket), ring: () => client.ring },
      rng: new Rng(seed).fork(`session ${number}`),
    });
    const everyMs = (1000 * clients) / rate;
    for (let due = Date.now(); !this.#isOver; due += everyMs) {
      await session.step();
      const early = due + everyMs - Date.now();
      if (early > 0) await sleep(early);
      // What a stall has cost is not made up for in a burst.
      else due = Date.now() - everyMs;
    }
  }

  get #isOver(): boolean {
    return this.#stopping || this.recorder.history.operations.length >= operationsMax;
  }

  /** Ends the load; resolves when nothing is in flight. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#loading;
  }

  /** The last reads: every key at every node; returns why, of each read that brought no answer within the time. */
  readFinally(withinMs: number): Promise<string[]> {
    return this.#readEverywhere(this.keys, withinMs, true);
  }

  /** The same of some keys while the load goes on: held to what was acknowledged before. */
  readAgain(keys: readonly string[], withinMs: number): Promise<string[]> {
    return this.#readEverywhere(keys, withinMs, false);
  }

  #readEverywhere(keys: readonly string[], withinMs: number, final: boolean): Promise<string[]> {
    const members = this.ring.members.filter(({ status }) => status !== "left");
    const { bucket } = this.#options;
    return readEverywhere({ bucket, keys, members, n: this.head.n, recorder: this.recorder, withinMs, final });
  }

  /** Deletes the run's keys; one that cannot be deleted now stays. */
  async cleanUp(): Promise<void> {
    const bucket = (this.#clients[0] as RingtailClient).bucket(this.#options.bucket);
    for (const key of this.keys) {
      await bucket.delete(key).catch((error: unknown) => {
        if (!(error instanceof RingtailError)) throw error;
      });
    }
  }

  /** What the history shows, as far as it goes. */
  verdict(): Verdict {
    return verdictOf({ head: this.head, history: this.recorder.history, epochs: this.recorder.epochs });
  }

  /** How often operations failed, by code. */
  get errors(): Readonly<Partial<Record<ErrorCode, number>>> {
    return Object.fromEntries(this.recorder.errors);
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.#clients.map((client) => client.close()));
    this.recorder.close();
  }
}

function headOf(ring: Ring, options: CheckOptions): HistoryHead {
  const { n, r, w, durability } = ring.policyOf(new TextEncoder().encode(options.bucket));
  // What memory alone holds may go with a process: then a get cannot be held to it.
  const recency = options.recency && r + w > n && durability !== Durability.memory;
  const nodes = ring.members.filter(({ status }) => status !== "left").length;
  return {
    clusterId: String(ring.clusterId),
    nodes,
    n,
    r,
    w,
    durability: durabilityName(durability),
    recency,
  };
}
