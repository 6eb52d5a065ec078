/**
 * `ringtail check`: holds a running cluster to its promises. Sessions write and read canary keys for a while; when the
 * cluster has come to rest every key is read again at every node, and the history is judged by the simulator's oracle.
 */
import type { Command } from "commander";
import { RingtailError } from "../base/errors.ts";
import { Check, type CheckOptions, operationsMax } from "../lab/check/check.ts";
import { type HistoryHead, readHistoryFile } from "../lab/check/history-file.ts";
import { type Verdict, verdictOf } from "../lab/check/verdict.ts";
import {
  badArgument,
  bucketName,
  exitViolated,
  type JsonOption,
  print,
  printJson,
  wholeNumber,
  writeNamed,
} from "./output.ts";
import { passSeconds } from "./progress.ts";
import { addSeedNodes, seedNodesOf } from "./seed-nodes.ts";
import { CatchUp } from "./sync-point.ts";

const examples = `
What is checked: no acknowledged write is lost or discarded, nothing is shown that nobody wrote, siblings are concurrent,
contexts cover what they say and no more, sessions read and keep what they wrote, a get reflects what was acknowledged
before it (with r + w > n, while the ring stays as it is), and in the end all nodes show the same. A put without an answer
may have happened or not, and is held against nobody.

Examples:
  ringtail check
  ringtail check --duration 3600 --rate 500 --history check.jsonl
  ringtail check --replay check.jsonl --json

Ends with 0 when every promise was kept, with 30 when one was broken, and with 6 when the cluster did not come to rest
within --settle-seconds, or a key could not be read at every node: then what was seen until then was right, and no more
is known.`;

const shownMax = 20;

interface Flags extends JsonOption {
  readonly seedNode?: readonly string[];
  readonly bucket: string;
  readonly duration: string;
  readonly keys: string;
  readonly clients: string;
  readonly rate: string;
  readonly seed: string;
  readonly timeoutMs: string;
  readonly settleSeconds: string;
  readonly history?: string;
  readonly replay?: string;
  readonly keep?: boolean;
}

/** Adds the command. */
export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description("check a running cluster: canary keys, a recorded history, convergence");
  addSeedNodes(command)
    .option("--duration <seconds>", "how long to write and read", "30")
    .option("--keys <count>", "keys in use at a time", "32")
    .option("--clients <count>", "sessions, each with connections of its own", "8")
    .option("--rate <per-second>", "operations a second, of all sessions together", "200")
    .option("--bucket <name>", "where the canary keys are", "check")
    .option("--seed <number>", "of keys and kinds of operation", "1")
    .option("--timeout-ms <ms>", "of each operation", "2000")
    .option("--settle-seconds <seconds>", "how long the cluster may take to come to rest afterwards", "120")
    .option("--history <file>", "keep the history as JSON lines")
    .option("--replay <file>", "judge such a history again, without a cluster")
    .option("--keep", "leave the canary keys where they are")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples)
    .action(check);
}

function optionsOf(flags: Flags, seconds: number): CheckOptions {
  const rate = wholeNumber("--rate", flags.rate, 1, 100_000);
  if (rate * seconds > operationsMax) {
    const most = Math.floor(operationsMax / seconds);
    throw badArgument(`--rate is ${rate} for ${seconds} s; allowed: ${operationsMax} operations, so ${most} a second`);
  }
  return {
    seedNodes: seedNodesOf(flags),
    bucket: bucketName(flags.bucket),
    keys: wholeNumber("--keys", flags.keys, 1, 10_000),
    clients: wholeNumber("--clients", flags.clients, 1, 256),
    rate,
    seed: wholeNumber("--seed", flags.seed, 0, 0xffff_ffff),
    timeoutMs: wholeNumber("--timeout-ms", flags.timeoutMs, 1, 600_000),
    historyFile: flags.history,
    recency: true,
  };
}

async function check(flags: Flags): Promise<void> {
  if (flags.replay !== undefined) {
    const recorded = readHistoryFile(flags.replay);
    report(flags, recorded.head, verdictOf(recorded), {});
    return;
  }
  const seconds = wholeNumber("--duration", flags.duration, 1, 86_400);
  const settleMs = 1000 * wholeNumber("--settle-seconds", flags.settleSeconds, 1, 86_400);
  const options = optionsOf(flags, seconds);
  if (flags.history !== undefined) writeNamed(flags.history, "the history", "");
  const running = await Check.connect(options);
  try {
    await load(running, seconds, flags.json !== true);
    const { convergedMs, unknown } = await settle(running, options, settleMs);
    report(flags, running.head, running.verdict(), { errors: running.errors, convergedMs });
    if (flags.keep !== true) await running.cleanUp();
    if (unknown !== "" && process.exitCode === undefined) throw new RingtailError("DEADLINE_EXCEEDED", unknown);
  } finally {
    await running.close();
  }
}

async function load(running: Check, seconds: number, shown: boolean): Promise<void> {
  running.start();
  await passSeconds("checking, seconds", seconds, { shown });
  await running.stop();
}

/** Waits for rest and reads everything; `unknown`: why the end could not be seen, "" if it was. */
async function settle(
  running: Check,
  { seedNodes }: CheckOptions,
  settleMs: number,
): Promise<{ convergedMs: number | null; unknown: string }> {
  const began = Date.now();
  // Whatever the end is like: what was recorded is judged.
  const rest = await new CatchUp({ seedNode: seedNodes, timeoutMs: "2000" })
    .within(settleMs)
    .catch((error: unknown) => {
      if (!(error instanceof RingtailError)) throw error;
      return error.message;
    });
  if (rest !== "") return { convergedMs: null, unknown: `the cluster did not come to rest: ${rest}` };
  const convergedMs = Date.now() - began;
  const missed = await running.readFinally(settleMs);
  if (missed.length === 0) return { convergedMs, unknown: "" };
  return { convergedMs, unknown: `${missed.length} last reads had no answer, the first: ${missed[0]}` };
}

interface Further {
  readonly errors?: object;
  readonly convergedMs?: number | null;
}

function report(flags: Flags, head: HistoryHead, verdict: Verdict, further: Further): void {
  if (flags.json === true) printJson({ cluster: head, ...verdict, ...further });
  else print(...verdictLines(head, verdict, further));
  if (verdict.violations.length > 0) process.exitCode = exitViolated;
}

function verdictLines(head: HistoryHead, verdict: Verdict, { errors = {}, convergedMs }: Further): string[] {
  const { operations, outcomes, violations } = verdict;
  const failed = Object.entries(errors).map(([code, count]) => `${code} ${count}`);
  return [
    `${head.nodes} nodes, n=${head.n} r=${head.r} w=${head.w}, ${head.durability}; ${verdict.keys} keys`,
    `${operations.get} gets, ${operations.put} puts, ${operations.delete} deletes: ${outcomes.ok} ok, ` +
      `${outcomes.refused} refused, ${outcomes.unknown} unknown${failed.length > 0 ? ` (${failed.join(", ")})` : ""}`,
    `${verdict.acknowledgedWrites} acknowledged writes, ${verdict.acknowledgedWritesLost} lost; ${verdict.finalReads} last reads` +
      (typeof convergedMs === "number" ? `, at rest after ${(convergedMs / 1000).toFixed(1)} s` : ""),
    ...(verdict.recency
      ? []
      : ["gets were not held to what was acknowledged before them (r + w <= n, memory, or the ring changed)"]),
    ...violations.slice(0, shownMax).map(({ rule, text }) => `BROKEN ${rule}: ${text}`),
    ...(violations.length > shownMax ? [`and ${violations.length - shownMax} more`] : []),
    violations.length === 0 ? "no promise was broken" : `${violations.length} violations`,
  ];
}
