// One torture run: kill -9 on one node, again and again, under a load that goes on. A key lives for a few kills, so that
// several lives of the node write it. After each start the newest keys are read back, and a get must reflect all that
// was acknowledged before it; in the end every key is read.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { Check } from "../../dist/lab/check/check.js";
import { NodeProcess } from "../shared/node-process.mjs";
import { flagsOf } from "../shared/processes.mjs";
import { secretIn } from "../shared/served-nodes.mjs";

/** Read back after each start; older keys at the end. */
const keysVerifiedMax = 200;
const readWithinMs = 60_000;

/** A cycle's settings: small buffers and segments make rotation, write-back and replay meet the kill more often. */
export function drawSettings(rng) {
  return {
    "object-buffer-mib": rng.pick([1, 4, 64]),
    "log-segment-kib": rng.pick([64, 256, 1024, 16_384]),
    "repair-pass-ms": rng.pick([30_000, 600_000]),
  };
}

function makeNode({ directory, port }, durability) {
  const address = `127.0.0.1:${port}`;
  const fixed = { name: "n1", listen: address, directory: join(directory, "n1"), "secret-file": secretIn(directory) };
  const alone = { n: 1, r: 1, w: 1, "replicas-max": 1, partitions: 16 };
  const settings = [...flagsOf({ ...fixed, ...alone, durability }), "--bootstrap"];
  return new NodeProcess({ name: "n1", settings, address, log: join(directory, "n1.log") });
}

/** Runs; resolves with the report. Rejects when the node does not start again. */
export async function runTorture(asked, say) {
  const rng = new Rng(asked.seed);
  // The cluster's from its first start on.
  const durability = rng.fork("durability").pick(["buffered", "one-durable", "durable"]);
  const node = makeNode(asked, durability);
  const began = Date.now();
  let killedWhileStarting = await startHarshly(node, rng);
  const check = await Check.connect({
    seedNodes: [node.address],
    ...{ bucket: "torture", keys: 24, clients: 8, rate: 800, seed: asked.seed, timeoutMs: 1000 },
    historyFile: join(asked.directory, "history.jsonl"),
    recency: true,
  });
  const missed = [];
  try {
    check.start();
    for (let cycle = 1; cycle <= asked.cycles; cycle += 1) {
      await sleep(rng.between(50, 1_500));
      await node.kill();
      killedWhileStarting += await startHarshly(node, rng);
      missed.push(...(await check.readAgain(check.keys.slice(-keysVerifiedMax), readWithinMs)));
      if (cycle % 10 === 0) say(`${cycle} kills, ${check.recorder.history.operations.length} operations`);
    }
    await check.stop();
    // Once more without load: what the last life wrote must be on disk as well.
    await node.kill();
    await startHarshly(node, rng);
    missed.push(...(await check.readFinally(readWithinMs)));
    return {
      seed: asked.seed,
      durability,
      seconds: Math.round((Date.now() - began) / 1000),
      cycles: asked.cycles,
      killedWhileStarting,
      readsMissed: missed.length,
      firstMissed: missed[0] ?? "",
      errors: check.errors,
      ...check.verdict(),
    };
  } finally {
    await check.close();
    await node.kill();
  }
}

/** Starts the node, killing it up to three times on the way; returns how often. */
async function startHarshly(node, rng) {
  const kills = rng.chance(200) ? rng.between(1, 3) : 0;
  const flags = () => flagsOf(drawSettings(rng));
  for (let i = 0; i < kills; i += 1) {
    node.start(flags());
    await sleep(rng.between(50, 900));
    await node.kill();
  }
  node.start(flags());
  if (!(await node.ready()))
    throw new Error(`the node did not start again: ${node.lastWords.at(-1) ?? "it is silent"}`);
  return kills;
}
