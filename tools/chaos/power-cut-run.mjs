// One power-cut run: nodes on disks of their own (loop-disk.mjs) under a load that goes on. Each time some or all of them
// stand still at once, the system writes back for a while, or not at all; what their disks hold by then is all that is
// left, and they start on it, on machines with a new boot id. Every write that was acknowledged as `durable` is owed.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Rng } from "../../dist/base/rng.js";
import { CatchUp } from "../../dist/cli/sync-point.js";
import { Check } from "../../dist/lab/check/check.js";
import { flagsOf } from "../shared/processes.mjs";
import { servedNodes } from "../shared/served-nodes.mjs";
import { LoopDisk } from "./loop-disk.mjs";
import { drawSettings } from "./torture-run.mjs";

const bootId = fileURLToPath(new URL("./boot-id.cjs", import.meta.url));
const diskMiB = 256;
/** Of the newest keys, read back after each cut; older ones at the end. */
const keysVerifiedMax = 60;
const withinMs = 120_000;
/** Between the last instruction of the nodes and the cut: the system writes back after five seconds. */
const pausesMs = [0, 0, 0, 50, 500, 6_000, 9_000];

function nodesOf({ directory, port, nodes: count, durability }) {
  const settings = { durability, partitions: 32, "disk-reserve-mib": 16 };
  const own = () => ({ preload: [bootId] });
  const nodes = servedNodes({ count, basePort: port, directory, settings, own, isProxied: false });
  return nodes.map((node) => Object.assign(node, { path: join(directory, node.name), disk: undefined }));
}

/** Runs; resolves with the report. Rejects when a node does not start again, or nothing may be mounted here. */
export async function runPowerCut(asked, say) {
  const rng = new Rng(asked.seed);
  const nodes = nodesOf(asked);
  const began = Date.now();
  const counts = { nodesCut: 0, allAtOnce: 0 };
  const missed = [];
  let check;
  try {
    for (const node of nodes) node.disk = new LoopDisk(node.path, diskMiB);
    await start(nodes, rng);
    check = await Check.connect({
      seedNodes: nodes.map(({ address }) => address),
      ...{ bucket: "power-cut", keys: 24, clients: 6, rate: asked.rate, seed: asked.seed, timeoutMs: 2000 },
      historyFile: join(asked.directory, "history.jsonl"),
      recency: true,
    });
    check.start();
    for (let cut = 1; cut <= asked.cuts; cut += 1) {
      await sleep(rng.between(100, 2_000));
      const hit = rng.chance(600) ? nodes : rng.shuffle([...nodes]).slice(0, rng.between(1, nodes.length - 1));
      const pauseMs = rng.pick(pausesMs);
      await cutPower(hit, pauseMs);
      await start(hit, rng);
      counts.nodesCut += hit.length;
      if (hit === nodes) counts.allAtOnce += 1;
      missed.push(...(await check.readAgain(check.keys.slice(-keysVerifiedMax), withinMs)));
      const { length } = check.recorder.history.operations;
      say(`cut ${cut}: ${hit.map(({ name }) => name).join(" ")} after ${pauseMs} ms; ${length} operations so far`);
    }
    await check.stop();
    const seedNode = nodes.map(({ address }) => address);
    const rest = await new CatchUp({ seedNode, timeoutMs: "2000" }).within(withinMs);
    missed.push(...(await check.readFinally(withinMs)));
    return {
      seed: asked.seed,
      durability: asked.durability,
      seconds: Math.round((Date.now() - began) / 1000),
      cuts: asked.cuts,
      ...counts,
      copiesDiscarded: nodes.reduce((sum, { disk }) => sum + disk.discarded, 0),
      notConverged: rest,
      readsMissed: missed.length,
      firstMissed: missed[0] ?? "",
      errors: check.errors,
      ...check.verdict(),
    };
  } finally {
    await check?.close();
    for (const node of nodes) {
      await node.kill();
      node.disk?.close();
    }
  }
}

/** All stand still before the first disk is looked at: no answer of one can depend on what the cut took from another. */
async function cutPower(hit, pauseMs) {
  for (const node of hit) node.pause();
  await sleep(pauseMs);
  for (const { disk } of hit) await disk.freeze();
  for (const node of hit) {
    await node.kill();
    node.disk.thaw();
  }
}

async function start(nodes, rng) {
  for (const node of nodes) {
    node.env = { CHAOS_BOOT_ID: randomUUID() };
    node.start(flagsOf(drawSettings(rng)));
  }
  for (const node of nodes) {
    if (!(await node.ready(withinMs)))
      throw new Error(`${node.name} did not start again: ${node.lastWords.at(-1) ?? "it is silent"}`);
  }
}
