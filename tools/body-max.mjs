// `npm run body-max`: from which size on a record is better sent by one replica and told of by the others (the setting
// `bodyMaxBytes`). For each size of values it runs the same gets on a cluster whose replicas all send all and on one where
// all but one send heads, in turn, and prints both.
//
//   npm run body-max -- [--sizes 256,1024,...] [--runs 3] [--duration 5] [--clients 16] [--keys 2000] [--base-port N]
//                       [--out FILE] [--quick]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  cleanOnSignal,
  freePorts,
  median,
  printTable,
  program,
  runForJson,
  runsOf,
  startCluster,
} from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";

const nodes = 3;
/** One byte: every record is a large one. */
const modes = [
  { name: "all send all", bodyMax: 0 },
  { name: "one sends all", bodyMax: 1 },
];

function options() {
  const text = { type: "string" };
  const { values } = parseArgs({
    options: {
      ...{ sizes: text, runs: text, duration: text, clients: text, keys: text, "base-port": text, out: text },
      quick: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  const sizes = (values.sizes ?? (quick ? "1024,65536" : "256,1024,2048,4096,8192,16384,65536,262144")).split(",");
  for (const size of sizes) if (!/^\d{1,7}$/.test(size)) throw new Error(`--sizes has ${size}; allowed: bytes`);
  return {
    sizes: sizes.map(Number),
    runs: runsOf(values.runs, quick ? 1 : 3),
    duration: values.duration ?? (quick ? "1" : "5"),
    clients: values.clients ?? "16",
    keys: Number(values.keys ?? (quick ? 100 : 2_000)),
    basePort: values["base-port"],
    out: values.out,
  };
}

/** Values of one size on one cluster: gets only, of keys that are loaded first. */
async function measure(address, { duration, clients, keys }, size) {
  // As many bytes for every size, as far as that leaves some keys.
  const count = Math.max(64, Math.min(keys, Math.floor((keys * 4096) / size)));
  const args = ["--workload", "c", "--keys", count, "--value-bytes", size, "--clients", clients, "--load", "always"];
  const times = ["--duration", duration, "--warm-up", "1", "--bucket", `size-${size}`];
  return runForJson(process.execPath, [program, "bench", "--seed-node", address, ...args, ...times].map(String));
}

function rowOf(size, results) {
  const [all, one] = modes.map(({ name }) => results.get(name));
  const middle = (list, of) => median(list.map(of));
  const throughput = (list) => middle(list, (result) => result.throughput);
  const p99 = (list) => middle(list, (result) => result.latencyMs.p99);
  const gain = 100 * (throughput(one) / throughput(all) - 1);
  return [
    String(size),
    ...[throughput(all).toFixed(0), throughput(one).toFixed(0), `${gain >= 0 ? "+" : ""}${gain.toFixed(1)} %`],
    ...[p99(all).toFixed(2), p99(one).toFixed(2)],
  ];
}

async function main() {
  const asked = options();
  await prepare();
  const directory = mkdtempSync(join(tmpdir(), "ringtail-body-max-"));
  const running = [];
  const clean = async () => {
    for (const cluster of running.splice(0)) await cluster.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  cleanOnSignal(clean);
  try {
    const clusters = [];
    for (const [index, mode] of modes.entries()) {
      const basePort = asked.basePort === undefined ? await freePorts(nodes) : Number(asked.basePort) + 10 * index;
      const place = join(directory, String(mode.bodyMax));
      // `up` hands what it does not know itself to its nodes by their environment.
      process.env.RINGTAIL_BODY_MAX_BYTES = String(mode.bodyMax);
      const cluster = startCluster(nodes, place, basePort, ["--durability", "buffered"]);
      running.push(cluster);
      await cluster.ready;
      clusters.push({ ...mode, address: `127.0.0.1:${basePort}` });
    }
    delete process.env.RINGTAIL_BODY_MAX_BYTES;
    const rows = [];
    for (const size of asked.sizes) {
      const results = new Map(modes.map(({ name }) => [name, []]));
      for (let run = 0; run < asked.runs; run += 1) {
        for (const { name, address } of run % 2 === 0 ? clusters : [...clusters].reverse()) {
          results.get(name).push(await measure(address, asked, size));
        }
      }
      rows.push(rowOf(size, results));
      console.error(rows.at(-1).join("  "));
    }
    const head = ["value bytes", "gets/s, all send all", "one sends all", "gain", "p99 ms, all", "one"];
    printTable([head, ...rows]);
    if (asked.out !== undefined) writeFileSync(asked.out, `${JSON.stringify({ head, rows }, null, 2)}\n`);
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`body-max: ${error.message}`);
  process.exit(1);
});
