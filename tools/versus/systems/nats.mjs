/**
 * NATS JetStream's key-value store with three replicas: a put is acknowledged by a majority, written and not synced; a get
 * is answered by any replica (its default, "direct"), and may be behind.
 */
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect as connectNats } from "@nats-io/transport-node";
import { noBytes } from "../pool.mjs";

export const packages = ["nats-server"];
export const durability = "written";

const routePortsUp = 10;
const connectMs = 1_000;

/** The processes: command lines, each with its own directory. */
export function processes(port, directories) {
  const routes = directories.map((_, i) => `nats://127.0.0.1:${port + routePortsUp + i}`);
  return directories.map((directory, i) => ({
    command: "nats-server",
    args: [
      ...["--addr", "127.0.0.1", "--port", port + i, "--server_name", `s${i}`, "--jetstream", "--store_dir", directory],
      ...["--cluster_name", "versus", "--cluster", routes[i], "--routes", routes.join(",")],
    ],
  }));
}

const text = new TextDecoder();

class NatsDriver {
  facts = { nodes: 3, epoch: 0, partitions: 1, n: 3, r: 1, w: 2, durability };
  #connection;
  #kv;

  constructor(connection, kv) {
    this.#connection = connection;
    this.#kv = kv;
  }

  async get(key) {
    const entry = await this.#kv.get(text.decode(key));
    return { context: noBytes, siblings: entry === null ? 0 : 1, valueBytes: entry?.value.length };
  }

  async put(key, value) {
    await this.#kv.put(text.decode(key), value);
    return noBytes;
  }

  close() {
    return this.#connection.close();
  }
}

/** Rejects until three servers can keep a bucket. */
export async function connect(port) {
  const servers = [0, 1, 2].map((i) => `127.0.0.1:${port + i}`);
  const connection = await connectNats({ servers, timeout: connectMs, reconnect: false });
  try {
    const kv = await new Kvm(jetstream(connection)).create("bench", { replicas: 3, history: 1 });
    return new NatsDriver(connection, kv);
  } catch (error) {
    await connection.close();
    throw error;
  }
}
