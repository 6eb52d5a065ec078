// `npm run native-bench`: how far Ringtail is from what the machine could do. Builds native-bench (C++), starts a
// throw-away cluster of three nodes and, beside it, the three processes of the loopback floor, runs one workload against
// RocksDB alone, the loopback floor and the cluster, interleaved, and prints the medians and Ringtail's ratio to each
// floor. Nothing is installed and nothing is left behind but native-bench/build.
//
//   npm run native-bench -- [--runs 3] [--duration 10] [--warm-up 3] [--keys 100000] [--value-bytes 1024] [--workload a]
//                           [--rate 5000] [--clients 64] [--durability buffered] [--out FILE] [--quick] [--build-only]
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  cleanOnSignal,
  freePorts,
  inRoundOrder,
  median,
  medianRow,
  printTable,
  runForJson,
  runsOf,
  start,
  startCluster,
} from "./bench-support.mjs";
import { prepare, root } from "./prepare.mjs";

const nodes = 3;
const source = join(root, "native-bench");
const build = join(source, "build");
const generator = join(build, "ringtail-native-bench");
const echoNode = join(build, "ringtail-echo-node");
const rocksFloor = join(build, "ringtail-rocksdb-floor");

function options() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string" },
      duration: { type: "string" },
      "warm-up": { type: "string" },
      keys: { type: "string" },
      "value-bytes": { type: "string", default: "1024" },
      workload: { type: "string", default: "a" },
      rate: { type: "string" },
      clients: { type: "string", default: "64" },
      durability: { type: "string", default: "buffered" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
      "build-only": { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  return {
    ...values,
    runs: runsOf(values.runs, quick ? 1 : 3),
    duration: values.duration ?? (quick ? "2" : "10"),
    warmUp: values["warm-up"] ?? (quick ? "1" : "3"),
    keys: values.keys ?? (quick ? "5000" : "100000"),
    rate: values.rate ?? (quick ? "500" : "5000"),
    valueBytes: values["value-bytes"],
  };
}

// Building.

function works(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

function step(command, args) {
  const { status } = spawnSync(command, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${status}`);
}

function buildNative() {
  const compiler = process.env.CXX ?? "g++";
  const missing = ["cmake", compiler].filter((command) => !works(command));
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(" and ")} not found; on Debian: apt-get install cmake g++ (RocksDB floor: librocksdb-dev)`,
    );
  }
  console.log("building native-bench ...");
  step("cmake", ["-S", source, "-B", build]);
  step("cmake", ["--build", build, "--parallel", "2"]);
  if (!existsSync(rocksFloor)) {
    console.log("the RocksDB floor is left out: RocksDB is missing; on Debian: apt-get install librocksdb-dev");
  }
}

// What is measured against.

function startEchoNodes(basePort, valueBytes) {
  return Array.from({ length: nodes }, (_, i) => {
    const args = ["--number", i + 1, "--nodes", nodes, "--base-port", basePort, "--value-bytes", valueBytes];
    return start(echoNode, args, "listening");
  });
}

// Measuring.

function targetsOf(clusterPort, echoPort) {
  const targets = [
    { name: "loopback floor", command: generator, args: ["--seed-node", `127.0.0.1:${echoPort}`] },
    { name: "Ringtail", command: generator, args: ["--seed-node", `127.0.0.1:${clusterPort}`] },
  ];
  if (!existsSync(rocksFloor)) return targets;
  return [{ name: "RocksDB floor", command: rocksFloor, args: ["--copies", String(nodes)] }, ...targets];
}

function loopsOf({ clients, rate }) {
  return [
    { name: `closed loop, ${clients} clients`, compared: ["ops/s"], args: ["--clients", clients] },
    // The generator shares the CPUs with what it measures: without a priority it would measure how long it waits for one.
    { name: `open loop, ${rate}/s`, compared: ["p50", "p99", "p99.9"], args: ["--rate", rate, "--priority", "high"] },
  ];
}

async function measure(targets, loops, { runs, workload, keys, valueBytes, duration, warmUp }) {
  const asked = ["--workload", workload, "--keys", keys, "--value-bytes", valueBytes];
  const times = ["--duration", duration, "--warm-up", warmUp];
  const set = loops.flatMap((loop) => targets.map((target) => ({ loop, target, results: [] })));
  for (let round = 1; round <= runs; round += 1) {
    for (const { loop, target, results } of inRoundOrder(set, round)) {
      console.error(`round ${round} of ${runs}: ${loop.name}, ${target.name} ...`);
      const args = [...target.args, ...asked, ...times, ...loop.args, "--seed", String(round)];
      const result = await runForJson(target.command, args);
      results.push(result);
      if (result.voided !== null) console.error(`  VOIDED: ${result.voided}`);
    }
  }
  return set;
}

// Telling.

const columns = [
  ["ops/s", ({ throughput }) => throughput, 0],
  ["p50", ({ latencyMs }) => latencyMs.p50, 3],
  ["p99", ({ latencyMs }) => latencyMs.p99, 3],
  ["p99.9", ({ latencyMs }) => latencyMs["p99.9"], 3],
  ["max", ({ latencyMs }) => latencyMs.max, 1],
  ["lateness p99.9", ({ latenessMs }) => latenessMs["p99.9"], 3],
  ["errors", ({ errors }) => errors, 0],
];

function figures(set, loop, runs) {
  const rows = [[`${loop.name}, ms`, ...columns.map(([name]) => name), "voided"]];
  for (const { target, results } of set.filter((one) => one.loop === loop)) {
    rows.push(medianRow(target.name, results, columns, runs));
  }
  return rows;
}

/** Ringtail's medians over each floor's: what a closed loop gets done, and how long an open loop waits. */
function ratios(set, loop) {
  const entries = set.filter((one) => one.loop === loop);
  const cluster = entries.find(({ target }) => target.name === "Ringtail");
  const shown = columns.filter(([name]) => loop.compared.includes(name));
  const of = (entry, pick) => median(entry.results.map(pick));
  return entries
    .filter((entry) => entry !== cluster)
    .map((floor) => {
      const ratio = ([name, pick]) => `${name} x ${(of(cluster, pick) / of(floor, pick)).toFixed(2)}`;
      return `Ringtail / ${floor.target.name}: ${shown.map(ratio).join(", ")}`;
    });
}

function report(set, loops, { runs, duration }) {
  const { environment, workload } = set.find(({ target }) => target.name === "Ringtail").results[0];
  const { machine, cluster } = environment;
  console.log(
    `${cluster.nodes} nodes and the generator on ${machine.cpus} CPUs (${machine.cpuModel}), ${machine.memoryGiB} GiB, ` +
      `${machine.platform}; n=${cluster.n} r=${cluster.r} w=${cluster.w}, ${cluster.durability}; workload ${workload.name}, ` +
      `${workload.keys} keys, values of ${workload.valueBytes} bytes, ${workload.distribution}; ` +
      `medians of ${runs} run${runs === 1 ? "" : "s"} of ${duration} s`,
  );
  for (const loop of loops) {
    console.log("");
    printTable(figures(set, loop, runs));
    for (const line of ratios(set, loop)) console.log(line);
  }
}

async function main() {
  const asked = options();
  buildNative();
  if (asked["build-only"]) return;
  await prepare();
  const directory = mkdtempSync(join(tmpdir(), "ringtail-native-bench-"));
  const clusterPort = await freePorts(nodes);
  const echoPort = await freePorts(nodes, clusterPort + nodes);
  const started = [
    startCluster(nodes, directory, clusterPort, ["--durability", asked.durability]),
    ...startEchoNodes(echoPort, asked.valueBytes),
  ];
  const clean = async () => {
    await Promise.all(started.map(({ stop }) => stop()));
    rmSync(directory, { recursive: true, force: true });
  };
  cleanOnSignal(clean);
  try {
    await Promise.all(started.map(({ ready }) => ready));
    const loops = loopsOf(asked);
    const set = await measure(targetsOf(clusterPort, echoPort), loops, asked);
    report(set, loops, asked);
    if (asked.out !== undefined) {
      const flat = set.map(({ loop, target, results }) => ({ loop: loop.name, target: target.name, results }));
      writeFileSync(asked.out, `${JSON.stringify(flat, null, 2)}\n`);
    }
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`native-bench: ${error.message}`);
  process.exit(1);
});
