// One chaos run: nodes behind the proxy, load, faults, healing, rest, last reads, verdict.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { CatchUp } from "../../dist/cli/sync-point.js";
import { Check } from "../../dist/lab/check/check.js";
import { ChaosProxy } from "../shared/proxy.mjs";
import { servedNodes, startAll } from "../shared/served-nodes.mjs";
import { mountSmallDisk, unmount } from "./disk-faults.mjs";
import { Nemesis } from "./nemesis.mjs";

const smallDiskMiB = 96;

function nodesOf({ nodes: count, "base-port": basePort, directory, durability }) {
  const settings = {
    ...{ durability, "object-buffer-mib": 4, "log-segment-kib": 1024, "repair-pass-ms": 30_000 },
    // The victim's disk is smaller than the default reserve.
    "disk-reserve-mib": 16,
  };
  return servedNodes({ count, basePort, directory, settings });
}

/** Runs; resolves with the report. Rejects when the cluster does not start or does not come back. */
export async function runChaos(asked, say) {
  say(`seed ${asked.seed}: ${asked.nodes} nodes for ${asked.duration} s, data and logs in ${asked.directory}`);
  const rng = new Rng(asked.seed);
  const nodes = nodesOf(asked);
  const proxy = new ChaosProxy(rng.fork("proxy"), nodes);
  const victim = rng.fork("victim").below(nodes.length);
  const smallDisk = join(asked.directory, nodes[victim].name);
  const diskFull = mountSmallDisk(smallDisk, smallDiskMiB);
  if (!diskFull) say("LEFT OUT: a full disk (mounting a tmpfs is not permitted here)");
  if (!asked.corruption)
    say("LEFT OUT: corrupted files (asked for with --corruption: gets are then not held to recency)");
  say("LEFT OUT: an offset of the monotonic clock (no process can shift its own); the wall clock is shifted");
  let check;
  try {
    await proxy.start();
    await startAll(nodes);
    check = await Check.connect({
      seedNodes: nodes.map(({ proxyPort }) => `127.0.0.1:${proxyPort}`),
      ...{ bucket: "chaos", keys: 32, clients: 8, rate: asked.rate, seed: asked.seed, timeoutMs: 2000 },
      historyFile: join(asked.directory, "history.jsonl"),
      recency: !asked.corruption,
    });
    const directories = nodes.map(({ data }) => data);
    const permitted = { diskFull, corruption: asked.corruption };
    const nemesis = new Nemesis({ rng: rng.fork("nemesis"), nodes, directories, proxy, victim, permitted, say });
    check.start();
    await nemesis.run(Date.now() + 1000 * asked.duration, asked["every-ms"]);
    return await judge({ asked, nodes, proxy, nemesis, check, say });
  } finally {
    await check?.close();
    for (const node of nodes) await node.kill("SIGKILL");
    proxy.stop();
    if (diskFull && asked.keep) say(`${smallDisk} stays mounted`);
    else if (diskFull) unmount(smallDisk);
  }
}

/** Heals, waits for rest, reads everything, and reports. */
async function judge({ asked, nodes, proxy, nemesis, check, say }) {
  await nemesis.heal();
  const healed = Date.now();
  say("healed; the load goes on for 3 s");
  await sleep(3_000);
  await check.stop();
  const seedNode = nodes.map(({ address }) => address);
  const tell = (rest) => say(`waiting: ${rest}`);
  const settleMs = 1000 * asked["settle-seconds"];
  const rest = await new CatchUp({ seedNode, timeoutMs: "2000" }, tell).within(settleMs);
  const convergedMs = rest === "" ? Date.now() - healed : null;
  const missed = await check.readFinally(settleMs);
  const verdict = check.verdict();
  return {
    seed: asked.seed,
    seconds: asked.duration,
    nodes: nodes.length,
    faults: Object.values(nemesis.counts).reduce((sum, count) => sum + count, 0),
    faultsByKind: nemesis.counts,
    proxy: proxy.counts,
    nodesEndedThemselves: nodes.flatMap(({ name, lastWords }) => lastWords.map((words) => `${name}: ${words}`)),
    convergedMs,
    notConverged: rest,
    readsMissed: missed.length,
    firstMissed: missed[0] ?? "",
    errors: check.errors,
    ...verdict,
  };
}
