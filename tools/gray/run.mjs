// One gray run: a cluster under an open loop of the SDK, one node of which becomes slow in one of several ways. Three
// stretches are told: before, the two seconds in which its peers are to find it, and after those; and when they did.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { makeSecret } from "../../dist/io/secret.js";
import { readHistogramLog, stretchOf } from "../../dist/lab/series.js";
import { program, runForJson } from "../bench-support.mjs";
import { NodeProcess } from "../chaos/node-process.mjs";
import { ChaosProxy } from "../chaos/proxy.mjs";

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
    hurt(proxy, nodes, [slow]);
    return () => proxy.healAll();
  },
  all: ({ nodes, proxy }) => {
    hurt(proxy, nodes, [...nodes.keys()]);
    return () => proxy.healAll();
  },
};

/** All there are. */
export const causeNames = Object.keys(causes);

function hurt(proxy, nodes, seats) {
  for (const from of seats) {
    for (const to of nodes.keys()) {
      if (to === from) continue;
      proxy.set(from, to, { delayMs: linkMs });
      proxy.set(to, from, { delayMs: linkMs });
    }
  }
}

function makeNodes({ nodes: count, basePort, directory, durability, bufferMiB }) {
  const secret = join(directory, "cluster.secret");
  makeSecret(secret);
  return Array.from({ length: count }, (_, index) => {
    const name = `n${index + 1}`;
    const [proxyPort, port] = [basePort + index, basePort + 100 + index];
    mkdirSync(join(directory, name), { recursive: true });
    const settings = {
      ...{ name, host: `host-${name}`, listen: `127.0.0.1:${port}`, advertise: `127.0.0.1:${proxyPort}` },
      ...{ directory: join(directory, name, "data"), "secret-file": secret, durability, partitions: "64" },
      "object-buffer-mi-b": String(bufferMiB),
    };
    const place = index === 0 ? ["--bootstrap", "--expect", String(count)] : ["--seed-node", `127.0.0.1:${basePort}`];
    const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    const log = join(directory, `${name}.log`);
    const node = new NodeProcess({ name, settings: [...flags, ...place], address: `127.0.0.1:${port}`, log });
    return Object.assign(node, { proxyPort, port });
  });
}

/** Runs one cause; resolves with its row. */
export async function runGray(asked, cause, say) {
  const nodes = makeNodes(asked);
  const proxy = new ChaosProxy(new Rng(asked.seed), nodes);
  const slow = nodes.length - 1;
  try {
    await proxy.start();
    for (const node of nodes) node.start();
    for (const node of nodes)
      if (!(await node.ready())) throw new Error(`${node.name} did not start: ${node.lastWords}`);
    const address = `127.0.0.1:${nodes[0].port}`;
    say(`${cause}: ${nodes.length} nodes serve`);
    return await measured(asked, cause, { nodes, proxy, slow, address }, say);
  } finally {
    for (const node of nodes) await node.kill();
    proxy.stop();
  }
}

async function measured({ rate, keys, seconds, directory, warmUp }, cause, world, say) {
  const log = join(directory, `${cause}.hlog`);
  const total = 2 * seconds + findSeconds;
  const load = ["--workload", "a", "--keys", keys, "--rate", rate, "--warm-up", warmUp, "--duration", total];
  const bench = [program, "bench", "--seed-node", world.address, ...load, "--hlog", log].map(String);
  await runForJson(process.execPath, [program, "bench", "--seed-node", world.address, ...loadOnly(keys)].map(String));
  let began = 0;
  let found = 0;
  const run = runForJson(process.execPath, [...bench, "--load", "never"]);
  await sleep(1000 * (warmUp + seconds));
  began = Date.now();
  const undo = causes[cause](world);
  say(`${cause}: begins`);
  const wronged = new Set();
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
  const result = await run;
  const hedges = await hedgesOf(world);
  return {
    cause,
    ...stretchesOf(log, began),
    foundMs: found === 0 ? null : found - began,
    wronged: [...wronged],
    hedges,
    voided: result.voided,
  };
}

function loadOnly(keys) {
  return ["--keys", keys, "--load", "always", "--duration", "1", "--warm-up", "0", "--rate", "100"];
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
