// Every state of a record with its hints and its tombstone, in three nodes, that so many steps can lead to:
//   npm run model -- [--depth N] [--states MOST] [--puts N] [--deletes N] [--reads N] [--crashes N] [--cuts N] [--reaps N]
// Ends with 1 and the shortest story there is when a law is broken (src/sim/model). Needs `npm run build`.
import { parseArgs } from "node:util";
import { explore } from "../dist/sim/model/explore.js";
import { defaultBudget } from "../dist/sim/model/state.js";

const names = Object.keys(defaultBudget);
const defaults = { depth: 6, states: 50_000_000, ...defaultBudget };
const options = Object.fromEntries(
  Object.entries(defaults).map(([name, value]) => [name, { type: "string", default: String(value) }]),
);
const { values } = parseArgs({ options });
for (const [name, value] of Object.entries(values)) {
  if (!/^\d{1,8}$/.test(value)) throw new Error(`--${name} is ${value}; allowed: a whole number`);
}
const budget = Object.fromEntries(names.map((name) => [name, Number(values[name])]));
const started = performance.now();
const { rss } = process.memoryUsage;
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);

Error.stackTraceLimit = 0;
const result = explore({
  depth: Number(values.depth),
  statesMax: Number(values.states),
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
