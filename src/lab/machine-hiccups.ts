/** HiccupWatch: the machine's hiccup meter, from the side of the bench: a process of its own (`hiccup-process.ts`) beside the run. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Histogram } from "hdr-histogram-js";
import { RingtailError } from "../base/errors.ts";
import { latencyHistogram } from "../metrics/metrics.ts";
import type { HiccupReport } from "./hiccup-process.ts";
import { unpackHistogram } from "./recording.ts";

/** What the meter saw in one window. */
export interface MachineHiccups {
  /** Whether it was scheduled before all others: else it waited for the processes of this machine as well. */
  readonly prior: boolean;
  /** Microseconds. */
  readonly all: Histogram;
  /** The worst of each second: its middle, in seconds from the start of the window, and milliseconds. */
  readonly worst: readonly (readonly [second: number, ms: number])[];
}

const program = fileURLToPath(new URL("./hiccup-process.js", import.meta.url));

export class HiccupWatch {
  readonly #child: ChildProcess = fork(program, { stdio: ["ignore", "ignore", "inherit", "ipc"] });

  /** Starts it; resolves when it measures. */
  static async start(): Promise<HiccupWatch> {
    const watch = new HiccupWatch();
    await watch.#told();
    return watch;
  }

  #told(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new RingtailError("CONNECTION_LOST", "the hiccup meter ended before the run"));
      this.#child.once("exit", onExit);
      this.#child.once("message", (message) => {
        this.#child.off("exit", onExit);
        resolve(message);
      });
    });
  }

  /** Ends it; what it saw in seconds whose middle lies in the window, wall clock. */
  async stop(fromMs: number, toMs: number): Promise<MachineHiccups> {
    const told = this.#told();
    this.#child.send("stop");
    const report = (await told) as HiccupReport;
    const all = latencyHistogram();
    const worst: [number, number][] = [];
    for (const [atMs, packed] of report.seconds) {
      const middle = atMs + 500;
      if (middle < fromMs || middle >= toMs) continue;
      const histogram = unpackHistogram(packed);
      all.add(histogram);
      worst.push([(middle - fromMs) / 1000, histogram.maxValue / 1000]);
    }
    return { prior: report.prior, all, worst };
  }

  /** Ends it without an answer. */
  kill(): void {
    this.#child.kill();
  }
}
