// How many entries the versions of records have after rolling restarts, with and without certificates (src/sim/rolling.ts):
//   npm run rolling -- [--seed N] [--rounds N] [--write]
// --write keeps the table in docs/VERSIONS.md. Needs `npm run build`.
import { writeFileSync } from "node:fs";
import { rollingRestarts } from "../dist/sim/rolling.js";
import { commandLine, runCommand } from "./shared/command.mjs";

function textOf(seed, rounds, rows) {
  return [
    "# Entries of versions after rolling restarts",
    "",
    `Made by \`npm run rolling -- --seed ${seed} --rounds ${rounds} --write\`, in the simulator: three nodes, N = 3; in each round every node is`,
    "stopped and started in turn, and after each start every key is read and written at that node; then the keys rest for fifteen",
    "seconds. Every boot writes under an actor of its own, so each adds an entry to what is written afterwards. A certificate",
    "takes out again what no node needs any more; without it (an age longer than the run) nothing ever goes.",
    "",
    "| rounds | no certificate: entries per record, mean | most | with certificates, age 4 s: mean | most |",
    "|--:|--:|--:|--:|--:|",
    ...rows,
    "",
  ].join("\n");
}

async function main() {
  const { values, whole } = commandLine(["seed", "rounds"], ["write"]);
  const [seed, rounds] = [whole("seed", 1), whole("rounds", 30)];
  /** Longer than any run, and as short as a run can have it. */
  const [never, soon] = [3_600_000, 4_000].map((reapAgeMs) => rollingRestarts({ seed, rounds, reapAgeMs }));
  const shown = new Set([1, 2, 5, 10, 20, rounds].filter((round) => round <= rounds));
  const cells = ({ most, sum, copies }) => `${(sum / copies).toFixed(1)} | ${most}`;
  const rows = [...shown].map((round) => `| ${round} | ${cells(never[round - 1])} | ${cells(soon[round - 1])} |`);
  const text = textOf(seed, rounds, rows);
  console.log(text);
  if (values.write) writeFileSync(new URL("../docs/VERSIONS.md", import.meta.url), text);
}

runCommand("rolling", main);
