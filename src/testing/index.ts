/**
 * `ringtail/testing`: a whole cluster inside the calling process, for other people's tests: real sockets on free ports,
 * RocksDB in a temporary directory, gone after `close`. With a directory of one's own the data stays, and the next
 * cluster on it finds it again, under the same addresses.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DurabilityName } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { type ClientOptions, checkOptions, type OptionNames } from "../client/options.ts";
import { makeDirectory } from "../io/make-directory.ts";
import { RingtailClient } from "../io/ringtail-client.ts";
import { type RunningNode, startNode } from "../io/run-node.ts";
import { configOf, type NodeConfig } from "../node/config.ts";

/** How the cluster should be. */
export interface LocalClusterOptions {
  /** 1 to 16. Default: 3. */
  readonly nodes?: number;
  /** Where the data lives, and stays. Left out: in a temporary directory that `close` removes. */
  readonly dir?: string;
  /** Replicas of each key. Default: 3, or the number of nodes if that is less. */
  readonly n?: number;
  /** Answers that a get needs. Default: 2, at most n. */
  readonly r?: number;
  /** Acknowledgements that a put needs. Default: 2, at most n. */
  readonly w?: number;
  /** Default: `one-durable`, as everywhere. `buffered` makes tests faster where the disk is slow. */
  readonly durability?: DurabilityName;
  /** A power of two. Default: 64, which suits few nodes. */
  readonly partitions?: number;
}

const optionNames: OptionNames<LocalClusterOptions> = {
  nodes: true,
  dir: true,
  n: true,
  r: true,
  w: true,
  durability: true,
  partitions: true,
};

/** One node of a local cluster. */
export interface LocalNode {
  readonly name: string;
  /** "127.0.0.1:PORT"; the same after a restart. */
  readonly address: string;
  readonly isRunning: boolean;
  /** Stops it cleanly; the others go on. */
  stop(): Promise<void>;
  /** Starts it again on its directory and address; resolves when it serves. */
  start(): Promise<void>;
}

/** A cluster that runs in this process. */
export interface LocalCluster {
  readonly nodes: readonly LocalNode[];
  /** The nodes' addresses, for `RingtailClient.connect`. */
  readonly seedNodes: readonly string[];
  /** A client of this cluster; `close` closes it too. */
  connect(options?: Omit<ClientOptions, "seedNodes">): Promise<RingtailClient>;
  /** Stops everything and removes what was temporary. May be called again. */
  close(): Promise<void>;
}

const nodesMax = 16;
/** Remembers the addresses in a directory that is used again: the ring names them. */
const addressesFile = "addresses.json";

class Host implements LocalNode {
  readonly name: string;
  readonly #directory: string;
  readonly #configured: Partial<Record<keyof NodeConfig, unknown>>;
  #running: RunningNode | undefined;
  #address: string;

  constructor(directory: string, configured: Partial<Record<keyof NodeConfig, unknown>>) {
    this.name = String(configured.name);
    this.#directory = directory;
    this.#configured = configured;
    this.#address = String(configured.listen);
  }

  get address(): string {
    return this.#address;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Starts it without waiting until it serves: the first nodes of a cluster wait for each other. */
  async launch(seedNodes: readonly string[]): Promise<RunningNode> {
    const config = configOf({ ...this.#configured, listen: this.#address, seedNodes });
    this.#running = await startNode({ config, directory: this.#directory, log: silentLog });
    this.#address = this.#running.address;
    return this.#running;
  }

  async start(): Promise<void> {
    if (this.#running === undefined) await (await this.launch([])).ready;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
}

class Cluster implements LocalCluster {
  readonly nodes: readonly Host[];
  readonly #temporary: string | undefined;
  readonly #clients: RingtailClient[] = [];
  #closed: Promise<void> | undefined;

  constructor(nodes: readonly Host[], temporary: string | undefined) {
    this.nodes = nodes;
    this.#temporary = temporary;
  }

  get seedNodes(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  async start(): Promise<void> {
    const running: RunningNode[] = [];
    for (const node of this.nodes) running.push(await node.launch(running.slice(0, 1).map((first) => first.address)));
    await Promise.all(running.map((node) => node.ready));
  }

  async connect(options?: Omit<ClientOptions, "seedNodes">): Promise<RingtailClient> {
    if (this.#closed !== undefined) throw new RingtailError("CLIENT_CLOSED", "the cluster was closed");
    const seedNodes = this.nodes.filter((node) => node.isRunning).map((node) => node.address);
    const client = await RingtailClient.connect({ ...options, seedNodes });
    this.#clients.push(client);
    return client;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await Promise.all(this.nodes.map((node) => node.stop()));
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
  }
}

/** Starts a cluster and resolves when every node serves. Rejects with `INVALID_ARGUMENT` for options that make no sense. */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  checkOptions("the options", options, optionNames);
  const count = options.nodes ?? 3;
  if (!Number.isInteger(count) || count < 1 || count > nodesMax) {
    throw new RingtailError("INVALID_ARGUMENT", `nodes is ${String(count)}; allowed: 1 to ${nodesMax}`);
  }
  const { dir } = options;
  if (dir !== undefined && (typeof dir !== "string" || dir === ""))
    throw new RingtailError("INVALID_ARGUMENT", `dir is ${dir === "" ? "empty" : typeof dir}; allowed: a directory`);
  const shared = sharedConfig(options, count);
  configOf(shared);
  const temporary = dir === undefined ? await mkdtemp(join(tmpdir(), "ringtail-")) : undefined;
  const directory = dir ?? (temporary as string);
  const addresses = knownAddresses(directory, count);
  const hosts = addresses.map((listen, index) => {
    const name = `node-${index + 1}`;
    const isFirst = index === 0;
    const own = { name, host: name, listen, bootstrap: isFirst, expect: isFirst ? count : 1 };
    return new Host(join(directory, name), { ...shared, ...own });
  });
  const cluster = new Cluster(hosts, temporary);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  writeFileSync(join(directory, addressesFile), JSON.stringify(cluster.seedNodes));
  return cluster;
}

function sharedConfig(options: LocalClusterOptions, count: number): Partial<Record<keyof NodeConfig, unknown>> {
  const n = options.n ?? Math.min(3, count);
  return {
    n,
    replicasMax: Math.max(n, Math.min(3, count)),
    r: options.r ?? Math.min(2, n),
    w: options.w ?? Math.min(2, n),
    durability: options.durability ?? "one-durable",
    partitions: options.partitions ?? 64,
  };
}

/** What an earlier cluster left in the directory, which is made if it is not there; throws `STORAGE_FAILED`. */
function readAddresses(directory: string): readonly string[] | undefined {
  try {
    makeDirectory(directory);
    const file = join(directory, addressesFile);
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as readonly string[]) : undefined;
  } catch (error) {
    throw new RingtailError("STORAGE_FAILED", `cannot use the directory ${directory}: ${(error as Error).message}`);
  }
}

/** Where the nodes listened the last time on this directory, or free ports. */
function knownAddresses(directory: string, count: number): readonly string[] {
  const known = readAddresses(directory);
  if (known === undefined) return new Array<string>(count).fill("127.0.0.1:0");
  if (known.length === count) return known;
  throw new RingtailError("INVALID_ARGUMENT", `nodes is ${count}; allowed: ${known.length}, as in ${directory} before`);
}
