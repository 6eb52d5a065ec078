/**
 * SimNode: one node's seat in the simulated world: its process through all its lives, its disk that outlives them, its
 * clock, its power. It keeps the host's promises to a node (node/environment.ts): `tick` at the alarm, `endTurn` once
 * after the callbacks of a turn that asked for it, nothing after `fatal`, and never a call from inside a call.
 *
 * The kinds of end are kept apart: `kill` is SIGKILL (what reached the system stays), `powerCut` takes what was not
 * synced and changes the machine's boot id, `stop` is the clean way.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { type LogFields, type Logger, silentLog } from "../base/log.ts";
import type { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import { PauseKind, Pauses } from "../metrics/pauses.ts";
import type { Environment } from "../node/environment.ts";
import type { Engine } from "../storage/engine.ts";
import type { StateFiles } from "../storage/state-files.ts";
import type { WriteAheadLog } from "../storage/write-ahead-log.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import type { DatagramNetwork } from "./datagrams.ts";
import { deriveKey } from "./keys.ts";
import type { Network } from "./network.ts";
import type { Place } from "./place.ts";
import type { Action } from "./scheduler.ts";
import { TraceType, textHash } from "./trace.ts";

/** What a process must do to live in the world: `Node` does, and so does the echo process of the tests. */
export interface SimProcess {
  start(now: Instant): void;
  tick(now: Instant): void;
  endTurn(now: Instant): void;
  accept(now: Instant, link: Link): LinkEvents | undefined;
  stop(now: Instant): void;
  readonly ready: boolean;
}

/** Makes a process of an environment: one boot. */
export type Program = (env: Environment) => SimProcess;

/** What one boot may use to have something happen later in its own life. */
export type Later = (delay: DurationUs, entry: Action) => void;

/** The disk of one node as the world drives it; what it holds survives its processes. */
export interface Drive {
  /** Opens engine, log and state files for a new life; their answers come through `later`. */
  boot(later: Later): {
    readonly engine: Engine;
    readonly writeAheadLog: WriteAheadLog;
    readonly stateFiles: StateFiles;
  };
  /** What the system says is free. */
  readonly freeBytes: number;
  /** The process is gone: what it handed to the system stays. */
  kill(): void;
  /** The machine lost power: a prefix of what was not synced stays. */
  powerCut(): void;
}

/** Told about what ends processes; the runner decides what is a violation. */
export interface Watcher {
  /** The process ended by its own doing: `fatal`, or an exception out of a handler. */
  onDeath(now: Instant, node: SimNode, reason: string): void;
}

/** Where a node sits and what it is made of. */
export interface SeatOptions {
  readonly position: number;
  readonly address: string;
  readonly drive: Drive;
  readonly program: Program;
  readonly rng: Rng;
  readonly watcher: Watcher;
  readonly datagrams: DatagramNetwork;
  /** Longest time between a callback and the end of its turn: how many events one turn may gather. 0: always one. */
  readonly turnUs: DurationUs;
}

/** Wall time at the start of every world: 2026-01-01. */
const wallStartMs = 1_767_225_600_000;

/** Longest that an alarm fires late, microseconds: timers are coarse. */
const alarmLateUs = 1_000;

export class SimNode implements Place {
  readonly name: string;
  readonly position: number;
  readonly address: string;
  readonly drive: Drive;
  life = 0;
  alive = false;
  powered = true;
  paused = false;
  /** Its event loop has so much to do that no turn is shorter. */
  turnLeastUs: DurationUs = 0;
  /** Added to the wall clock, milliseconds. The monotonic clock is never wrong. */
  wallOffsetMs = 0;
  /** When the last life ended; 0 while there was none. */
  endedAt: Instant = instant(0);
  /** When a process last began, ended, or was paused or resumed. */
  disturbedAt: Instant = instant(0);
  /** When the process of this life stood still. */
  pauses: Pauses = new Pauses();
  /** The stop that was asked for is complete. */
  stopped = false;
  readonly #network: Network;
  readonly #options: SeatOptions;
  #process: SimProcess | undefined;
  #held: Action[] = [];
  #inside = false;
  #ending: string | undefined;
  #turnEndDue = false;
  #turnEnds = false;
  #alarm: Instant = never;
  #nextRing: Instant = never;
  #machineBoots = 1;
  #pausedAt: Instant = instant(0);
  #resumedAt: Instant = never;

  constructor(network: Network, options: SeatOptions) {
    this.#network = network;
    this.#options = options;
    this.position = options.position;
    this.name = `node ${options.position + 1}`;
    this.address = options.address;
    this.drive = options.drive;
  }

  /** The process of this life, or undefined. For checkers; entering it is `enter`'s work. */
  get process(): SimProcess | undefined {
    return this.#process;
  }

  get ready(): boolean {
    return this.alive && !this.paused && (this.#process?.ready ?? false);
  }

  /** Starts a process on this seat; it must hold none. */
  boot(now: Instant): void {
    assert(!this.alive, "the seat holds a process already");
    this.life += 1;
    this.alive = true;
    this.powered = true;
    this.stopped = false;
    this.#turnEndDue = false;
    this.#turnEnds = false;
    this.pauses = new Pauses();
    this.#resumedAt = never;
    this.#ending = undefined;
    this.#alarm = never;
    this.#nextRing = never;
    this.#note(now, TraceType.boot, "boots");
    this.enter(now, this.life, (at) => {
      this.#process = this.#options.program(this.#environment());
      this.#process.start(at);
    });
  }

  /** SIGKILL. */
  kill(now: Instant, reason = "killed"): void {
    if (!this.alive) return;
    this.#over(now, reason, false);
    this.drive.kill();
  }

  /** The machine loses power, whether a process runs or not. */
  powerCut(now: Instant): void {
    this.powered = false;
    this.#machineBoots += 1;
    if (this.alive) this.#over(now, "lost power", true);
    this.drive.powerCut();
  }

  /** Asks the process to stop cleanly; `stopped` is set when it has. */
  stop(now: Instant): void {
    this.enter(now, this.life, (at) => this.#process?.stop(at));
  }

  pause(now: Instant): void {
    if (!this.alive || this.paused) return;
    this.paused = true;
    this.#pausedAt = now;
    this.#note(now, TraceType.pause, "is paused");
  }

  /** Goes on after a pause: all that waited happens now, in order. */
  resume(now: Instant): void {
    if (!this.paused) return;
    this.paused = false;
    this.#resumedAt = now;
    this.pauses.note(PauseKind.loop, this.#pausedAt, now);
    this.#note(now, TraceType.resume, "goes on");
    const held = this.#held;
    this.#held = [];
    for (const entry of held) this.enter(now, this.life, entry);
  }

  enter(now: Instant, life: number, entry: Action): void {
    if (life !== this.life || !this.alive) return;
    if (this.paused) {
      this.#held.push(entry);
      return;
    }
    assert(!this.#inside, "a process was entered from inside itself");
    this.#inside = true;
    try {
      entry(now);
      if (this.#turnEndDue && this.#endsAtOnce) this.#endTurn(now);
    } catch (error) {
      this.#ending ??= `threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    }
    this.#inside = false;
    if (this.#ending !== undefined) this.#die(now, this.#ending);
  }

  accept(now: Instant, link: Link): LinkEvents | undefined {
    return this.#process?.accept(now, link);
  }

  #die(now: Instant, reason: string): void {
    if (reason === "stopped") {
      this.stopped = true;
      this.kill(now, reason);
      return;
    }
    this.kill(now, reason);
    this.#options.watcher.onDeath(now, this, reason);
  }

  #over(now: Instant, reason: string, power: boolean): void {
    this.alive = false;
    this.endedAt = now;
    this.paused = false;
    this.#held = [];
    this.#process = undefined;
    this.life += 1;
    this.#note(now, TraceType.end, reason);
    this.#network.dropPlace(this, power);
  }

  /** A process begins, ends, stands still or goes on. */
  #note(now: Instant, type: TraceType, text: string): void {
    this.disturbedAt = now;
    const trace = this.#network.trace;
    trace.note(now, this.position, type, type === TraceType.end ? textHash(firstLine(text)) : this.life);
    if (trace.recording) trace.say(now, this.name, text);
  }

  #environment(): Environment {
    const life = this.life;
    const scheduler = this.#network.scheduler;
    const later: Later = (delay, entry) => scheduler.in(delay, (now) => this.enter(now, life, entry));
    const { engine, writeAheadLog, stateFiles } = this.drive.boot(later);
    const entropy = this.#options.rng.fork(canary("sim.entropy-repeats") ? "entropy" : `entropy/${life}`);
    return {
      log: this.#log(),
      engine,
      writeAheadLog,
      stateFiles,
      transport: this.#network.transport(this),
      datagrams: this.#options.datagrams.bind(this, this.address),
      wallMs: () => wallStartMs + this.wallOffsetMs + Math.floor(scheduler.now / 1000),
      randomBytes: (count) => entropy.fill(new Uint8Array(count)),
      deriveKey,
      memoryBytes: 4 * 1024 ** 3,
      bootId: `machine-${this.position}-${this.#machineBoots}`,
      pid: 1000 * (this.position + 1) + life,
      freeDiskBytes: () => this.drive.freeBytes,
      busyPercent: () => 0,
      pauses: this.pauses,
      loopWaitUs: (now) => (now === this.#resumedAt ? now - this.#pausedAt : 0),
      setAlarm: (at) => this.#setAlarm(life, at),
      wantTurnEnd: () => this.#wantTurnEnd(life),
      fatal: (reason) => {
        this.#ending ??= `fatal: ${reason}`;
      },
      stopped: () => {
        this.#ending ??= "stopped";
      },
    };
  }

  #wantTurnEnd(life: number): void {
    if (life !== this.life || this.#turnEndDue) return;
    this.#turnEndDue = true;
    if (this.#endsAtOnce && this.#inside && !this.#turnEnds) return;
    const { turnUs, rng } = this.#options;
    const delay = this.turnLeastUs + (turnUs === 0 ? 0 : rng.below(turnUs + 1));
    this.#network.scheduler.in(delay, (now) =>
      this.enter(now, life, (at) => {
        if (this.#turnEndDue) this.#endTurn(at);
      }),
    );
  }

  get #endsAtOnce(): boolean {
    return this.#options.turnUs === 0 && this.turnLeastUs === 0;
  }

  /** What asks for another end meanwhile gets one of its own, as the end of the next turn. */
  #endTurn(now: Instant): void {
    this.#turnEndDue = false;
    this.#turnEnds = true;
    this.#process?.endTurn(now);
    this.#turnEnds = false;
  }

  #setAlarm(life: number, at: Instant): void {
    if (life !== this.life) return;
    this.#alarm = at;
    if (at < this.#nextRing) this.#ringAt(life, at);
  }

  /** One event in the queue serves many alarms: it is moved later when it comes up too early. */
  #ringAt(life: number, at: Instant): void {
    this.#nextRing = at;
    const due = instant(Math.max(at, this.#network.scheduler.now) + this.#options.rng.below(alarmLateUs));
    this.#network.scheduler.at(due, (now) => {
      if (life === this.life && this.#nextRing === at) this.enter(now, life, (t) => this.#rung(t, life));
    });
  }

  #rung(now: Instant, life: number): void {
    this.#nextRing = never;
    const alarm = this.#alarm;
    if (alarm === never) return;
    if (alarm > now) {
      this.#ringAt(life, alarm);
      return;
    }
    this.#alarm = never;
    this.#network.trace.note(now, this.position, TraceType.tick, 0);
    this.#process?.tick(now);
  }

  #log(): Logger {
    const trace = this.#network.trace;
    if (!trace.recording) return silentLog;
    const say = (level: string) => (message: string, fields?: LogFields) =>
      trace.say(
        this.#network.scheduler.now,
        this.name,
        `${level}: ${message}${fields === undefined ? "" : ` ${text(fields)}`}`,
      );
    return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  }
}

/** Without the stack behind it: whether stacks are taken must not show in the hash. */
function firstLine(reason: string): string {
  return reason.split("\n", 1)[0] as string;
}

function text(fields: LogFields): string {
  return Object.keys(fields)
    .map((name) => `${name}=${String(fields[name])}`)
    .join(" ");
}
