// One chaos run: nodes behind the proxy, load, faults, healing, rest, last reads, verdict.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { CatchUp } from "../../dist/cli/sync-point.js";
import { makeSecret } from "../../dist/io/secret.js";
import { Check } from "../../dist/lab/check/check.js";
import { mountSmallDisk, unmount } from "./disk-faults.mjs";
import { Nemesis } from "./nemesis.mjs";
import { NodeProcess } from "./node-process.mjs";
import { ChaosProxy } from "./proxy.mjs";

const smallDiskMiB = 96;

/** The nodes of a run; the real ports lie above the advertised ones, which are the proxy's. */
function makeNodes({ nodes: count, basePort, directory, durability }) {
  const secret = join(directory, "cluster.secret");
  makeSecret(secret);
  return Array.from({ length: count }, (_, index) => {
    const name = `n${index + 1}`;
    const proxyPort = basePort + index;
    const port = basePort + 100 + index;
    const data = join(directory, name, "data");
    mkdirSync(join(directory, name), { recursive: true });
    const settings = {
      name,
      host: `host-${name}`,
      listen: `127.0.0.1:${port}`,
      advertise: `127.0.0.1:${proxyPort}`,
      directory: data,
      "secret-file": secret,
      durability,
      partitions: "64",
      "object-buffer-mi-b": "4",
      "log-segment-ki-b": "1024",
      // The victim's disk is smaller than the default reserve.
      "disk-reserve-mi-b": "16",
      "repair-pass-ms": "30000",
    };
    const place = index === 0 ? ["--bootstrap", "--expect", String(count)] : ["--seed-node", `127.0.0.1:${basePort}`];
    const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    const log = join(directory, `${name}.log`);
    const node = new NodeProcess({ name, settings: [...flags, ...place], address: `127.0.0.1:${port}`, log });
    return Object.assign(node, { proxyPort, port, data });
  });
}

/** Runs; resolves with the report. Rejects when the cluster does not start or does not come back. */
export async function runChaos(asked, say) {
  const rng = new Rng(asked.seed);
  const nodes = makeNodes(asked);
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
    for (const node of nodes) node.start();
    for (const node of nodes) if (!(await node.ready())) throw new Error(`${node.name} did not start, see ${node.log}`);
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
    await nemesis.run(Date.now() + 1000 * asked.seconds, asked.everyMs);
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
  const rest = await new CatchUp({ seedNode, timeoutMs: "2000" }, tell).within(asked.settleMs);
  const convergedMs = rest === "" ? Date.now() - healed : null;
  const missed = await check.readFinally(asked.settleMs);
  const verdict = check.verdict();
  return {
    seed: asked.seed,
    seconds: asked.seconds,
    nodes: nodes.length,
    faults: Object.values(nemesis.counts).reduce((sum, count) => sum + count, 0),
    faultsByKind: nemesis.counts,
    proxy: proxy.counts,
    nodesEndedThemselves: nodes.flatMap(({ name, lastWords }) => lastWords.map((words) => `${name}: ${words}`)),
    convergedMs,
    notConverged: rest,
    finalReadsMissed: missed.length,
    firstMissed: missed[0] ?? "",
    errors: check.errors,
    ...verdict,
  };
}
