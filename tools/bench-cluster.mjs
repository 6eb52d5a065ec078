// `npm run bench`: the figures of README.md. Starts a throw-away cluster of three nodes on free ports with its data in a
// temporary directory, runs the set below against it, interleaved so that a slow minute of the machine hits all of it,
// prints one table of medians, and leaves nothing behind.
//
//   npm run bench -- [--runs 3] [--duration 20] [--warm-up 5] [--keys 100000] [--rate 5000] [--generator native|node]
//                    [--out FILE] [--quick] [--compare coordination|resolver]
//
// --compare coordination (`npm run coordination`): gets coordinated by nodes, and by the client itself (Dynamo 6.4).
// --compare resolver: a bucket that keeps siblings, and one where the last write wins.
import { prepare } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { inRounds, keep, machineText, mediansText, medianTable, printTable } from "./shared/figures.mjs";
import { generatorOf } from "./shared/generator.mjs";
import { freePorts, ringtail, runForJson, startCluster } from "./shared/processes.mjs";

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
const columns = ["ops/s", "p50", "p99", "p99.9", "p99.9 service", "p99.9 lateness", "max", "generator us/op", "errors"];

function options() {
  const texts = ["runs", "duration", "warm-up", "keys", "rate", "generator", "out", "compare"];
  const { values, whole } = commandLine(texts, ["quick"]);
  const { quick, generator = "node", compare = "durability", out } = values;
  chosen("--compare", [compare], Object.keys(comparisons));
  return {
    ...{ generator, compare: comparisons[compare], out },
    runs: whole("runs", quick ? 1 : 3),
    duration: values.duration ?? (quick ? "2" : "20"),
    warmUp: values["warm-up"] ?? (quick ? "1" : "5"),
    keys: whole("keys", quick ? 5_000 : 100_000),
    rate: whole("rate", quick ? 500 : 5_000),
  };
}

function scenarios({ rate, compare }) {
  const loops = [
    { name: "closed loop, 64 clients", args: ["--clients", 64] },
    { name: `open loop, ${rate}/s`, args: ["--rate", rate] },
  ];
  return loops.flatMap((loop) =>
    compare.map(({ name, args }) => ({ name: `${name}, ${loop.name}`, args: [...args, ...loop.args], results: [] })),
  );
}

async function runAll(address, set, { runs, duration, warmUp, keys, generator }) {
  const { command, args } = generatorOf(generator);
  const common = ["--workload", "a", "--keys", keys, "--duration", duration, "--warm-up", warmUp];
  for (const [scenario, round] of inRounds(set, runs)) {
    const asked = [...common, "--seed-node", address, "--seed", round, ...scenario.args];
    keep(scenario.results, await runForJson(command, [...args, ...asked]));
  }
}

function describe(set, { runs, duration }) {
  const { environment, workload } = set[0].results[0];
  const { machine, cluster } = environment;
  console.log(`${cluster.nodes} nodes and the generator on ${machineText(machine)}, node ${machine.node}`);
  console.log(
    `n=${cluster.n} r=${cluster.r} w=${cluster.w}, ${workload.keys} keys, values of ${workload.valueBytes} bytes, ` +
      `${workload.distribution}; ${mediansText(runs, duration)}`,
  );
}

async function main() {
  const asked = options();
  await prepare();
  const set = scenarios(asked);
  await inScratch("bench", async (directory, atEnd) => {
    const basePort = await freePorts(nodes);
    const address = `127.0.0.1:${basePort}`;
    const cluster = startCluster(nodes, directory, basePort);
    atEnd(cluster.stop);
    await cluster.ready;
    await ringtail([address], "bucket", "set", "bench-lww", "--resolver", "lww");
    await runAll(address, set, asked);
  });
  describe(set, asked);
  printTable(medianTable("response time in ms", columns, set));
  saveJson(asked.out, set);
}

runCommand("bench", main);
