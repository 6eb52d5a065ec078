// `npm run body-max`: from which size on a record is better sent by one replica and told of by the others (the setting
// `bodyMaxBytes`). For each size of values it runs the same gets on a cluster whose replicas all send all and on one where
// all but one send heads, in turn, and prints both.
//
//   npm run body-max -- [--sizes 256,1024,...] [--runs 3] [--duration 5] [--clients 16] [--keys 2000] [--base-port N]
//                       [--out FILE] [--quick]
import { prepare } from "./prepare.mjs";
import { commandLine, inScratch, runCommand, saveJson, wholesOf } from "./shared/command.mjs";
import { inRounds, keep, medianOf, printTable } from "./shared/figures.mjs";
import { freePorts, ringtail, startCluster } from "./shared/processes.mjs";

const nodes = 3;
/** One byte: every record is a large one. */
const modes = [
  { name: "all send all", bodyMax: 0 },
  { name: "one sends all", bodyMax: 1 },
];

function options() {
  const texts = ["sizes", "runs", "duration", "clients", "keys", "base-port", "out"];
  const { values, whole } = commandLine(texts, ["quick"]);
  const { quick } = values;
  return {
    sizes: wholesOf("sizes", values.sizes ?? (quick ? "1024,65536" : "256,1024,2048,4096,8192,16384,65536,262144")),
    runs: whole("runs", quick ? 1 : 3),
    duration: values.duration ?? (quick ? "1" : "5"),
    clients: whole("clients", 16),
    keys: whole("keys", quick ? 100 : 2_000),
    basePort: whole("base-port"),
    out: values.out,
  };
}

/** Values of one size on one cluster: gets only, of keys that are loaded first. */
function measure(address, { duration, clients, keys }, size) {
  // As many bytes for every size, as far as that leaves some keys.
  const count = Math.max(64, Math.min(keys, Math.floor((keys * 4096) / size)));
  const args = ["--workload", "c", "--keys", count, "--value-bytes", size, "--clients", clients, "--load", "always"];
  const times = ["--duration", duration, "--warm-up", "1", "--bucket", `size-${size}`];
  return ringtail([address], "bench", ...args, ...times);
}

function rowOf(size, [all, one]) {
  const throughputs = [all, one].map(({ results }) => medianOf("ops/s", results));
  const gain = 100 * (throughputs[1] / throughputs[0] - 1);
  const p99s = [all, one].map(({ results }) => medianOf("p99", results).toFixed(2));
  return [
    String(size),
    ...throughputs.map((throughput) => throughput.toFixed(0)),
    `${gain >= 0 ? "+" : ""}${gain.toFixed(1)} %`,
    ...p99s,
  ];
}

async function startModes({ basePort }, directory, atEnd) {
  const addresses = [];
  for (const [index, { bodyMax }] of modes.entries()) {
    const port = basePort === undefined ? await freePorts(nodes) : basePort + 10 * index;
    // `up` hands what it does not know itself to its nodes by their environment.
    process.env.RINGTAIL_BODY_MAX_BYTES = String(bodyMax);
    const cluster = startCluster(nodes, `${directory}/${bodyMax}`, port, ["--durability", "buffered"]);
    atEnd(cluster.stop);
    await cluster.ready;
    addresses.push(`127.0.0.1:${port}`);
  }
  delete process.env.RINGTAIL_BODY_MAX_BYTES;
  return addresses;
}

async function main() {
  const asked = options();
  await prepare();
  await inScratch("body-max", async (directory, atEnd) => {
    const addresses = await startModes(asked, directory, atEnd);
    const rows = [];
    for (const size of asked.sizes) {
      const set = modes.map(({ name }, i) => ({ name: `${size} bytes, ${name}`, address: addresses[i], results: [] }));
      for (const [{ address, results }] of inRounds(set, asked.runs))
        keep(results, await measure(address, asked, size));
      rows.push(rowOf(size, set));
    }
    const head = ["value bytes", "gets/s, all send all", "one sends all", "gain", "p99 ms, all", "one"];
    printTable([head, ...rows]);
    saveJson(asked.out, { head, rows });
  });
}

runCommand("body-max", main);
