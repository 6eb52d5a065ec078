/** `ringtail transfers`: which partitions are on their way to a new owner, how far, how fast, and why one waits. */
import type { Command } from "commander";
import { transferStates, transferWaits } from "../handoff/transfer.ts";
import type { Ring } from "../ring/ring.ts";
import type { TransferRow, TransferStatusReply } from "../wire/gen/codecs.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import {
  askEvery,
  bytesText,
  clusterRing,
  headOf,
  type NodeAnswer,
  nameIn,
  secondsText,
  silentLines,
  watch,
} from "./every-node.ts";
import { print, printJson, printTable } from "./output.ts";
import { transferQuestion } from "./questions.ts";

interface Flags extends AskFlags {
  readonly watch?: boolean;
}

const watchEveryMs = 1_000;
const barWidth = 20;

/** Adds the command. */
export function addTransfers(program: Command): void {
  const command = program
    .command("transfers")
    .description("partitions on their way to new owners: progress, rate, and why one waits")
    .option("--watch", "show it again every second, until nothing moves (with --json one document each time)");
  addAskOptions(command, 1000, ["transfers", "transfers --watch", "transfers --json"]).action(showTransfers);
}

async function showTransfers(flags: Flags): Promise<void> {
  if (flags.watch === true) await watch(watchEveryMs, () => showOnce(flags));
  else await showOnce(flags);
}

/** Shows all; whether anything moves. */
async function showOnce(flags: Flags): Promise<boolean> {
  const ring = await clusterRing(flags);
  const answers = await askEvery(ring, timeoutOf(flags), transferQuestion);
  const left = ring.goal.reduce((sum, owner, position) => sum + (owner === ring.owners[position] ? 0 : 1), 0);
  if (flags.json === true) printJson(documentOf(ring, answers, left));
  else printAll(ring, answers, left);
  return left > 0 || answers.some(({ reply }) => (reply?.rows.length ?? 0) > 0);
}

function documentOf(ring: Ring, answers: readonly NodeAnswer<TransferStatusReply>[], left: number): unknown {
  return {
    epoch: ring.epoch,
    positionsLeft: left,
    nodes: answers.map((answer) => ({
      ...headOf(answer),
      transfers: answer.reply?.rows.map((row) => ({
        ...row,
        state: transferStates[row.state] ?? "unknown",
        wait: transferWaits[row.wait] ?? "unknown",
        done: row.perMille / 1000,
      })),
    })),
  };
}

function printAll(ring: Ring, answers: readonly NodeAnswer<TransferStatusReply>[], left: number): void {
  const rows = answers.flatMap(({ label, reply }) => (reply?.rows ?? []).map((row) => lineOf(ring, label, row)));
  print(`epoch ${ring.epoch}: ${left} of ${ring.partitions} positions are to change owner`);
  if (rows.length > 0) {
    printTable([
      ["NODE", "PARTITION", "N", "FROM", "TO", "STATE", "PROGRESS", "BYTES", "RATE", "LEFT", "WAITS FOR"],
      ...rows,
    ]);
  } else print("nothing is being transferred");
  print(...silentLines(answers));
}

function lineOf(ring: Ring, node: string, row: TransferRow): string[] {
  const from = row.replaced === 0 ? "-" : nameIn(ring, row.replaced);
  const to = row.joining === 0 ? "-" : nameIn(ring, row.joining);
  const state = transferStates[row.state] ?? "unknown";
  const wait = transferWaits[row.wait] ?? "unknown";
  const whom = row.peer === 0 ? "" : ` (${nameIn(ring, row.peer)})`;
  return [
    node,
    String(row.partition),
    String(row.n),
    from,
    to,
    row.sending ? `gives: ${state}` : state,
    row.sending ? "" : barOf(row.perMille),
    row.sending ? "" : bytesText(row.bytes),
    row.bytesPerSecond === 0 ? "" : `${bytesText(row.bytesPerSecond)}/s`,
    row.remainingMs === 0 ? "" : secondsText(row.remainingMs / 1000),
    wait === "none" ? "" : `${wait}${whom}`,
  ];
}

function barOf(perMille: number): string {
  const full = Math.min(barWidth, Math.floor((perMille * barWidth) / 1000));
  return `${"#".repeat(full)}${".".repeat(barWidth - full)} ${String(Math.floor(perMille / 10)).padStart(3)} %`;
}
