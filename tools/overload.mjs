// `npm run overload`: what a cluster does with more work than it can do. Starts a throw-away cluster of three `ringtail
// serve` processes on free ports, finds its peak in a closed loop, and then asks for more; leaves nothing behind but what
// --out asks for.
//
//   npm run overload -- [goodput] [recovery] [hot] [options]   all three, if none is named
//
//   goodput    so many times the peak, in an open loop: how much is answered within its time, and whose the CPUs were
//   recovery   a quiet load, and a burst of so many times the peak beside it: when p99.9 is normal again
//   hot        half of the load on one key, against the same load spread: what the other keys see of it
//
//   --times N           the peak so often (2)
//   --rounds N          rounds; figures are medians (3)
//   --seconds S         of each measured stretch (8)
//   --keys N            of 1 KiB each (20000)          --clients N        of the closed loop (64)
//   --timeout-ms MS     the deadline of an operation (1000)
//   --durability MODE   of the cluster (buffered)      --generator KIND   native or node (native if it is built)
//   --base-port N       --out FILE (all figures, as JSON)                 --quick
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cleanOnSignal, freePorts } from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";

const stories = ["goodput", "recovery", "hot"];
const nodes = 3;
const text = { type: "string" };

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ times: text, rounds: text, seconds: text, keys: text, clients: text, "timeout-ms": text, durability: text },
      ...{ generator: text, "base-port": text, out: text, quick: { type: "boolean", default: false } },
    },
  });
  const unknown = positionals.find((name) => !stories.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} was asked for; allowed: ${stories.join(", ")}`);
  const { quick } = values;
  const whole = (key, usual, min = 1) => {
    const value = Number(values[key] ?? usual);
    if (Number.isInteger(value) && value >= min && value <= 10_000_000) return value;
    throw new Error(`--${key} is ${values[key]}; allowed: a whole number from ${min}`);
  };
  return {
    nodes,
    stories: positionals.length === 0 ? stories : positionals,
    times: whole("times", 2),
    rounds: whole("rounds", quick ? 1 : 3),
    seconds: whole("seconds", quick ? 2 : 8, 2),
    keys: whole("keys", quick ? 1_000 : 20_000),
    clients: whole("clients", 64),
    timeoutMs: whole("timeout-ms", 1_000),
    durability: values.durability ?? "buffered",
    partitions: 256,
    unbounded: false,
    serveFlags: [],
    generator: values.generator,
    basePort: values["base-port"] === undefined ? undefined : whole("base-port", 0, 1024),
    out: values.out,
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: they stand on what was built.
  const { TailCluster } = await import("./tail/cluster.mjs");
  const { Load } = await import("./overload/load.mjs");
  const { runStories } = await import("./overload/stories.mjs");
  const { tell } = await import("./overload/report.mjs");
  const directory = mkdtempSync(join(tmpdir(), "ringtail-overload-"));
  const basePort = asked.basePort ?? (await freePorts(nodes));
  const cluster = new TailCluster({ ...asked, directory, basePort });
  const clean = async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  cleanOnSignal(clean);
  try {
    await cluster.start();
    const load = new Load(asked, cluster, directory);
    const report = await runStories(asked, load, (line) => console.error(line));
    tell(report);
    if (asked.out !== undefined) writeFileSync(asked.out, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`overload: ${error.message}`);
  process.exit(1);
});
