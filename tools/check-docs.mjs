/**
 * Holds README.md to the program. Its generated tables must be what the code says (`--write` rewrites them and does
 * nothing else), its list of commands must be the program's, and its examples are executed: blocks marked `sh run` in a
 * shell, blocks marked `ts run` after a type check, all against one throw-away cluster of `ringtail up`. A block marked
 * `ts run more` continues the program above it. What follows an executed block as ```text output must be its output, where
 * `...` stands for anything: within a line for some characters, alone on a line for some lines.
 *
 * The README says 127.0.0.1:7401 where the cluster is; the addresses are replaced by the cluster's before and after.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blocksOf, programsOf } from "./docs/blocks.mjs";
import { Examples } from "./docs/examples.mjs";
import { checkCommands, withTables } from "./docs/tables.mjs";
import { prepare, root } from "./prepare.mjs";
import { commandLine, inScratch, runCommand } from "./shared/command.mjs";
import { freePorts, startCluster } from "./shared/processes.mjs";

const file = join(root, "README.md");
const nodes = 3;

/** How many examples do not do what they should. */
function runExamples(text) {
  return inScratch("docs", async (directory, atEnd) => {
    // Four digits, so that tables keep their columns.
    const basePort = await freePorts(nodes, 7500 + Math.floor(Math.random() * 2400));
    const cluster = startCluster(nodes, join(directory, "cluster"), basePort);
    atEnd(cluster.stop);
    await cluster.ready;
    const examples = new Examples(directory, basePort, nodes);
    for (const one of programsOf(blocksOf(text))) await examples.run(one);
    return examples.failed;
  });
}

async function main() {
  const { values: flags } = commandLine([], ["write"]);
  await prepare();
  const text = readFileSync(file, "utf8");
  const current = await withTables(text);
  if (flags.write) {
    writeFileSync(file, current);
    return;
  }
  let failed = 0;
  if (current !== text) {
    failed += 1;
    console.error("failed  README.md: a generated table is stale: run `node tools/check-docs.mjs --write`");
  } else console.log("ok      README.md: generated tables");
  const wrong = checkCommands(text);
  for (const problem of wrong) console.error(`failed  README.md, "Command line": ${problem}`);
  if (wrong.length === 0) console.log("ok      README.md: list of commands");
  failed += wrong.length + (await runExamples(text));
  if (failed > 0) process.exitCode = 1;
}

runCommand("check-docs", main);
