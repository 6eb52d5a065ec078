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
//   --newcomers N     join: how many join (2)
//   --outage S        join: one of the three was down for so long, and comes back as the others join (0)
//   --within S        seconds in which everything should settle; what is left of them counts as afterwards (60)
//   --after S         seconds after those (20)
//   --durability MODE of the cluster (one-durable)
//   --unbounded       background work is not governed: for comparison
//   --generator KIND  native or node (native if it is built: npm run native-bench -- --build-only)
//   --serve-flags T   more flags of `ringtail serve`, as one text
//   --base-port N     --out DIR (report.json, series.svg, run.hlog, plan.txt)     --json     --quick
import { mkdirSync } from "node:fs";
import { prepare } from "./prepare.mjs";
import { commandLine, inScratch, runCommand, stopwatch } from "./shared/command.mjs";
import { freePorts } from "./shared/processes.mjs";

const stories = {
  join: { nodes: 3, newcomers: 2, rate: 3000 },
  "one-down": { nodes: 5, newcomers: 0, rate: 1000 },
};

function options() {
  const times = ["before", "down", "outage", "within", "after"];
  const texts = ["rate", "keys", "newcomers", ...times, "durability", "generator", "serve-flags", "base-port", "out"];
  const flags = ["unbounded", "json", "quick"];
  const { values, positionals, whole } = commandLine(texts, flags, { allowPositionals: true });
  const [name] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(stories, name))
    throw new Error(
      `${positionals.join(" ") || "nothing"} was asked for; allowed: ${Object.keys(stories).join(" or ")}`,
    );
  const { quick, unbounded, generator, json, out, durability = "one-durable" } = values;
  const serveFlags = (values["serve-flags"] ?? "").split(" ").filter((word) => word !== "");
  return {
    ...{ name, ...stories[name], durability, unbounded, generator, json, out },
    rate: whole("rate", quick ? 300 : stories[name].rate),
    newcomers: name === "join" ? whole("newcomers", stories.join.newcomers) : 0,
    keys: whole("keys", quick ? 2_000 : 100_000),
    before: whole("before", quick ? 3 : 30),
    down: whole("down", quick ? 3 : 30),
    outage: whole("outage", 0, 0),
    after: whole("after", quick ? 2 : 20),
    within: whole("within", quick ? 20 : 60),
    warmUp: quick ? 1 : 10,
    flags: unbounded ? [...serveFlags, "--background-unbounded"] : serveFlags,
    partitions: quick ? 64 : 1024,
    basePort: whole("base-port", undefined, 1024, 65_000),
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: they stand on what was built.
  const { ServedCluster } = await import("./shared/served-cluster.mjs");
  const { runStory } = await import("./tail/story.mjs");
  const { tell, save } = await import("./tail/report.mjs");
  if (asked.out !== undefined) mkdirSync(asked.out, { recursive: true });
  await inScratch("tail", async (directory, atEnd) => {
    const basePort = asked.basePort ?? (await freePorts(asked.nodes + asked.newcomers));
    const cluster = new ServedCluster({ ...asked, directory, basePort });
    atEnd(() => cluster.stop());
    const report = await runStory(asked, cluster, directory, stopwatch());
    tell(report, asked.json);
    if (asked.out !== undefined) save(report, directory, asked.out);
    if (!report.settled) process.exitCode = 1;
  });
}

runCommand("tail", main);
