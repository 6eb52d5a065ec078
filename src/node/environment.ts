/**
 * Environment: everything a node may ask of the world, in one bundle. `io/environment.ts` binds it to sockets, RocksDB,
 * files and the system clock; `sim/world.ts` to simulated ones. The node never knows which.
 *
 * The host's duties: it reads the clock once per I/O callback and passes `now` down; it calls `Node.tick` when the alarm
 * is due and `Node.endTurn` once after the callbacks of a turn in which `wantTurnEnd` was called; it never calls the
 * node from inside a call of the node's. It opens the engine and reads the state files before it builds the node.
 */
import type { Logger } from "../base/log.ts";
import type { DurationUs, Instant, WallMs } from "../base/time.ts";
import type { Pauses } from "../metrics/pauses.ts";
import type { Engine } from "../storage/engine.ts";
import type { StateFiles } from "../storage/state-files.ts";
import type { WriteAheadLog } from "../storage/write-ahead-log.ts";
import type { Datagrams } from "../wire/datagrams.ts";
import type { Transport } from "../wire/link.ts";

export interface Environment {
  readonly log: Logger;
  readonly engine: Engine;
  readonly writeAheadLog: WriteAheadLog;
  readonly stateFiles: StateFiles;
  readonly transport: Transport;
  /** On the port of the data listener. */
  readonly datagrams: Datagrams;
  /** For ages shown to people and `second` fields; never for order. */
  wallMs(): WallMs;
  /** Random bytes fit for ids and incarnations: the system's in production, the seed's in the simulator. */
  randomBytes(count: number): Uint8Array;
  /** 16 bytes derived from the cluster's secret (or, without one, from the cluster id alone) for one purpose. */
  deriveKey(clusterId: Uint8Array, purpose: string): Uint8Array;
  /** The machine's boot id: it changes when the machine starts anew, so unsynced writes may be gone. Empty: unknown. */
  readonly bootId: string;
  /** Memory that this machine, or the container around this process, has. */
  readonly memoryBytes: number;
  /** The operating system's process id, for `status`. */
  readonly pid: number;
  /** Bytes that this process may still write where its data lies, as of about a second ago; `Number.MAX_SAFE_INTEGER` where nobody can tell. */
  freeDiskBytes(): number;
  /** How much of its time this process worked, of 100, as of about a second ago: others are told. */
  busyPercent(): number;
  /** When this process stood still lately; the host notes it, collections of garbage perhaps some time after they ended. */
  readonly pauses: Pauses;
  /** How long what is read from a link at `now` may have waited because this process did not come to it. */
  loopWaitUs(now: Instant): DurationUs;
  /** Asks for one `Node.tick` at or soon after `at`. Only the latest call counts. */
  setAlarm(at: Instant): void;
  /** Asks for one `Node.endTurn` when this turn's callbacks are through. */
  wantTurnEnd(): void;
  /** The node cannot go on (a failed write, a broken assertion): end the process, loudly. The host calls the node no more. */
  fatal(reason: string): void;
  /** The stop that was asked for is complete: the engine is closed and the files are written. */
  stopped(): void;
}
