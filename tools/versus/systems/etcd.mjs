/** etcd, three members; puts and linearizable gets go through Raft, and a put is synced by a majority. */
import { Etcd3 } from "etcd3";
import { noBytes, view } from "../pool.mjs";

export const packages = ["etcd-server"];
export const durability = "synced";

const peerPortsUp = 10;
const bytesMax = 4 * 2 ** 30;

const client = (port, i) => `http://127.0.0.1:${port + i}`;
const peer = (port, i) => client(port + peerPortsUp, i);

/** The processes: command lines, each with its own directory. */
export function processes(port, directories) {
  const cluster = directories.map((_, i) => `m${i}=${peer(port, i)}`).join(",");
  return directories.map((directory, i) => ({
    command: "etcd",
    args: [
      ...["--name", `m${i}`, "--data-dir", directory, "--log-level", "error", "--quota-backend-bytes", bytesMax],
      ...["--listen-client-urls", client(port, i), "--advertise-client-urls", client(port, i)],
      ...["--listen-peer-urls", peer(port, i), "--initial-advertise-peer-urls", peer(port, i)],
      ...["--initial-cluster", cluster, "--initial-cluster-state", "new"],
    ],
  }));
}

class EtcdDriver {
  facts = { nodes: 3, epoch: 0, partitions: 1, n: 3, r: 2, w: 2, durability };
  #etcd;

  constructor(etcd) {
    this.#etcd = etcd;
  }

  async get(key) {
    const { kvs } = await this.#etcd.kv.range({ key: view(key) });
    return { context: noBytes, siblings: kvs.length, valueBytes: kvs[0]?.value.length };
  }

  async put(key, value) {
    await this.#etcd.kv.put({ key: view(key), value: view(value) });
    return noBytes;
  }

  async close() {
    this.#etcd.close();
  }
}

/** Rejects until there is a leader. */
export async function connect(port) {
  const etcd = new Etcd3({ hosts: [0, 1, 2].map((i) => client(port, i)), dialTimeout: 1_000 });
  try {
    await etcd.put("ready").value("yes");
  } catch (error) {
    etcd.close();
    throw error;
  }
  return new EtcdDriver(etcd);
}
