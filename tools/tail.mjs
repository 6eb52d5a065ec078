// `npm run tail`: what the tail does while a cluster changes. Starts a throw-away cluster of `ringtail serve` processes
// on free ports, loads it in an open loop, changes it meanwhile, and reports p50, p99, p99.9 and the slowest of each
// phase, with what the machine did at the same time. Leaves nothing behind but what --out asks for.
//
//   npm run tail -- join      [options]   two nodes join three
//   npm run tail -- one-down  [options]   one of five nodes is killed, and comes back
//
//   --rate N          operations a second, half gets, half puts, zipfian (join: 3000; one-down: 1000)
//   --keys N          of 1 KiB each (100000)
//   --before S        seconds before the change (30)
//   --down S          one-down: seconds until the node comes back (30)
//   --outage S        join: one of the three was down for so long, and comes back as the others join (0)
//   --within S        seconds in which everything should settle; what is left of them counts as afterwards (60)
//   --after S         seconds after those (20)
//   --durability MODE of the cluster (one-durable)
//   --unbounded       background work is not governed: for comparison
//   --generator KIND  native or node (native if it is built: npm run native-bench -- --build-only)
//   --serve-flags T   more flags of `ringtail serve`, as one text
//   --base-port N     --out DIR (report.json, series.svg, run.hlog, plan.txt)     --json     --quick
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cleanOnSignal, freePorts } from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";

const stories = {
  join: { nodes: 3, newcomers: 2, rate: 3000 },
  "one-down": { nodes: 5, newcomers: 0, rate: 1000 },
};

const text = { type: "string" };
const flag = { type: "boolean", default: false };

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ rate: text, keys: text, before: text, down: text, outage: text, after: text, within: text },
      ...{ durability: text, generator: text, "serve-flags": text, "base-port": text, out: text },
      ...{ unbounded: flag, json: flag, quick: flag },
    },
  });
  const [name] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(stories, name))
    throw new Error(
      `${positionals.join(" ") || "nothing"} was asked for; allowed: ${Object.keys(stories).join(" or ")}`,
    );
  const { quick } = values;
  const story = stories[name];
  const whole = (key, usual, min = 1) => {
    const value = Number(values[key] ?? usual);
    if (Number.isInteger(value) && value >= min && value <= 10_000_000) return value;
    throw new Error(`--${key} is ${values[key]}; allowed: a whole number from ${min}`);
  };
  return {
    ...{ name, ...story },
    rate: whole("rate", quick ? 300 : story.rate),
    keys: whole("keys", quick ? 2_000 : 100_000),
    before: whole("before", quick ? 3 : 30),
    down: whole("down", quick ? 3 : 30),
    outage: whole("outage", 0, 0),
    after: whole("after", quick ? 2 : 20),
    within: whole("within", quick ? 20 : 60),
    warmUp: quick ? 1 : 10,
    durability: values.durability ?? "one-durable",
    unbounded: values.unbounded,
    generator: values.generator,
    serveFlags: (values["serve-flags"] ?? "").split(" ").filter((word) => word !== ""),
    partitions: quick ? 64 : 1024,
    basePort: values["base-port"] === undefined ? undefined : whole("base-port", 0, 1024),
    out: values.out,
    json: values.json,
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: they stand on what was built.
  const { TailCluster } = await import("./tail/cluster.mjs");
  const { runStory } = await import("./tail/story.mjs");
  const { tell, save } = await import("./tail/report.mjs");
  const directory = mkdtempSync(join(tmpdir(), "ringtail-tail-"));
  if (asked.out !== undefined) mkdirSync(asked.out, { recursive: true });
  const basePort = asked.basePort ?? (await freePorts(asked.nodes + asked.newcomers));
  const cluster = new TailCluster({ ...asked, directory, basePort });
  const clean = async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  cleanOnSignal(clean);
  const began = Date.now();
  const say = (line) => console.error(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  try {
    const report = await runStory(asked, cluster, directory, say);
    tell(report, asked.json);
    if (asked.out !== undefined) save(report, directory, asked.out);
    if (!report.settled) process.exitCode = 1;
  } finally {
    await clean();
  }
}

main().catch((error) => {
  console.error(`tail: ${error.message}`);
  process.exit(1);
});
