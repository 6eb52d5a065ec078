/** `ringtail transfers`: which partitions are on their way to a new owner, how far, how fast, and why one waits. */
import type { Command } from "commander";
import { transferStates, transferWaits } from "../handoff/transfer.ts";
import type { Ring } from "../ring/ring.ts";
import { type TransferRow, TransferStatusReply, TransferStatusRequest } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import { type AskFlags, timeoutOf } from "./cluster-view.ts";
import {
  askEvery,
  bytesText,
  clusterRing,
  type NodeAnswer,
  nameIn,
  secondsText,
  silentLines,
  watch,
} from "./every-node.ts";
import { print, printJson, printTable } from "./output.ts";
import { addSeedNodes } from "./seed-nodes.ts";

interface Flags extends AskFlags {
  readonly watch?: boolean;
}

const watchEveryMs = 1_000;
const barWidth = 20;

/** Adds the command. */
export function addTransfers(program: Command): void {
  const command = program
    .command("transfers")
    .description("partitions on their way to new owners: progress, rate, and why one waits");
  addSeedNodes(command)
    .option("--watch", "show it again every second, until nothing moves")
    .option("--timeout-ms <ms>", "how long a node may take to answer", "1000")
    .option("--json", "print JSON (with --watch one document each time)");
  const examples = ["ringtail transfers", "ringtail transfers --watch", "ringtail transfers --json"];
  command.addHelpText("after", `\nExamples:\n  ${examples.join("\n  ")}`).action(showTransfers);
}

async function showTransfers(flags: Flags): Promise<void> {
  if (flags.watch === true) await watch(watchEveryMs, () => showOnce(flags));
  else await showOnce(flags);
}

/** Shows all; whether anything moves. */
async function showOnce(flags: Flags): Promise<boolean> {
  const ring = await clusterRing(flags);
  const question = { type: FrameType.TRANSFER_STATUS, codec: TransferStatusRequest, message: { epoch: 0 } };
  const answers = await askEvery(ring, timeoutOf(flags), { ...question, reply: TransferStatusReply });
  const left = ring.goal.reduce((sum, owner, position) => sum + (owner === ring.owners[position] ? 0 : 1), 0);
  if (flags.json === true) printJson(documentOf(ring, answers, left));
  else printAll(ring, answers, left);
  return left > 0 || answers.some(({ reply }) => (reply?.rows.length ?? 0) > 0);
}

function documentOf(ring: Ring, answers: readonly NodeAnswer<TransferStatusReply>[], left: number): unknown {
  return {
    epoch: ring.epoch,
    positionsLeft: left,
    nodes: answers.map(({ member, reply, reason }) => ({
      node: member.name,
      number: member.number,
      reason: reason === "" ? null : reason,
      transfers: reply?.rows.map((row) => ({
        ...row,
        state: transferStates[row.state] ?? "unknown",
        wait: transferWaits[row.wait] ?? "unknown",
        done: row.perMille / 1000,
      })),
    })),
  };
}

function printAll(ring: Ring, answers: readonly NodeAnswer<TransferStatusReply>[], left: number): void {
  const rows = answers.flatMap(({ member, reply }) => (reply?.rows ?? []).map((row) => lineOf(ring, member.name, row)));
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
