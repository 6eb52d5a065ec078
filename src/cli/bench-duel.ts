/** `ringtail bench --against`: two ways of running a load, in interleaved blocks; `ringtail bench compare`: any two logs. */
import type { Command } from "commander";
import { Bench } from "../lab/bench.ts";
import { blockOfLog, type DuelBlock, duelOf, runDuel } from "../lab/duel.ts";
import { duelPage, duelRows } from "../lab/page/pages.ts";
import type { BenchResult } from "../lab/result.ts";
import { readHistogramLog } from "../lab/series.ts";
import type { BenchFlags } from "./bench-flags.ts";
import { benchOptionsOf, changedFlags } from "./bench-options.ts";
import { BenchOutput, type OutputFlags, progressOf } from "./bench-output.ts";
import { badArgument, type JsonOption, print, printJson, printTable, readNamed, wholeNumber } from "./output.ts";

const usualPairs = "10";
const pairsMax = 1_000;

const examples = `
Examples:
  ringtail bench compare old.hlog new.hlog
  ringtail bench compare run-01a.hlog run-01b.hlog run-02a.hlog run-02b.hlog --report ab.html

Logs come in pairs, A then B. Of one pair, whole seconds are drawn again for the interval: what else changed between the
two runs is in the difference, too. Several pairs that ran in turns (as --against leaves them) are compared pair by pair.`;

/** Adds the command. */
export function addCompare(bench: Command): void {
  bench
    .command("compare")
    .description("two runs, by their HDR logs: ratios, intervals, and whether they differ")
    .argument("<logs...>", "HDR logs in pairs: A B, or A B A B ...")
    .option("--report <file>", "write a report: one HTML file with plots")
    .option("--svg <directory>", "write the report's plots as SVG files")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples)
    .action(compare);
}

/** Both sides of a duel. */
interface Sides<T> {
  readonly a: readonly T[];
  readonly b: readonly T[];
}

async function compare(logs: readonly string[], flags: OutputFlags & JsonOption): Promise<void> {
  if (logs.length % 2 === 1) throw badArgument(`${logs.length} logs were given; allowed: pairs of them, A B A B ...`);
  const blocks = logs.map(blockOfFile);
  const sides = { a: blocks.filter((_, i) => i % 2 === 0), b: blocks.filter((_, i) => i % 2 === 1) };
  const names = { a: logs[0] as string, b: logs[1] as string };
  await tell(sides, names, { a: [], b: [] }, new BenchOutput(flags), flags.json === true);
}

function blockOfFile(path: string): DuelBlock {
  const text = readNamed(path).toString();
  let block: DuelBlock;
  try {
    block = blockOfLog(readHistogramLog(text));
  } catch (error) {
    throw badArgument(`${path} is no HDR histogram log: ${(error as Error).message}`);
  }
  if (block.slices.length === 0) throw badArgument(`${path} has no interval; allowed: HDR histogram logs`);
  return block;
}

/** Runs the blocks and tells; the results of all of them. */
export async function runAgainst(flags: BenchFlags, against: string): Promise<BenchResult[]> {
  const output = new BenchOutput(flags);
  const extras = { keepsIntervals: true, hiccups: output.wantsHiccups };
  const shown = flags.json !== true;
  const pairs = wholeNumber("--blocks", flags.blocks ?? usualPairs, 1, pairsMax);
  const changed = changedFlags(flags, against);
  const options = { a: benchOptionsOf(flags, extras), b: benchOptionsOf(changed, extras) };
  const a = await Bench.open(options.a, progressOf(shown));
  const results: { a: BenchResult[]; b: BenchResult[] } = { a: [], b: [] };
  let blocks: Sides<DuelBlock>;
  try {
    const b = await Bench.open(options.b, progressOf(shown));
    try {
      blocks = await runDuel({ a, b }, pairs, {
        onBlock: (side, pair) => {
          if (shown) process.stderr.write(`pair ${pair + 1} of ${pairs}, ${side.toUpperCase()} ...\n`);
        },
        onMeasured: (side, pair, measured) => {
          const { voided } = measured.result;
          results[side].push(measured.result);
          output.saveLog(`${String(pair + 1).padStart(2, "0")}${side}`, measured);
          if (shown && voided !== null) process.stderr.write(`  VOIDED: ${voided}\n`);
        },
      });
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
  await tell(blocks, namesOf(flags, changed), results, output, !shown);
  return [...results.a, ...results.b];
}

/** Each side by what it has of its own. */
function namesOf(a: BenchFlags, b: BenchFlags): { readonly a: string; readonly b: string } {
  const keys = [...new Set([...Object.keys(b), ...Object.keys(a)])] as (keyof BenchFlags)[];
  const different = keys.filter((key) => a[key] !== b[key]);
  const text = (side: BenchFlags): string =>
    different.map((key) => `${key} ${side[key] === undefined ? "as usual" : String(side[key])}`).join(", ");
  return different.length === 0 ? { a: "as given", b: "the same" } : { a: text(a), b: text(b) };
}

async function tell(
  blocks: Sides<DuelBlock>,
  names: { readonly a: string; readonly b: string },
  results: Sides<BenchResult>,
  output: BenchOutput,
  json: boolean,
): Promise<void> {
  const duel = duelOf(blocks.a, blocks.b);
  if (json) printJson({ ...duel, names, results });
  else {
    const all = [...results.a, ...results.b];
    const voided = all.filter((result) => result.voided !== null).length;
    if (voided > 0) print(`VOIDED: ${voided} of ${all.length} blocks`);
    print(`A  ${names.a}`, `B  ${names.b}`, `${duel.pairs} ${duel.pairs === 1 ? "pair" : "pairs"}`, "");
    printTable(duelRows(duel));
  }
  const origin = { commands: output.commands, happenings: [] };
  await output.savePage(() => duelPage(duel, blocks, names, [...results.a, ...results.b], origin));
}
