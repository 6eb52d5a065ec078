// Micro-benchmarks: nanoseconds per operation of the parts that every request passes through, as medians of many short
// samples, interleaved so that a slow moment of the machine hits all of them. They show what a change to one part did;
// what a cluster does is measured by `npm run bench`.
//
//   node tools/bench/run.mjs [--filter TEXT] [--samples 15] [--json] [--smoke]
//
// They run on what is built: `npm run build` first. `--smoke` runs each for a few milliseconds, to see that it runs.
import { performance } from "node:perf_hooks";
import { commandLine } from "../shared/command.mjs";
import { printTable } from "../shared/figures.mjs";
import { codecCases } from "./codec.mjs";
import { coordinatorCases } from "./coordinator.mjs";
import { histogramCases } from "./histogram.mjs";
import { ringCases } from "./ring.mjs";
import { storeCases } from "./store.mjs";
import { versionCases } from "./versions.mjs";
import { watchCases } from "./watch.mjs";

const { values: flags, whole } = commandLine(["filter", "samples"], ["json", "smoke"]);
const samples = flags.smoke ? 1 : whole("samples", 15);
const sampleMs = flags.smoke ? 2 : 20;

/** Milliseconds that `times` operations take. */
function timed(bench, times) {
  const started = performance.now();
  bench.run(times);
  return performance.now() - started;
}

/** So many operations that a sample takes about `sampleMs`; warms the code up meanwhile. */
function calibrated(bench) {
  for (let times = 16; ; times *= 2) {
    // The faster of three: a pause of the machine must not end the search at a handful.
    const took = Math.min(timed(bench, times), timed(bench, times), timed(bench, times));
    if (took >= sampleMs / 2) return Math.max(1, Math.round((times * sampleMs) / took));
  }
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const groups = [codecCases, ringCases, versionCases, coordinatorCases, histogramCases, storeCases, watchCases];
const benches = groups.flatMap((cases) => cases()).filter(({ name }) => name.includes(flags.filter ?? ""));
if (benches.length === 0) {
  console.error(`bench: nothing has "${flags.filter}" in its name`);
  process.exit(2);
}
const counts = benches.map(calibrated);
const measured = benches.map(() => []);
for (let sample = 0; sample < samples; sample += 1) {
  for (const [i, bench] of benches.entries()) {
    measured[i].push((timed(bench, counts[i]) * 1e6) / counts[i]);
  }
}

const results = benches.map(({ name }, i) => {
  const sorted = measured[i].sort((a, b) => a - b);
  return { name, ns: quantile(sorted, 0.5), fastest: sorted[0], p90: quantile(sorted, 0.9) };
});
if (flags.json) console.log(JSON.stringify({ node: process.version, samples, results }, null, 2));
else {
  const rows = [["ns per operation", "median", "fastest", "p90"]];
  for (const { name, ns, fastest, p90 } of results) {
    rows.push([name, ns.toFixed(0), fastest.toFixed(0), p90.toFixed(0)]);
  }
  printTable(rows);
}
