/** What the engine and store suites need of a host, simulated or real: engines that come back after an end, turns, and time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rng } from "../../src/base/rng.ts";
import type { Instant } from "../../src/base/time.ts";
import { instant } from "../../src/base/time.ts";
import { systemClock } from "../../src/io/clock.ts";
import { RocksEngine } from "../../src/io/rocks-store.ts";
import { SimDrive } from "../../src/sim/drive.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import type { Engine } from "../../src/storage/engine.ts";

export interface EngineHost {
  now(): Instant;
  /** Opens the engine on what the last one left; that one is closed or gone. */
  open(): Promise<Engine>;
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

  constructor(seed = 1) {
    const rng = new Rng(seed);
    this.#scheduler = new Scheduler(rng.fork("scheduler"));
    this.drive = new SimDrive(rng.fork("disk"));
  }

  now(): Instant {
    return this.#scheduler.now;
  }

  async open(): Promise<Engine> {
    return this.drive.boot((delay, entry) => this.#scheduler.in(delay, entry)).engine;
  }

  soon(run: (now: Instant) => void): void {
    this.#scheduler.in(1, run);
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
  readonly directory: string = mkdtempSync(join(tmpdir(), "ringtail-rocks-"));
  #engine: RocksEngine | undefined;

  now(): Instant {
    return systemClock.now();
  }

  async open(): Promise<Engine> {
    this.#engine = await RocksEngine.open(join(this.directory, "store"), {
      clock: systemClock,
      blockCacheBytes: 8 * 1024 * 1024,
      memtableBytes: 4 * 1024 * 1024,
    });
    return this.#engine;
  }

  soon(run: (now: Instant) => void): void {
    setImmediate(() => run(systemClock.now()));
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
    rmSync(this.directory, { recursive: true, force: true });
  }
}
