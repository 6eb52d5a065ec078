// `npm run bench`: the figures of README.md. Starts a throw-away cluster of three nodes on free ports with its data in a
// temporary directory, runs the set below against it, interleaved so that a slow minute of the machine hits all of it,
// prints one table of medians, and leaves nothing behind.
//
//   npm run bench -- [--runs 3] [--duration 20] [--warm-up 5] [--keys 100000] [--rate 5000] [--out FILE] [--quick]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepare, root } from "./prepare.mjs";

const program = `${root}dist/cli/main.js`;
const nodes = 3;
const durabilities = ["memory", "buffered", "one-durable"];

function options() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string" },
      duration: { type: "string" },
      "warm-up": { type: "string" },
      keys: { type: "string", default: "100000" },
      rate: { type: "string", default: "5000" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? "1" : "3"));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is ${values.runs}; allowed: a whole number from 1`);
  return {
    runs,
    duration: values.duration ?? (values.quick ? "2" : "20"),
    warmUp: values["warm-up"] ?? (values.quick ? "1" : "5"),
    keys: values.quick ? "5000" : values.keys,
    rate: values.quick ? "500" : values.rate,
    out: values.out,
  };
}

function listens(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The first of `nodes` ports in a row that nobody uses. */
async function freePorts() {
  for (let base = 20_000 + (process.pid % 20_000); base < 60_000; base += nodes) {
    const free = await Promise.all(Array.from({ length: nodes }, (_, i) => listens(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

/** Resolves when the cluster says `ready`; rejects with what it said if it ends before. */
function startCluster(directory, basePort) {
  const args = [program, "up", "--nodes", String(nodes), "--dir", directory, "--base-port", String(basePort)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  const ready = new Promise((resolve, reject) => {
    const hear = (text) => {
      said += text;
      if (/^ready/m.test(said)) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("exit", () => reject(new Error(`the cluster did not start: ${said.trim()}`)));
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ready, stop };
}

/** One run of `ringtail bench --json`. */
function bench(address, args) {
  return new Promise((resolve, reject) => {
    const all = [program, "bench", "--json", "--seed-node", address, ...args];
    const child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    child.once("exit", (code) => {
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(`ringtail bench ${args.join(" ")} ended with status ${code}`));
    });
  });
}

function scenarios({ rate }) {
  const closed = durabilities.map((durability) => ({
    name: `${durability}, closed loop, 64 clients`,
    args: ["--durability", durability, "--clients", "64"],
  }));
  const open = durabilities.map((durability) => ({
    name: `${durability}, open loop, ${rate}/s`,
    args: ["--durability", durability, "--rate", rate],
  }));
  return [...closed, ...open].map((scenario) => ({ ...scenario, results: [] }));
}

async function runAll(address, set, { runs, duration, warmUp, keys }) {
  const common = ["--workload", "a", "--keys", keys, "--duration", duration, "--warm-up", warmUp];
  for (let run = 1; run <= runs; run += 1) {
    // Every second round backwards: what a round leaves behind (a fuller store) does not always hit the same ones.
    const order = run % 2 === 1 ? set : [...set].reverse();
    for (const [i, scenario] of order.entries()) {
      console.error(`round ${run} of ${runs}, ${i + 1} of ${set.length}: ${scenario.name} ...`);
      const result = await bench(address, [...common, "--seed", String(run), ...scenario.args]);
      scenario.results.push(result);
      if (result.voided !== null) console.error(`  VOIDED: ${result.voided}`);
    }
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const columns = [
  ["ops/s", ({ throughput }) => throughput, 0],
  ["p50", ({ latencyMs }) => latencyMs.p50, 2],
  ["p99", ({ latencyMs }) => latencyMs.p99, 2],
  ["p99.9", ({ latencyMs }) => latencyMs["p99.9"], 2],
  ["p99.9 service", ({ serviceMs }) => serviceMs["p99.9"], 2],
  ["p99.9 lateness", ({ latenessMs }) => latenessMs["p99.9"], 2],
  ["max", ({ latencyMs }) => latencyMs.max, 1],
  ["generator us/op", ({ generator }) => generator.cpuUsPerOperation, 1],
  ["errors", ({ errors }) => errors, 0],
];

function printTable(set, { runs }) {
  const rows = [["50/50, response time in ms", ...columns.map(([name]) => name), "voided"]];
  for (const { name, results } of set) {
    const cells = columns.map(([, of, digits]) => median(results.map(of)).toFixed(digits));
    const voided = results.filter((result) => result.voided !== null).length;
    rows.push([name, ...cells, voided === 0 ? "-" : `${voided} of ${runs}`]);
  }
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
}

function describe(set, { runs, duration }) {
  const { environment, workload } = set[0].results[0];
  const { machine, cluster } = environment;
  console.log(
    `${cluster.nodes} nodes and the generator on ${machine.cpus} CPUs (${machine.cpuModel}), ${machine.memoryGiB} GiB, ${machine.platform}, node ${machine.node}`,
  );
  console.log(
    `n=${cluster.n} r=${cluster.r} w=${cluster.w}, ${workload.keys} keys, values of ${workload.valueBytes} bytes, ${workload.distribution}; ` +
      `medians of ${runs} run${runs === 1 ? "" : "s"} of ${duration} s`,
  );
}

async function main() {
  const asked = options();
  await prepare();
  const directory = mkdtempSync(join(tmpdir(), "ringtail-bench-"));
  const basePort = await freePorts();
  const cluster = startCluster(directory, basePort);
  const clean = async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void clean().then(() => process.exit(130)));
  try {
    await cluster.ready;
    const set = scenarios(asked);
    await runAll(`127.0.0.1:${basePort}`, set, asked);
    describe(set, asked);
    printTable(set, asked);
    if (asked.out !== undefined) writeFileSync(asked.out, `${JSON.stringify(set, null, 2)}\n`);
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exit(1);
});
