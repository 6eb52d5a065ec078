// What `ringtail why` costs on whole clusters: two of them beside each other, one that tells no phases, loaded in turns in
// interleaved blocks (A B B A ...), so that a slow minute of the machine hits both.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { medianEstimate } from "../../dist/lab/statistics.js";
import { Load } from "../overload/load.mjs";
import { ServedCluster } from "../shared/served-cluster.mjs";

const nodes = 3;
const usual = { nodes, keys: 20_000, clients: 64, timeoutMs: 1_000, durability: "buffered", partitions: 256 };
const sides = [
  { name: "with", flags: [] },
  { name: "without", flags: ["--without-phases"] },
];

async function opened({ directory, basePort }, { name, flags }, index) {
  const own = join(directory, name);
  mkdirSync(own, { recursive: true });
  const asked = { ...usual, flags, directory: own, basePort: basePort + nodes * index };
  const cluster = new ServedCluster(asked);
  const load = new Load(asked, cluster, own);
  const start = async () => {
    await cluster.start();
    await load.load("bench", usual.keys);
  };
  return { name, cluster, load, start };
}

async function block({ load }, seconds) {
  const { runs, cpu } = await load.measure({ seconds });
  const perSecond = runs[0].result.throughput;
  return { perSecond, cpuPerOperation: cpu.nodes / perSecond };
}

/**
 * Runs the blocks; what "with" has of "without", as medians of the pairs with their 95 % intervals. `atEnd` is told how to
 * end what was started.
 */
export async function measureCost(asked, atEnd, say) {
  const both = await Promise.all(sides.map((side, index) => opened(asked, side, index)));
  const [a, b] = both;
  const pairs = [];
  for (const { cluster } of both) atEnd(() => cluster.stop());
  for (const side of both) await side.start();
  for (const side of both) await block(side, asked.seconds);
  for (let pair = 0; pair < asked.pairs; pair += 1) {
    const first = await block(pair % 2 === 0 ? a : b, asked.seconds);
    const second = await block(pair % 2 === 0 ? b : a, asked.seconds);
    const [on, off] = pair % 2 === 0 ? [first, second] : [second, first];
    pairs.push({ with: on, without: off });
    say(`pair ${pair + 1} of ${asked.pairs}: ${on.perSecond.toFixed(0)} and ${off.perSecond.toFixed(0)} a second`);
  }
  const ratio = (of) => medianEstimate(pairs.map((pair) => of(pair.with) / of(pair.without)));
  return {
    pairs,
    throughput: ratio(({ perSecond }) => perSecond),
    cpuPerOperation: ratio(({ cpuPerOperation }) => cpuPerOperation),
  };
}
