/** The environment of a real node: RocksDB, files, TCP, UDP, the system's clock and its randomness. `run-node.ts` builds it. */
import { randomBytes } from "node:crypto";
import { readFileSync, statfsSync } from "node:fs";
import type { Logger } from "../base/log.ts";
import type { Clock, Instant, WallMs } from "../base/time.ts";
import type { Environment } from "../node/environment.ts";
import type { Engine } from "../storage/engine.ts";
import type { StateFiles } from "../storage/state-files.ts";
import type { WriteAheadLog } from "../storage/write-ahead-log.ts";
import type { Datagrams } from "../wire/datagrams.ts";
import type { Transport } from "../wire/link.ts";
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
export function machineBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** Bytes that an ordinary user may still write into the file system of `directory`. */
export function freeBytesAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

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
  readonly pid: number = process.pid;
  readonly #clock: Clock;
  readonly #secret: Uint8Array | undefined;
  readonly #directory: string;
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
    this.#secret = options.secret;
    this.#directory = options.directory;
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
    return freeBytesAt(this.#directory);
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
