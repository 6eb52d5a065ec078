/** `ringtail hints`: what each node keeps for others that it could not reach, since when, and why it is not home yet. */
import type { Command } from "commander";
import { codeOf, statusOk } from "../base/errors.ts";
import { hintWaits } from "../handoff/hints.ts";
import type { Ring } from "../ring/ring.ts";
import type { HintRow } from "../wire/gen/codecs.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { askEvery, bytesText, clusterRing, headOf, nameIn, secondsText, silentLines } from "./every-node.ts";
import { print, printJson, printTable } from "./output.ts";
import { hintQuestion } from "./questions.ts";

const levels = ["", "half full", "nearly full", "full"];

/** Adds the command. */
export function addHints(program: Command): void {
  const command = program
    .command("hints")
    .description("records kept for nodes that could not be reached: how many, since when, and why they wait");
  addAskOptions(command, 1000, ["hints", "hints --seed-node 127.0.0.1:7402 --json"]).action(showHints);
}

async function showHints(flags: AskFlags): Promise<void> {
  const ring = await clusterRing(flags);
  const answers = await askEvery(ring, timeoutOf(flags), hintQuestion);
  if (flags.json === true) {
    const nodes = answers.map((answer) => ({
      ...headOf(answer),
      hints: answer.reply?.rows.map((row) => ({
        ...row,
        targetName: nameIn(ring, row.target),
        oldestSeconds: ageOf(row),
        wait: hintWaits[row.wait] ?? "unknown",
        failure: row.failure === statusOk ? null : codeOf(row.failure),
      })),
    }));
    printJson({ epoch: ring.epoch, nodes });
    return;
  }
  const rows = answers.flatMap(({ label, reply }) => (reply?.rows ?? []).map((row) => lineOf(ring, label, row)));
  const silent = silentLines(answers);
  if (rows.length > 0)
    printTable([["AT", "FOR", "HINTS", "BYTES", "BUDGET", "OLDEST", "RATE", "WAITS FOR", ""], ...rows]);
  else if (silent.length === 0) print("no hints: every record is where it belongs");
  else print("no hints at the nodes that answer; those that do not may keep some");
  print(...silent);
}

/** How long the oldest hint is kept, in seconds. */
function ageOf(row: HintRow): number {
  return row.oldest === 0 ? 0 : Math.max(0, Math.floor(Date.now() / 1000) - row.oldest);
}

function lineOf(ring: Ring, node: string, row: HintRow): string[] {
  return [
    node,
    nameIn(ring, row.target),
    String(row.count),
    bytesText(row.bytes),
    row.bytesMax === 0 ? "" : `${((100 * row.bytes) / row.bytesMax).toFixed(0)} % ${levels[row.level] ?? ""}`.trim(),
    secondsText(ageOf(row)),
    row.bytesPerSecond === 0 ? "" : `${bytesText(row.bytesPerSecond)}/s`,
    hintWaits[row.wait] ?? "unknown",
    row.failure === statusOk ? "" : codeOf(row.failure),
  ];
}
