// One experiment: three nodes, load, one cause at the second of them, and what `ringtail why` says of the time since.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Rng } from "../../dist/base/rng.js";
import { RingtailClient, text } from "../../dist/index.js";
import { ringtail } from "../shared/processes.mjs";
import { ChaosProxy } from "../shared/proxy.mjs";
import { delayBetween, servedNodes, startAll } from "../shared/served-nodes.mjs";

const count = 3;
const preload = [join(import.meta.dirname, "inject.cjs")];
const victim = 1;
const keys = 2_000;
const linkDelayMs = 40;
/** By cause, what inject.cjs is told; a slow disk is told at all nodes, for one alone is left out where another can sync. */
const injections = { disk: "disk:25", loop: "loop:120", gc: "gc" };
/** Puts of one key at once, several times a second; the last one wins, or there would be more siblings than a key may have. */
const hotPuts = 400;
const hotEveryMs = 250;

function nodesOf({ directory, basePort, injected }) {
  const settings = { durability: injected === "disk" ? "durable" : "one-durable" };
  const own = (index) => {
    const hit = index === victim || injected === "disk";
    return { preload, env: { WHY_INJECT: hit ? (injections[injected] ?? "") : "" } };
  };
  return servedNodes({ count, basePort, directory, settings, own, isProxied: injected === "link" });
}

/** Many puts of one key at once, of another key each time. */
async function heat(seedNodes, seconds) {
  const client = await RingtailClient.connect({ seedNodes, timeoutMs: 3_000 });
  const bucket = client.bucket("hot", { codec: text });
  for (let burst = 0; burst < (1_000 * seconds) / hotEveryMs; burst += 1) {
    await Promise.all(Array.from({ length: hotPuts }, (_, i) => bucket.put(`burst-${burst}`, `${i}`)));
    await sleep(hotEveryMs);
  }
  await client.close();
}

/** Begins the cause; resolves when the load that belongs to it has ended. */
async function inject({ injected, seconds }, nodes, proxy) {
  if (injected === "link") delayBetween(proxy, [victim], [...nodes.keys()], linkDelayMs);
  else if (injected === "hot-key") {
    await ringtail([nodes[0].address], "bucket", "create", "hot", "--resolver", "lww");
    await heat(
      nodes.map(({ address }) => address),
      seconds,
    );
  } else for (const node of nodes) node.signal("SIGUSR2");
}

/** Runs; resolves with what `ringtail why --json` printed. `atEnd` is told how to end what was started. */
export async function runInjection(asked, atEnd) {
  const nodes = nodesOf(asked);
  const proxy = new ChaosProxy(new Rng(1), nodes);
  atEnd(() => proxy.stop());
  for (const node of nodes) atEnd(() => node.kill());
  await proxy.start();
  await startAll(nodes);
  const addresses = nodes.map(({ address }) => address);
  const load = ["--workload", "a", "--keys", keys, "--rate", asked.rate, "--timeout-ms", 3000, "--warm-up", 0];
  const bench = (...flags) => ringtail(addresses, "bench", ...load, ...flags);
  await bench("--load", "always", "--duration", 5);
  const began = inject(asked, nodes, proxy);
  // What was before is not asked for.
  await sleep(1_000);
  await Promise.all([began, bench("--load", "never", "--duration", asked.seconds)]);
  return await ringtail(addresses, "why", "--seconds", asked.seconds + 1, "--examples", 1000);
}
