// Nodes of a run as `ringtail serve` processes on loopback, each with a proxy port of its own (proxy.mjs), so that what is
// between two of them can be hurt.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { makeSecret } from "../../dist/io/secret.js";
import { NodeProcess } from "./node-process.mjs";
import { flagsOf } from "./processes.mjs";

/** The secret of a cluster with its data there. */
export function secretIn(directory) {
  const path = join(directory, "cluster.secret");
  makeSecret(path);
  return path;
}

/**
 * So many nodes, not started: the proxies' ports are the first from `basePort` on, the nodes' own follow. `isProxied`: they
 * advertise the proxies' ports. `settings` are flags of all; `own` makes what else a process gets, by position.
 */
export function servedNodes({ count, basePort, directory, settings, isProxied = true, own = () => ({}) }) {
  const secret = secretIn(directory);
  const ports = Array.from({ length: count }, (_, i) => ({ proxyPort: basePort + i, port: basePort + count + i }));
  const advertised = ports.map(({ proxyPort, port }) => `127.0.0.1:${isProxied ? proxyPort : port}`);
  return ports.map(({ proxyPort, port }, index) => {
    const name = `n${index + 1}`;
    const data = join(directory, name, "data");
    mkdirSync(join(directory, name), { recursive: true });
    const address = `127.0.0.1:${port}`;
    const place = index === 0 ? ["--bootstrap", "--expect", String(count)] : ["--seed-node", advertised[0]];
    const flags = flagsOf({
      ...{ name, host: `host-${name}`, listen: address, advertise: advertised[index] },
      ...{ directory: data, "secret-file": secret, partitions: 64, ...settings },
    });
    const log = join(directory, `${name}.log`);
    const node = new NodeProcess({ name, settings: [...flags, ...place], address, log, ...own(index) });
    /** For a node with this one's name and address, and an empty directory. */
    const settingsAsNewcomer = (seedNode) => [...flags, "--seed-node", seedNode];
    return Object.assign(node, { proxyPort, port, data, settingsAsNewcomer });
  });
}

/** Starts them; rejects if one does not come to serve. */
export async function startAll(nodes) {
  for (const node of nodes) node.start();
  await untilAllServe(nodes);
}

/** Resolves when all that were started serve. */
export async function untilAllServe(nodes) {
  for (const node of nodes) {
    if (await node.ready()) continue;
    throw new Error(`${node.name} did not start: ${node.lastWords.at(-1) ?? `it is silent, see ${node.log}`}`);
  }
}

/** Delays, in both directions, all that two groups of nodes, given by position, say to each other. */
export function delayBetween(proxy, some, others, delayMs) {
  for (const from of some) {
    for (const to of others) {
      if (to === from) continue;
      proxy.set(from, to, { delayMs });
      proxy.set(to, from, { delayMs });
    }
  }
}
