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

  /** Ends it; what it saw in seconds whose middle lies in the window, wall clock. */
  async stop(fromMs: number, toMs: number): Promise<MachineHiccups> {
    const report = await new Promise<HiccupReport>((resolve, reject) => {
      this.#child.once("message", (message) => resolve(message as HiccupReport));
      this.#child.once("exit", () =>
        reject(new RingtailError("CONNECTION_LOST", "the hiccup meter ended before the run")),
      );
      this.#child.send("stop");
    });
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
