// One gray run: a cluster under an open loop of the SDK, one node of which becomes slow in one of several ways. Three
// stretches are told: before, the two seconds in which its peers are to find it, and after those; and when they did.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { readHistogramLog, stretchOf } from "../../dist/lab/series.js";
import { ringtail } from "../shared/processes.mjs";
import { ChaosProxy } from "../shared/proxy.mjs";
import { delayBetween, servedNodes, startAll } from "../shared/served-nodes.mjs";

const slowDisk = join(import.meta.dirname, "slow-disk.cjs");
const findSeconds = 2;
const burstMs = 100;
const pauseEveryMs = 400;
const linkMs = 20;
const lookMs = 100;

/** What each cause does to the node at `slow`, and how that is undone. */
const causes = {
  bursts: ({ nodes, slow }) => {
    const node = nodes[slow];
    const timer = setInterval(() => {
      node.pause();
      setTimeout(() => node.resume(), burstMs);
    }, pauseEveryMs);
    return () => clearInterval(timer);
  },
  disk: ({ nodes, slow }) => {
    nodes[slow].signal("SIGUSR2");
    return () => nodes[slow].signal("SIGUSR2");
  },
  link: ({ nodes, proxy, slow }) => {
    delayBetween(proxy, [slow], [...nodes.keys()], linkMs);
    return () => proxy.healAll();
  },
  all: ({ nodes, proxy }) => {
    delayBetween(proxy, [...nodes.keys()], [...nodes.keys()], linkMs);
    return () => proxy.healAll();
  },
};

/** All there are. */
export const causeNames = Object.keys(causes);

/** Runs one cause; resolves with its row. `atEnd` is told how to end what was started. */
export async function runGray(asked, cause, atEnd) {
  const { nodes: count, basePort, directory, durability, bufferMiB } = asked;
  const settings = { durability, "object-buffer-mib": bufferMiB };
  const own = () => ({ preload: [slowDisk] });
  const nodes = servedNodes({ count, basePort, directory, settings, own });
  const proxy = new ChaosProxy(new Rng(asked.seed), nodes);
  atEnd(() => proxy.stop());
  for (const node of nodes) atEnd(() => node.kill());
  await proxy.start();
  await startAll(nodes);
  console.error(`${cause}: ${count} nodes serve`);
  return await measured(asked, cause, { nodes, proxy, slow: count - 1 });
}

async function measured({ rate, keys, seconds, directory, warmUp }, cause, world) {
  const log = join(directory, "run.hlog");
  const bench = (...flags) => ringtail([world.nodes[0].address], "bench", "--workload", "a", "--keys", keys, ...flags);
  await bench("--load", "always", "--duration", 1, "--warm-up", 0, "--rate", 100);
  const times = ["--warm-up", warmUp, "--duration", 2 * seconds + findSeconds];
  const run = bench("--load", "never", "--rate", rate, "--priority", "high", ...times, "--hlog", log);
  await sleep(1000 * (warmUp + seconds));
  const began = Date.now();
  const undo = causes[cause](world);
  console.error(`${cause}: begins`);
  const wronged = new Set();
  let found = 0;
  const over = run.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, sleep(lookMs, false)]))) {
    const views = await viewsOf(world);
    if (found === 0 && cause !== "all" && views.every(({ ofSlow }) => ofSlow !== "ok")) found = Date.now();
    if (Date.now() > began + 1000 * findSeconds)
      for (const view of views) for (const name of view.wronged) wronged.add(name);
  }
  undo();
  const { voided } = await run;
  return {
    cause,
    ...stretchesOf(log, began),
    foundMs: found === 0 ? null : found - began,
    wronged: [...wronged],
    hedges: await hedgesOf(world),
    voided,
  };
}

/** What each healthy node says of the slow one, and whom of the others it holds for less than well. */
async function viewsOf({ nodes, slow }) {
  const statuses = await Promise.all(nodes.map((node) => node.status()));
  const slowNumber = statuses[slow]?.number;
  return statuses.flatMap((status, index) => {
    if (status === undefined || index === slow) return [];
    const others = status.peers.filter(({ number, state }) => number !== slowNumber && state !== "ok");
    const ofSlow = status.peers.find(({ number }) => number === slowNumber)?.state ?? "unknown";
    return [{ ofSlow, wronged: others.map(({ number }) => `${status.number}>${number}`) }];
  });
}

async function hedgesOf({ nodes }) {
  const statuses = await Promise.all(nodes.map((node) => node.status()));
  const counters = statuses.flatMap((status) => status?.counters ?? []);
  return counters.reduce((sum, { name, value }) => (name === "reads_hedged" ? sum + value : sum), 0);
}

function stretchesOf(log, began) {
  const { startedMs, intervals } = readHistogramLog(readFileSync(log, "utf8"));
  const at = (began - startedMs) / 1000;
  const end = intervals.at(-1)?.to ?? 0;
  return {
    before: stretchOf(intervals, 0, at),
    finding: stretchOf(intervals, at, at + findSeconds),
    after: stretchOf(intervals, at + findSeconds, end),
  };
}
