/** What the engine and store suites need of a host, simulated or real: engines that come back after an end, turns, and time. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rng } from "../../src/base/rng.ts";
import type { Instant } from "../../src/base/time.ts";
import { instant } from "../../src/base/time.ts";
import { systemClock } from "../../src/io/clock.ts";
import { LogFiles } from "../../src/io/log-files.ts";
import { RocksEngine } from "../../src/io/rocks-store.ts";
import { Pauses } from "../../src/metrics/pauses.ts";
import { SimDrive } from "../../src/sim/drive.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import type { Engine } from "../../src/storage/engine.ts";
import type { WriteAheadLog } from "../../src/storage/write-ahead-log.ts";

export interface EngineHost {
  now(): Instant;
  /** Opens the engine on what the last one left; that one is closed or gone. */
  open(): Promise<Engine>;
  /** Opens the write-ahead log beside the engine that was opened last. */
  openLog(): WriteAheadLog;
  /** The segments of the log on the disk, oldest first. */
  segments(): number[];
  /** Shortens a segment to `bytes`, or removes it (-1), while no process is alive. */
  cutSegment(segment: number, bytes: number): void;
  /** Puts a segment there, while no process is alive. */
  addSegment(segment: number, bytes: Uint8Array): void;
  /** The process is killed at this instant: the disk stays as the system has it, and the next `open` finds it so. */
  crash(): Promise<void>;
  /** Runs once after the callbacks of this turn. */
  soon(run: (now: Instant) => void): void;
  /** Lets things happen until `condition` holds; calls `tick` often meanwhile. Rejects when it takes too long. */
  until(condition: () => boolean, tick?: (now: Instant) => void): Promise<void>;
  /** Ends the engine that was opened last, as a process does that gives up. */
  closeLast(): Promise<void>;
  dispose(): Promise<void>;
}

/** The simulated disk. */
export class SimHost implements EngineHost {
  readonly drive: SimDrive;
  readonly #scheduler: Scheduler;
  #log: WriteAheadLog | undefined;

  constructor(seed = 1) {
    const rng = new Rng(seed);
    this.#scheduler = new Scheduler(rng.fork("scheduler"));
    this.drive = new SimDrive(rng.fork("disk"));
  }

  now(): Instant {
    return this.#scheduler.now;
  }

  async open(): Promise<Engine> {
    const { engine, writeAheadLog } = this.drive.boot((delay, entry) => this.#scheduler.in(delay, entry));
    this.#log = writeAheadLog;
    return engine;
  }

  openLog(): WriteAheadLog {
    if (this.#log === undefined) throw new Error("the engine is opened first");
    return this.#log;
  }

  segments(): number[] {
    return [...this.drive.disk.segments.keys()].sort((a, b) => a - b);
  }

  cutSegment(segment: number, bytes: number): void {
    const { segments } = this.drive.disk;
    if (bytes < 0) segments.delete(segment);
    else segments.get(segment)?.cut(bytes);
  }

  addSegment(segment: number, bytes: Uint8Array): void {
    const added = this.drive.disk.addSegment(segment);
    added.append(bytes);
    added.synced = bytes.length;
  }

  async crash(): Promise<void> {
    this.drive.kill();
  }

  soon(run: (now: Instant) => void): void {
    const { disk } = this.drive;
    const life = disk.life;
    this.#scheduler.in(1, (now) => {
      if (life === disk.life) run(now);
    });
  }

  async until(condition: () => boolean, tick?: (now: Instant) => void): Promise<void> {
    for (let i = 0; i < 1_000_000; i += 1) {
      if (condition()) return;
      tick?.(this.#scheduler.now);
      this.#scheduler.step(instant(this.#scheduler.now + 500));
    }
    throw new Error("the simulated engine never got there");
  }

  async closeLast(): Promise<void> {
    this.drive.kill();
  }

  async dispose(): Promise<void> {}
}

/** RocksDB in a directory of its own. */
export class RocksHost implements EngineHost {
  readonly #root: string = mkdtempSync(join(tmpdir(), "ringtail-rocks-"));
  #crashes = 0;
  #engine: RocksEngine | undefined;
  #log: LogFiles | undefined;

  /** Of the present life; every crash moves on to a copy. */
  get directory(): string {
    return join(this.#root, String(this.#crashes));
  }

  now(): Instant {
    return systemClock.now();
  }

  openLog(): WriteAheadLog {
    this.#log = new LogFiles(join(this.directory, "log"), systemClock, new Pauses());
    return this.#log;
  }

  segments(): number[] {
    return readdirSync(join(this.directory, "log"))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  }

  #segmentPath(segment: number): string {
    return join(this.directory, "log", `${String(segment).padStart(10, "0")}.log`);
  }

  cutSegment(segment: number, bytes: number): void {
    if (bytes < 0) rmSync(this.#segmentPath(segment));
    else truncateSync(this.#segmentPath(segment), bytes);
  }

  addSegment(segment: number, bytes: Uint8Array): void {
    writeFileSync(this.#segmentPath(segment), bytes);
  }

  #copy(from: string): boolean {
    try {
      cpSync(from, this.directory, { recursive: true, filter: (path) => !path.endsWith("LOCK") });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      rmSync(this.directory, { recursive: true });
      return false;
    }
  }

  /** What a killed process leaves is what its files hold at that instant: a copy is taken, and what goes on is forgotten. */
  async crash(): Promise<void> {
    const from = this.directory;
    this.#crashes += 1;
    // Files that the engine removes meanwhile make a copy fail: then a later instant is copied.
    for (let copied = false; !copied; ) copied = this.#copy(from);
    await this.closeLast();
    this.#log?.close();
  }

  async open(): Promise<Engine> {
    mkdirSync(this.directory, { recursive: true });
    this.#engine = await RocksEngine.open(join(this.directory, "store"), {
      clock: systemClock,
      blockCacheBytes: 8 * 1024 * 1024,
      memtableBytes: 4 * 1024 * 1024,
    });
    return this.#engine;
  }

  soon(run: (now: Instant) => void): void {
    const life = this.#crashes;
    setImmediate(() => {
      if (life === this.#crashes) run(systemClock.now());
    });
  }

  async until(condition: () => boolean, tick?: (now: Instant) => void): Promise<void> {
    const end = systemClock.now() + 20_000_000;
    while (!condition()) {
      if (systemClock.now() > end) throw new Error("RocksDB never got there");
      tick?.(systemClock.now());
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async closeLast(): Promise<void> {
    this.#engine?.close();
    await this.until(() => this.#engine?.closed === true);
  }

  async dispose(): Promise<void> {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
