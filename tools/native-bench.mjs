// `npm run native-bench`: how far Ringtail is from what the machine could do. Builds native-bench (C++), starts a
// throw-away cluster of three nodes and, beside it, the three processes of the loopback floor, runs one workload against
// RocksDB alone, the loopback floor and the cluster, interleaved, and prints the medians and Ringtail's ratio to each
// floor. Nothing is installed and nothing is left behind but native-bench/build.
//
//   npm run native-bench -- [--runs 3] [--duration 10] [--warm-up 3] [--keys 100000] [--value-bytes 1024] [--workload a]
//                           [--rate 5000] [--clients 64] [--durability buffered] [--out FILE] [--quick] [--build-only]
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { prepare, root } from "./prepare.mjs";
import { commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { inRounds, keep, machineText, medianOf, mediansText, medianTable, printTable } from "./shared/figures.mjs";
import { freePorts, runForJson, start, startCluster } from "./shared/processes.mjs";

const nodes = 3;
const source = join(root, "native-bench");
const build = join(source, "build");
const generator = join(build, "ringtail-native-bench");
const echoNode = join(build, "ringtail-echo-node");
const rocksFloor = join(build, "ringtail-rocksdb-floor");

const columns = ["ops/s", "p50", "p99", "p99.9", "max", "p99.9 lateness", "errors"];

function options() {
  const texts = [
    "runs",
    "duration",
    "warm-up",
    "keys",
    "value-bytes",
    "workload",
    "rate",
    "clients",
    "durability",
    "out",
  ];
  const { values, whole } = commandLine(texts, ["quick", "build-only"]);
  const { quick, workload = "a", durability = "buffered", out } = values;
  return {
    ...{ workload, durability, out, buildOnly: values["build-only"] },
    runs: whole("runs", quick ? 1 : 3),
    duration: values.duration ?? (quick ? "2" : "10"),
    warmUp: values["warm-up"] ?? (quick ? "1" : "3"),
    keys: whole("keys", quick ? 5_000 : 100_000),
    rate: whole("rate", quick ? 500 : 5_000),
    clients: whole("clients", 64),
    valueBytes: whole("value-bytes", 1024, 0),
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
  const set = loops.flatMap((loop) =>
    targets.map((target) => ({ name: `${loop.name}, ${target.name}`, loop, target, results: [] })),
  );
  for (const [{ loop, target, results }, round] of inRounds(set, runs)) {
    const args = [...target.args, ...asked, ...times, ...loop.args, "--seed", round];
    keep(results, await runForJson(target.command, args));
  }
  return set;
}

// Telling.

/** Ringtail's medians over each floor's: what a closed loop gets done, and how long an open loop waits. */
function ratios(entries, { compared }) {
  const cluster = entries.find(({ name }) => name === "Ringtail");
  return entries
    .filter((entry) => entry !== cluster)
    .map((floor) => {
      const ratio = (name) =>
        `${name} x ${(medianOf(name, cluster.results) / medianOf(name, floor.results)).toFixed(2)}`;
      return `Ringtail / ${floor.name}: ${compared.map(ratio).join(", ")}`;
    });
}

function report(set, loops, { runs, duration }) {
  const { environment, workload } = set.find(({ target }) => target.name === "Ringtail").results[0];
  const { machine, cluster } = environment;
  console.log(
    `${cluster.nodes} nodes and the generator on ${machineText(machine)}; ` +
      `n=${cluster.n} r=${cluster.r} w=${cluster.w}, ${cluster.durability}; workload ${workload.name}, ` +
      `${workload.keys} keys, values of ${workload.valueBytes} bytes, ${workload.distribution}; ${mediansText(runs, duration)}`,
  );
  for (const loop of loops) {
    const entries = set
      .filter((one) => one.loop === loop)
      .map(({ target, results }) => ({ name: target.name, results }));
    console.log("");
    printTable(medianTable(`${loop.name}, ms`, columns, entries, 3));
    for (const line of ratios(entries, loop)) console.log(line);
  }
}

async function main() {
  const asked = options();
  buildNative();
  if (asked.buildOnly) return;
  await prepare();
  const loops = loopsOf(asked);
  const set = await inScratch("native-bench", async (directory, atEnd) => {
    const clusterPort = await freePorts(nodes);
    const echoPort = await freePorts(nodes, clusterPort + nodes);
    const started = [
      startCluster(nodes, directory, clusterPort, ["--durability", asked.durability]),
      ...startEchoNodes(echoPort, asked.valueBytes),
    ];
    for (const { stop } of started) atEnd(stop);
    await Promise.all(started.map(({ ready }) => ready));
    return await measure(targetsOf(clusterPort, echoPort), loops, asked);
  });
  report(set, loops, asked);
  saveJson(
    asked.out,
    set.map(({ loop, target, results }) => ({ loop: loop.name, target: target.name, results })),
  );
}

runCommand("native-bench", main);
