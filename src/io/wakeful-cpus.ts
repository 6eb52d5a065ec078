/**
 * WakefulCpus: while requests come, this machine's CPUs do not sleep deeply. A CPU that sleeps takes time to wake up,
 * and a request wakes one at each of its five or so steps: on bare metal some 100 us after the deepest sleep, on a virtual
 * machine, whose CPU goes back to the host, as much and more of CPU time on either side (docs/BENCH.md). Linux takes such
 * a wish from whoever may open `/dev/cpu_dma_latency` (root), and forgets it when the file is closed, or its process ends.
 *
 * Source: the kernel's documentation of PM QoS, "CPU latency QoS".
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { LogFields, Logger } from "../base/log.ts";

const lookMs = 1_000;
/** Turns in a second that are load: a hundred requests of a cluster make some 200 at each of three nodes, none make 60. */
const turnsLeast = 150;
/** Allows the lightest sleep of a real CPU, and nothing deeper. */
const lightSleepUs = 2;

/** Where the kernel is asked, and what it says of itself. */
export interface CpuPaths {
  readonly wish: string;
  readonly driver: string;
}

const systemPaths: CpuPaths = {
  wish: "/dev/cpu_dma_latency",
  driver: "/sys/devices/system/cpu/cpuidle/current_driver",
};

/** What one process asks of all CPUs of its machine, for as long as it has enough to do. */
export class WakefulCpus {
  readonly #turns: () => number;
  readonly #log: Logger;
  readonly #paths: CpuPaths;
  readonly #timer: NodeJS.Timeout;
  #before = 0;
  #wish: number | undefined;
  #isTold = false;

  /** `turns`: how many turns of the event loop this process has had something to do in, so far. */
  constructor(turns: () => number, log: Logger, paths: CpuPaths = systemPaths) {
    this.#turns = turns;
    this.#log = log;
    this.#paths = paths;
    this.#timer = setInterval(() => this.look(), lookMs);
    this.#timer.unref();
  }

  /** Whether the kernel has been asked and still is. */
  get isHeld(): boolean {
    return this.#wish !== undefined;
  }

  /** Once a second: asks or lets go, by the turns since the last look. */
  look(): void {
    const turns = this.#turns();
    const isBusy = turns - this.#before >= turnsLeast;
    this.#before = turns;
    if (!isBusy) this.#letGo();
    else if (!this.isHeld) this.#ask();
  }

  /** No look and no wish after this. */
  stop(): void {
    clearInterval(this.#timer);
    this.#letGo();
  }

  #ask(): void {
    const wakeUpUs = this.#wakeUpUs();
    let wish: number | undefined;
    try {
      wish = openSync(this.#paths.wish, "r+");
      writeSync(wish, Int32Array.of(wakeUpUs));
      this.#wish = wish;
      this.#tell("under load this machine's CPUs stay awake (cpusMaySleep: otherwise)", { wakeUpUs });
    } catch (error) {
      if (wish !== undefined) closeSync(wish);
      this.#tell("CPUs sleep as the kernel likes, also under load: it takes no wish here", { reason: String(error) });
    }
  }

  #letGo(): void {
    if (this.#wish !== undefined) closeSync(this.#wish);
    this.#wish = undefined;
  }

  /** How long a CPU may take to wake up. Where sleeping means to go back to the host, no sleep is light. */
  #wakeUpUs(): number {
    try {
      return readFileSync(this.#paths.driver, "utf8").trim() === "haltpoll" ? 0 : lightSleepUs;
    } catch {
      return lightSleepUs;
    }
  }

  #tell(text: string, fields: LogFields): void {
    if (!this.#isTold) this.#log.info(text, fields);
    this.#isTold = true;
  }
}
