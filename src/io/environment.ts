/** The environment of a real node: RocksDB, files, TCP, UDP, the system's clock and its randomness. `run-node.ts` builds it. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import type { Logger } from "../base/log.ts";
import { after, type Clock, type DurationUs, type Instant, instant, type WallMs } from "../base/time.ts";
import type { Pauses } from "../metrics/pauses.ts";
import type { Environment } from "../node/environment.ts";
import type { Engine } from "../storage/engine.ts";
import type { StateFiles } from "../storage/state-files.ts";
import type { WriteAheadLog } from "../storage/write-ahead-log.ts";
import type { Datagrams } from "../wire/datagrams.ts";
import type { Transport } from "../wire/link.ts";
import type { LoopWatch } from "./loop-watch.ts";
import { deriveKey } from "./secret.ts";
import { TcpTransport } from "./tcp.ts";

/** What the host adds: its loop, and what it does when the node is over. */
export interface HostHooks {
  setAlarm(at: Instant): void;
  wantTurnEnd(): void;
  fatal(reason: string): void;
  stopped(): void;
}

/** The machine's boot id; empty where the system tells none. */
function machineBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** Memory that this process may use: the machine's, or less where a control group bounds it. */
function memoryOfMachine(): number {
  const bound = process.constrainedMemory();
  return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}

/**
 * Bytes that an ordinary user may still write into the file system of a directory, as of the last time that the system has
 * told: a thread asks it, because a disk that hangs must not hold up the loop.
 */
export class FreeBytes {
  readonly #directory: string;
  #bytes = Number.MAX_SAFE_INTEGER;
  #asking = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What is known, and has the system asked again. Where it has never told anything there is always room. */
  look(): number {
    if (!this.#asking) {
      this.#asking = true;
      void this.#ask();
    }
    return this.#bytes;
  }

  async #ask(): Promise<void> {
    this.#bytes = await statfs(this.#directory).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => this.#bytes,
    );
    this.#asking = false;
  }
}

/** How busy the event loop is, measured over windows of a second or more. */
class LoopWork {
  readonly #clock: Clock;
  #since = performance.eventLoopUtilization();
  #until: Instant = instant(0);
  #percent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  percent(): number {
    const now = this.#clock.now();
    if (now < this.#until) return this.#percent;
    this.#until = after(now, busyWindowUs);
    const work = performance.eventLoopUtilization();
    this.#percent = Math.round(100 * performance.eventLoopUtilization(work, this.#since).utilization);
    this.#since = work;
    return this.#percent;
  }
}

const busyWindowUs = 1_000_000;
const poolBytes = 4096;

/** Binds `Environment` to this process and machine; alarms and turns are the host's. */
export class RealEnvironment implements Environment {
  readonly log: Logger;
  readonly engine: Engine;
  readonly writeAheadLog: WriteAheadLog;
  readonly stateFiles: StateFiles;
  readonly transport: Transport;
  readonly datagrams: Datagrams;
  readonly bootId: string = machineBootId();
  readonly memoryBytes: number = memoryOfMachine();
  readonly pid: number = process.pid;
  readonly pauses: Pauses;
  readonly #loop: LoopWatch;
  readonly #clock: Clock;
  readonly #secret: Uint8Array | undefined;
  readonly #freeBytes: FreeBytes;
  readonly #work: LoopWork;
  readonly #hooks: HostHooks;
  #random: Uint8Array = new Uint8Array(0);
  #randomUsed = 0;

  constructor(options: {
    readonly log: Logger;
    readonly engine: Engine;
    readonly writeAheadLog: WriteAheadLog;
    readonly stateFiles: StateFiles;
    readonly datagrams: Datagrams;
    readonly clock: Clock;
    readonly loop: LoopWatch;
    readonly secret: Uint8Array | undefined;
    /** Where the node's data lies. */
    readonly directory: string;
    readonly hooks: HostHooks;
  }) {
    this.log = options.log;
    this.engine = options.engine;
    this.writeAheadLog = options.writeAheadLog;
    this.stateFiles = options.stateFiles;
    this.datagrams = options.datagrams;
    this.#clock = options.clock;
    this.pauses = options.loop.pauses;
    this.#loop = options.loop;
    this.#secret = options.secret;
    this.#freeBytes = new FreeBytes(options.directory);
    this.#freeBytes.look();
    this.#work = new LoopWork(options.clock);
    this.#hooks = options.hooks;
    this.transport = new TcpTransport(options.clock);
  }

  wallMs(): WallMs {
    return this.#clock.wallMs();
  }

  randomBytes(count: number): Uint8Array {
    if (count > poolBytes) return randomBytes(count);
    if (this.#randomUsed + count > this.#random.length) {
      this.#random = randomBytes(poolBytes);
      this.#randomUsed = 0;
    }
    this.#randomUsed += count;
    return this.#random.slice(this.#randomUsed - count, this.#randomUsed);
  }

  deriveKey(clusterId: Uint8Array, purpose: string): Uint8Array {
    return deriveKey(this.#secret, clusterId, purpose);
  }

  freeDiskBytes(): number {
    return this.#freeBytes.look();
  }

  busyPercent(): number {
    return this.#work.percent();
  }

  loopWaitUs(now: Instant): DurationUs {
    return this.#loop.waitUs(now);
  }

  setAlarm(at: Instant): void {
    this.#hooks.setAlarm(at);
  }

  wantTurnEnd(): void {
    this.#hooks.wantTurnEnd();
  }

  fatal(reason: string): void {
    this.#hooks.fatal(reason);
  }

  stopped(): void {
    this.#hooks.stopped();
  }
}
