/**
 * Redis, a primary with two replicas; a put is SET and WAIT 1: acknowledged by the primary and one replica, from memory.
 * WAIT holds up all that follows on its connection, so each put has one for itself, and gets go over others.
 */
import { Redis } from "ioredis";
import { RingtailError } from "../../../dist/base/errors.js";
import { noBytes, Pool, view } from "../pool.mjs";

export const packages = ["redis-server"];
export const durability = "memory, AOF everysec";

const putConnections = 64;
const waitMs = 1_000;

/** The processes: command lines, each with its own directory. */
export function processes(port, directories) {
  return directories.map((directory, i) => ({
    command: "redis-server",
    args: [
      ...["--bind", "127.0.0.1", "--port", port + i, "--dir", directory, "--save", "", "--daemonize", "no"],
      ...["--appendonly", "yes", "--appendfsync", "everysec"],
      ...(i === 0 ? [] : ["--replicaof", "127.0.0.1", port]),
    ],
  }));
}

class RedisDriver {
  facts = { nodes: 3, epoch: 0, partitions: 1, n: 3, r: 1, w: 2, durability };
  #gets;
  #puts;

  constructor(gets, puts) {
    this.#gets = gets;
    this.#puts = puts;
  }

  async get(key) {
    const value = await this.#gets.getBuffer(view(key));
    return value === null
      ? { context: noBytes, siblings: 0, valueBytes: undefined }
      : { context: noBytes, siblings: 1, valueBytes: value.length };
  }

  async put(key, value) {
    const results = await this.#puts.use((connection) =>
      connection.pipeline().set(view(key), view(value)).wait(1, waitMs).exec(),
    );
    for (const [error] of results) if (error !== null) throw error;
    if (results[1][1] < 1) throw new RingtailError("QUORUM_NOT_MET", "no replica acknowledged the write");
    return noBytes;
  }

  async close() {
    this.#gets.disconnect();
    for (const connection of this.#puts.all) connection.disconnect();
  }
}

function connection(port, options = {}) {
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: null, ...options });
  redis.on("error", () => {});
  return redis;
}

/** Rejects until the primary has both replicas. */
export async function connect(port) {
  const gets = connection(port, { enableAutoPipelining: true });
  await gets.connect();
  const replicas = /connected_slaves:(\d+)/.exec(await gets.info("replication"))?.[1];
  if (replicas !== "2") {
    gets.disconnect();
    throw new Error(`the primary has ${replicas} replicas`);
  }
  const puts = Array.from({ length: putConnections }, () => connection(port));
  await Promise.all(puts.map((one) => one.connect()));
  return new RedisDriver(gets, new Pool(puts));
}
