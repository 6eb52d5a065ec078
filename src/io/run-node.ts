/**
 * Runs one node in this process: opens its directory, listens on TCP and UDP, builds the node over the real environment, and stops it
 * cleanly. `ringtail serve` runs one per process; a test cluster runs several in one.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { RingtailError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { never } from "../base/time.ts";
import type { NodeConfig } from "../node/config.ts";
import { Node } from "../node/node.ts";
import { systemClock } from "./clock.ts";
import { type DataDirectory, prepareDataDirectory } from "./data-directory.ts";
import { lowerEngineThreads } from "./engine-threads.ts";
import { EngineWatch } from "./engine-watch.ts";
import { RealEnvironment } from "./environment.ts";
import { LogFiles } from "./log-files.ts";
import { LoopWatch } from "./loop-watch.ts";
import { RocksEngine } from "./rocks-store.ts";
import { DiskStateFiles } from "./state-files.ts";
import { type Listener, listen } from "./tcp.ts";
import { Alarm, TurnEnd } from "./turn.ts";
import { bindUdp, type UdpDatagrams } from "./udp.ts";
import { WakefulCpus } from "./wakeful-cpus.ts";

/** What `startNode` is given. */
export interface RunOptions {
  /** With port 0 in `listen`, the system's choice replaces it in `advertise` as well. */
  readonly config: NodeConfig;
  readonly directory: string;
  readonly log: Logger;
  readonly secret?: Uint8Array | undefined;
  /** The node cannot go on. Default: the process exits with status 70. */
  readonly onFatal?: (reason: string) => void;
}

/** A node that runs here. */
export interface RunningNode {
  /** "host:port" with the real port. */
  readonly address: string;
  readonly node: Node;
  /** Resolves when it serves; rejects if it fails or is stopped before. */
  readonly ready: Promise<void>;
  /** Finishes what is in flight, flushes, closes. Resolves when all is closed; calling it again returns the same promise. */
  stop(): Promise<void>;
}

const readyPollMs = 10;
const exitFatal = 70;
const portsTried = 5;

/** Starts a node. Rejects with `RingtailError` when its directory, files or address cannot be used. */
export async function startNode(options: RunOptions): Promise<RunningNode> {
  const paths = prepareDataDirectory(options.directory);
  const engine = await RocksEngine.open(paths.store, { clock: systemClock });
  await lowerEngineThreads(options.log);
  const host = new NodeHost(options, engine, paths);
  try {
    await host.start();
  } catch (error) {
    await host.abandon();
    throw error;
  }
  return host;
}

class NodeHost implements RunningNode {
  readonly #options: RunOptions;
  readonly #engine: RocksEngine;
  readonly #paths: DataDirectory;
  readonly #turnEnd: TurnEnd;
  readonly #alarm: Alarm;
  readonly #loop: LoopWatch = new LoopWatch(systemClock);
  readonly #watch: EngineWatch;
  readonly #cpus: WakefulCpus | undefined;
  #node: Node | undefined;
  #listener: Listener | undefined;
  #datagrams: UdpDatagrams | undefined;
  #failed: string | undefined;
  #stopped: Promise<void> | undefined;
  #onStopped: () => void = () => {};

  constructor(options: RunOptions, engine: RocksEngine, paths: DataDirectory) {
    this.#options = options;
    this.#engine = engine;
    this.#paths = paths;
    this.#turnEnd = new TurnEnd(systemClock, (now) => this.#node?.endTurn(now));
    this.#alarm = new Alarm(systemClock, (now) => this.#node?.tick(now));
    this.#watch = new EngineWatch(engine, options.log, (reason) => this.#onFatal(reason, "SIGKILL"));
    if (!options.config.cpusMaySleep) this.#cpus = new WakefulCpus(() => this.#turnEnd.runs, options.log);
  }

  get node(): Node {
    return this.#node as Node;
  }

  get address(): string {
    return (this.#listener as Listener).address;
  }

  async start(): Promise<void> {
    const { config, log, secret } = this.#options;
    const writeAheadLog = opened(this.#paths.log, (path) => new LogFiles(path, systemClock, this.#loop.pauses));
    const stateFiles = opened(this.#paths.state, (path) => new DiskStateFiles(path, systemClock));
    if (stateFiles.load("identity") === null) {
      const isUsed = writeAheadLog.segments().length > 0 || (await this.#engine.isUsed());
      if (isUsed) throw strangersRecords(this.#options.directory);
    }
    const { listener, datagrams } = await this.#open(config.listen);
    const environment = new RealEnvironment({
      log,
      secret,
      datagrams,
      directory: this.#options.directory,
      clock: systemClock,
      loop: this.#loop,
      engine: this.#engine,
      writeAheadLog,
      stateFiles,
      hooks: {
        setAlarm: (at) => this.#alarm.set(at),
        wantTurnEnd: () => this.#turnEnd.want(),
        fatal: (reason) => this.#onFatal(reason),
        stopped: () => this.#onStopped(),
      },
    });
    const advertise = config.listen.endsWith(":0") ? listener.address : config.advertise;
    const node = new Node(environment, { ...config, advertise });
    this.#node = node;
    node.start(systemClock.now());
  }

  /** One port for both; where the system may choose it, another one is tried if it is free for TCP alone. */
  async #open(address: string): Promise<{ readonly listener: Listener; readonly datagrams: UdpDatagrams }> {
    const accept = this.#accept.bind(this);
    for (let attempt = 1; ; attempt += 1) {
      const listener = await listen({ address, clock: systemClock, accept });
      this.#listener = listener;
      try {
        const datagrams = await bindUdp({ address: listener.address, clock: systemClock });
        this.#datagrams = datagrams;
        return { listener, datagrams };
      } catch (error) {
        if (!address.endsWith(":0") || attempt === portsTried) throw error;
        await listener.close();
      }
    }
  }

  #accept(...[now, link]: Parameters<Node["accept"]>): ReturnType<Node["accept"]> {
    return this.#failed === undefined ? this.#node?.accept(now, link) : undefined;
  }

  get ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const poll = (): void => {
        if (this.#failed !== undefined) reject(new Error(this.#failed));
        else if (this.#stopped !== undefined) reject(new Error("the node was stopped before it was ready"));
        else if (this.node.ready) resolve();
        else setTimeout(poll, readyPollMs);
      };
      poll();
    });
  }

  /** With a signal the process ends by it: an exit would wait for the thread that waits in the engine. */
  #onFatal(reason: string, signal?: NodeJS.Signals): void {
    this.#failed = reason;
    this.#watch.stop();
    this.#turnEnd.stop();
    this.#loop.stop();
    this.#cpus?.stop();
    this.#alarm.set(never);
    this.#options.log.error("the node cannot go on", { reason });
    if (this.#options.onFatal !== undefined) this.#options.onFatal(reason);
    else if (signal !== undefined) process.kill(process.pid, signal);
    else process.exit(exitFatal);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#listener?.close();
    if (this.#failed === undefined) {
      await new Promise<void>((resolve) => {
        this.#onStopped = resolve;
        this.node.stop(systemClock.now());
      });
      await this.#untilWritesGoOn();
    }
    await this.abandon();
  }

  /**
   * A start that is broken off leaves what it has asked of the engine. An exit would wait for a write that waits there; if
   * it does so for ever, the watch ends the process.
   */
  async #untilWritesGoOn(): Promise<void> {
    while (this.#engine.property("rocksdb.is-write-stopped") === "1") await sleep(readyPollMs);
  }

  /** Closes what is open, without a word to the node. */
  async abandon(): Promise<void> {
    this.#turnEnd.stop();
    this.#watch.stop();
    this.#loop.stop();
    this.#cpus?.stop();
    this.#alarm.set(never);
    await this.#listener?.close();
    await this.#datagrams?.close();
    if (this.#node?.store === undefined) await closeUnused(this.#engine);
  }
}

/** What lies in a part of the data directory; throws `STORAGE_FAILED` with its name. */
function opened<T>(path: string, open: (path: string) => T): T {
  try {
    return open(path);
  } catch (error) {
    throw new RingtailError("STORAGE_FAILED", `cannot use ${path}: ${String(error)}`);
  }
}

/** A node that took over what another left would bring back what has been deleted, and forgotten, since. */
function strangersRecords(directory: string): RingtailError {
  const text = `the state file "identity" is missing, but ${directory} holds the records of a node`;
  return new RingtailError(
    "STORAGE_FAILED",
    `${text}: bring its state back, or start a new one with an empty directory`,
  );
}

/** Closes an engine that no store has taken over. */
function closeUnused(engine: RocksEngine): Promise<void> {
  return new Promise((resolve) => {
    const ignore = (): void => {};
    engine.attach({ onGot: ignore, onWritten: ignore, onSynced: ignore, onScanned: ignore, onClosed: () => resolve() });
    engine.close();
  });
}
