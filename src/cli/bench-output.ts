/** BenchOutput: what `ringtail bench` leaves behind: progress while it runs, HDR logs, and the report with its plots. */
import { join } from "node:path";
import type { Command } from "commander";
import { makeDirectory } from "../io/make-directory.ts";
import type { Measured } from "../lab/bench.ts";
import type { GeneratorEvents } from "../lab/generator.ts";
import { type Happening, happeningsOf, type Noted, readNoted } from "../lab/happenings.ts";
import { histogramLogText } from "../lab/histogram-log.ts";
import { htmlOf, type Page, svgFilesOf } from "../lab/page/page.ts";
import { allEvents } from "./members.ts";
import { badArgument, readNamed, writeNamed } from "./output.ts";
import { Progress } from "./progress.ts";

/** Where results go. */
export interface OutputFlags {
  readonly hlog?: string;
  readonly report?: string;
  readonly svg?: string;
  readonly events?: string;
  readonly hiccups?: boolean;
}

/** Adds the options. */
export function addOutputOptions(command: Command): Command {
  return command
    .option("--hlog <file>", "write an HDR histogram log (format 1.3, one line a second for gets and for puts)")
    .option("--report <file>", "write a report: one HTML file with plots, which needs nothing else")
    .option("--svg <directory>", "write the report's plots as SVG files (tools/png.mjs makes PNG of them)")
    .option("--events <file>", "mark these in the time series beside the cluster's own events: JSON with at and text")
    .option("--hiccups", "measure the machine's own stalls in an idle process; --report does, too");
}

const eventsTimeoutMs = "2000";

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=,@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export class BenchOutput {
  readonly #flags: OutputFlags;
  readonly #noted: readonly Noted[];

  /** Makes the files at once: what cannot be written, or read, is found out before the run. Throws `INVALID_ARGUMENT`. */
  constructor(flags: OutputFlags) {
    this.#flags = flags;
    if (flags.hlog !== undefined) writeNamed(flags.hlog, "the histogram log", "");
    if (flags.report !== undefined) writeNamed(flags.report, "the report", "");
    if (flags.svg !== undefined) {
      try {
        makeDirectory(flags.svg);
      } catch (error) {
        throw badArgument(`cannot make the directory ${flags.svg}: ${(error as NodeJS.ErrnoException).code}`);
      }
    }
    this.#noted = flags.events === undefined ? [] : readNoted(flags.events, readNamed(flags.events).toString());
  }

  get #wantsPage(): boolean {
    return this.#flags.report !== undefined || this.#flags.svg !== undefined;
  }

  get wantsIntervals(): boolean {
    return this.#wantsPage || this.#flags.hlog !== undefined;
  }

  get wantsHiccups(): boolean {
    return this.#wantsPage || this.#flags.hiccups === true;
  }

  /** This command, as a shell takes it. */
  get commands(): readonly string[] {
    return [["ringtail", ...process.argv.slice(2).map(quoted)].join(" ")];
  }

  /** The run's HDR log; `part` is put before the file's extension where there are several runs. */
  saveLog(part: string, { result, recording }: Measured): void {
    const { hlog } = this.#flags;
    if (hlog === undefined) return;
    const path = part === "" ? hlog : hlog.replace(/(\.hlog)?$/, `-${part}.hlog`);
    const comment = `ringtail bench, workload ${result.workload.name}, ${result.environment.cluster.durability}`;
    writeNamed(path, "the histogram log", histogramLogText(recording.intervals, recording.startedMs, [comment]));
  }

  /** What happened in a run's window: what the nodes tell, and what the file of events says. */
  async happenings(
    flags: { readonly seedNode?: readonly string[] },
    startedMs: number,
    seconds: number,
  ): Promise<readonly Happening[]> {
    const asked = { ...(flags.seedNode === undefined ? {} : { seedNode: flags.seedNode }), timeoutMs: eventsTimeoutMs };
    const told = await allEvents(asked, startedMs).catch((error: Error) => {
      process.stderr.write(`ringtail: no events in the report: ${error.message}\n`);
      return [];
    });
    return happeningsOf([...told, ...this.#noted], startedMs, seconds);
  }

  /** Writes the report and its plots, if they were asked for. */
  async savePage(make: () => Page | Promise<Page>): Promise<void> {
    if (!this.#wantsPage) return;
    const { report, svg } = this.#flags;
    const page = await make();
    if (report !== undefined) writeNamed(report, "the report", htmlOf(page));
    if (svg !== undefined) for (const [name, text] of svgFilesOf(page)) writeNamed(join(svg, name), "the plot", text);
    process.stderr.write(`report: ${[report, svg].filter((path) => path !== undefined).join(", ")}\n`);
  }
}

/** A run's progress on stderr. */
export function progressOf(shown: boolean): GeneratorEvents {
  let progress: Progress | undefined;
  return {
    onLoading: (keys) => {
      progress = new Progress("loading keys", keys, shown);
    },
    onKeys: (count) => progress?.step(count),
    onLoaded: ({ read, written }) => {
      progress?.end();
      if (shown) process.stderr.write(`loaded: ${written} keys written, ${read} read\n`);
    },
    onRunning: (total) => {
      progress = new Progress("running, seconds", Math.ceil(total), shown);
    },
    onSecond: () => progress?.step(),
    onRunEnded: () => progress?.end(),
  };
}
