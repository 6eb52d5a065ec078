// Every state of a record with its hints and its tombstone, in three nodes, that so many steps can lead to:
//   npm run model -- [--depth N] [--states MOST] [--puts N] [--deletes N] [--reads N] [--crashes N] [--cuts N] [--reaps N]
// Ends with 1 and the shortest story there is when a law is broken (src/sim/model). Needs `npm run build`.
import { explore } from "../dist/sim/model/explore.js";
import { defaultBudget } from "../dist/sim/model/state.js";
import { commandLine, runCommand } from "./shared/command.mjs";

async function main() {
  const names = Object.keys(defaultBudget);
  const { whole } = commandLine(["depth", "states", ...names]);
  const budget = Object.fromEntries(names.map((name) => [name, whole(name, defaultBudget[name], 0)]));
  const started = performance.now();
  const { rss } = process.memoryUsage;
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);

  Error.stackTraceLimit = 0;
  const result = explore({
    depth: whole("depth", 6, 0),
    statesMax: whole("states", 50_000_000, 0, 99_999_999),
    budget,
    onProgress: (states) =>
      process.stderr.write(`${states} states, ${seconds()} s, ${Math.round(rss() / 2 ** 20)} MiB\n`),
  });
  console.log(`budget: ${names.map((name) => `${name} ${budget[name]}`).join(", ")}`);
  console.log(
    `depth ${result.depth}: ${result.states} states, ${result.steps} steps, ${result.rests} states at rest, ${seconds()} s` +
      `${result.whole ? "" : result.story.length > 0 ? ": BROKEN" : ": not all of them"}`,
  );
  if (result.story.length > 0) {
    console.log(result.story.join("\n"));
    process.exitCode = 1;
  }
}

runCommand("model", main);
