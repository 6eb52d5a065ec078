// One experiment: three nodes, load, one cause at the second of them, and what `ringtail why` says of the time since.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Rng } from "../../dist/base/rng.js";
import { RingtailClient, text } from "../../dist/index.js";
import { makeSecret } from "../../dist/io/secret.js";
import { program, runForJson } from "../bench-support.mjs";
import { NodeProcess } from "../chaos/node-process.mjs";
import { ChaosProxy } from "../chaos/proxy.mjs";

const preload = fileURLToPath(new URL("./inject.cjs", import.meta.url));
const victim = 1;
const keys = 2_000;
const linkDelayMs = 40;
/** By cause, what inject.cjs is told; a slow disk is told at all nodes, for one alone is left out where another can sync. */
const injections = { disk: "disk:25", loop: "loop:120", gc: "gc" };
/** Puts of one key at once, several times a second: fewer than a record may have siblings. */
const hotPuts = 60;
const hotEveryMs = 250;

function makeNodes({ directory, basePort, injected }) {
  const secret = join(directory, "cluster.secret");
  makeSecret(secret);
  return [0, 1, 2].map((index) => {
    const name = `n${index + 1}`;
    const port = basePort + index;
    const proxyPort = basePort + 3 + index;
    const advertise = `127.0.0.1:${injected === "link" ? proxyPort : port}`;
    const address = `127.0.0.1:${port}`;
    const data = join(directory, name);
    const settings = { name, host: name, listen: address, advertise, directory: data, "secret-file": secret };
    const place = index === 0 ? ["--bootstrap", "--expect", "3"] : ["--seed-node", `127.0.0.1:${basePort}`];
    const flags = Object.entries({
      ...settings,
      durability: injected === "disk" ? "durable" : "one-durable",
      partitions: "64",
    }).flatMap(([key, value]) => [`--${key}`, value]);
    const hit = index === victim || injected === "disk";
    const env = { WHY_INJECT: hit ? (injections[injected] ?? "") : "" };
    const log = join(directory, `${name}.log`);
    const node = new NodeProcess({ name, settings: [...flags, ...place], address, log, preload: [preload], env });
    return Object.assign(node, { port, proxyPort });
  });
}

/** A command of `ringtail`, and what it printed as JSON. */
function ringtail(nodes, ...words) {
  const seedNodes = nodes.flatMap(({ address }) => ["--seed-node", address]);
  return runForJson(process.execPath, [program, ...words.map(String), ...seedNodes]);
}

function bench(nodes, ...flags) {
  return ringtail(nodes, "bench", "--workload", "a", "--warm-up", 0, ...flags);
}

/** Many puts of one key at once, of another key each time. */
async function heat(nodes, seconds) {
  const client = await RingtailClient.connect({ seedNodes: nodes.map(({ address }) => address), timeoutMs: 3_000 });
  const bucket = client.bucket("hot", { codec: text });
  for (let burst = 0; burst < (1_000 * seconds) / hotEveryMs; burst += 1) {
    await Promise.all(Array.from({ length: hotPuts }, (_, i) => bucket.put(`burst-${burst}`, `${i}`)));
    await sleep(hotEveryMs);
  }
  await client.close();
}

/** Begins the cause; resolves when the load that belongs to it has ended. */
async function inject({ injected, seconds }, nodes, proxy) {
  if (injected === "link") {
    for (const other of [0, 2]) {
      proxy.set(victim, other, { delayMs: linkDelayMs });
      proxy.set(other, victim, { delayMs: linkDelayMs });
    }
  } else if (injected === "hot-key") {
    await heat(nodes, seconds);
  } else for (const node of nodes) node.signal("SIGUSR2");
}

/** Runs; resolves with what `ringtail why --json` printed. */
export async function runInjection(asked) {
  mkdirSync(asked.directory, { recursive: true });
  const nodes = makeNodes(asked);
  const proxy = new ChaosProxy(new Rng(1), nodes);
  try {
    await proxy.start();
    for (const node of nodes) node.start();
    for (const node of nodes) if (!(await node.ready())) throw new Error(`${node.name}: ${node.lastWords}`);
    const load = ["--keys", keys, "--rate", asked.rate, "--timeout-ms", 3000];
    await bench(nodes, ...load, "--load", "always", "--duration", 5);
    const began = inject(asked, nodes, proxy);
    // What was before is not asked for.
    await sleep(1_000);
    await Promise.all([began, bench(nodes, ...load, "--load", "never", "--duration", asked.seconds)]);
    return await ringtail(nodes, "why", "--seconds", asked.seconds + 1, "--examples", 1000);
  } finally {
    for (const node of nodes) await node.kill();
    proxy.stop();
  }
}
