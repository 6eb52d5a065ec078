// `npm run bench`: the figures of README.md. Starts a throw-away cluster of three nodes on free ports with its data in a
// temporary directory, runs the set below against it, interleaved so that a slow minute of the machine hits all of it,
// prints one table of medians, and leaves nothing behind.
//
//   npm run bench -- [--runs 3] [--duration 20] [--warm-up 5] [--keys 100000] [--rate 5000] [--generator native|node]
//                    [--out FILE] [--quick] [--compare coordination|resolver]
//
// --compare coordination (`npm run coordination`): gets coordinated by nodes, and by the client itself (Dynamo 6.4).
// --compare resolver: a bucket that keeps siblings, and one where the last write wins.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  cleanOnSignal,
  freePorts,
  inRoundOrder,
  medianRow,
  printTable,
  program,
  runForJson,
  runsOf,
  startCluster,
} from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";
import { generatorOf } from "./tail/generator.mjs";

const nodes = 3;
const durabilities = ["memory", "buffered", "one-durable", "durable"];
const buffered = ["--durability", "buffered"];
/** What is run beside each other. */
const comparisons = {
  durability: durabilities.map((durability) => ({ name: durability, args: ["--durability", durability] })),
  coordination: ["node", "client"].flatMap((by) =>
    [50, 95].map((reads) => ({
      name: `by ${by}, ${reads} % gets`,
      args: [...buffered, "--reads", String(reads), "--coordination", by],
    })),
  ),
  resolver: ["bench", "bench-lww"].map((bucket) => ({ name: bucket, args: [...buffered, "--bucket", bucket] })),
};

function options() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string" },
      duration: { type: "string" },
      "warm-up": { type: "string" },
      keys: { type: "string", default: "100000" },
      rate: { type: "string", default: "5000" },
      generator: { type: "string", default: "node" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
      compare: { type: "string", default: "durability" },
    },
  });
  return {
    runs: runsOf(values.runs, values.quick ? 1 : 3),
    duration: values.duration ?? (values.quick ? "2" : "20"),
    warmUp: values["warm-up"] ?? (values.quick ? "1" : "5"),
    keys: values.quick ? "5000" : values.keys,
    rate: values.quick ? "500" : values.rate,
    generator: values.generator,
    out: values.out,
    compare: compared(values.compare),
  };
}

function compared(name) {
  if (comparisons[name] === undefined) {
    throw new Error(`--compare is ${name}; allowed: ${Object.keys(comparisons).join(", ")}`);
  }
  return comparisons[name];
}

function scenarios({ rate, compare }) {
  const closed = compare.map(({ name, args }) => ({
    name: `${name}, closed loop, 64 clients`,
    args: [...args, "--clients", "64"],
  }));
  const open = compare.map(({ name, args }) => ({
    name: `${name}, open loop, ${rate}/s`,
    args: [...args, "--rate", rate],
  }));
  return [...closed, ...open].map((scenario) => ({ ...scenario, results: [] }));
}

async function runAll(address, set, { runs, duration, warmUp, keys, generator }) {
  const { command, args } = generatorOf(generator);
  const common = ["--workload", "a", "--keys", keys, "--duration", duration, "--warm-up", warmUp];
  for (let run = 1; run <= runs; run += 1) {
    for (const [i, scenario] of inRoundOrder(set, run).entries()) {
      console.error(`round ${run} of ${runs}, ${i + 1} of ${set.length}: ${scenario.name} ...`);
      const asked = [...common, "--seed-node", address, "--seed", String(run), ...scenario.args];
      const result = await runForJson(command, [...args, ...asked]);
      scenario.results.push(result);
      if (result.voided !== null) console.error(`  VOIDED: ${result.voided}`);
    }
  }
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

function tableOf(set, { runs }) {
  const head = ["response time in ms", ...columns.map(([name]) => name), "voided"];
  return [head, ...set.map(({ name, results }) => medianRow(name, results, columns, runs))];
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
  const basePort = await freePorts(nodes);
  const seed = `127.0.0.1:${basePort}`;
  const cluster = startCluster(nodes, directory, basePort);
  const clean = async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  cleanOnSignal(clean);
  try {
    await cluster.ready;
    await runForJson(process.execPath, [
      program,
      "bucket",
      "set",
      "bench-lww",
      "--resolver",
      "lww",
      "--seed-node",
      seed,
    ]);
    const set = scenarios(asked);
    await runAll(seed, set, asked);
    describe(set, asked);
    printTable(tableOf(set, asked));
    if (asked.out !== undefined) writeFileSync(asked.out, `${JSON.stringify(set, null, 2)}\n`);
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exit(1);
});
