/**
 * A cluster of `ringtail serve` processes, as an operator runs them: each node has a directory and an address of its own,
 * is stopped, started, killed and wiped by itself, and the ring is changed by the commands of `ringtail cluster`.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { isMoving } from "../../src/ring/plan.ts";
import type { Ring } from "../../src/ring/ring.ts";
import { FrameType } from "../../src/wire/frame-types.ts";
import { FetchRingReply, FetchRingRequest } from "../../src/wire/gen/codecs.ts";
import { ringFromMessage } from "../../src/wire/ring-codec.ts";
import { type Background, freePorts, jsonOf, readyMs, ringtail, start, temporaryDirectory, waitFor } from "./e2e.ts";
import { WireClient } from "./wire-client.ts";

/** One node of the cluster. */
export interface ServeNode {
  readonly name: string;
  readonly address: string;
  readonly directory: string;
  process: Background;
}

/** How a cluster is started. */
export interface ServeOptions {
  readonly nodes: number;
  /** Ports are kept for so many nodes. */
  readonly nodesMax: number;
  readonly flags: readonly string[];
}

/** The running nodes, and commands about them. */
export class ServeCluster {
  readonly nodes: ServeNode[] = [];
  readonly #directory: string = temporaryDirectory();
  readonly #basePort: number;
  readonly #flags: readonly string[];

  private constructor(basePort: number, flags: readonly string[]) {
    this.#basePort = basePort;
    this.#flags = flags;
  }

  /** Starts a cluster of nodes n1, n2 ... and waits until all are ready. */
  static async start({ nodes, nodesMax, flags }: ServeOptions): Promise<ServeCluster> {
    const cluster = new ServeCluster(await freePorts(nodesMax), flags);
    for (let i = 1; i <= nodes; i += 1)
      cluster.launch(`n${i}`, i === 1 ? ["--bootstrap", "--expect", String(nodes)] : []);
    await Promise.all(cluster.nodes.map(isReady));
    return cluster;
  }

  /** The addresses of all nodes that run. */
  get addresses(): string[] {
    return this.nodes.map((node) => node.address);
  }

  /** The node of that name. */
  node(name: string): ServeNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name} runs here`);
    return found;
  }

  /** Starts a new node of that name: n4 has the fourth port, and an empty directory. */
  launch(name: string, flags: readonly string[] = []): ServeNode {
    const address = `127.0.0.1:${this.#basePort + Number(name.slice(1)) - 1}`;
    const directory = join(this.#directory, name);
    const node = { name, address, directory, process: this.#serve(name, address, directory, flags) };
    this.nodes.push(node);
    return node;
  }

  #serve(name: string, address: string, directory: string, flags: readonly string[]): Background {
    const own = ["--name", name, "--listen", address, "--directory", directory];
    const seedNodes = this.addresses.filter((one) => one !== address).flatMap((one) => ["--seed-node", one]);
    return start(["serve", ...own, ...seedNodes, ...this.#flags, ...flags]);
  }

  /** Starts a node that was stopped, on its directory, and waits until it serves. */
  async startAgain(node: ServeNode): Promise<void> {
    this.launchAgain(node);
    await isReady(node);
  }

  /** Starts a node that was stopped, on its directory. */
  launchAgain(node: ServeNode): void {
    node.process = this.#serve(node.name, node.address, node.directory, []);
  }

  /** Kills a node, and its disk is gone with it. */
  async destroy(node: ServeNode): Promise<void> {
    await node.process.stop("SIGKILL");
    rmSync(node.directory, { recursive: true, force: true, maxRetries: 5 });
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** Stops a node for good. */
  async retire(node: ServeNode): Promise<void> {
    await node.process.stop("SIGTERM");
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** Runs a command against the first node that runs, and gives what it printed as JSON; throws if it fails. */
  async run(...args: readonly string[]): Promise<unknown> {
    const ended = await ringtail([...args, "--json", ...this.addresses.flatMap((one) => ["--seed-node", one])]);
    if (ended.status !== 0) throw new Error(`ringtail ${args.join(" ")}: ${ended.stderr}`);
    return jsonOf(ended);
  }

  /** Commits the plan that follows from what is staged, and waits until nothing moves any more; the milliseconds it took. */
  async carryOut(boundMs: number): Promise<number> {
    const { plan, estimate } = (await this.run("cluster", "plan")) as Planned;
    expect(estimate.bytes).toBeGreaterThan(0);
    expect(estimate.seconds).toBeGreaterThan(0);
    const began = performance.now();
    await this.run("cluster", "commit", plan);
    await waitFor("nothing moves any more", async () => !isMoving(await ringAt(this.addresses[0] as string)), boundMs);
    return Math.round(performance.now() - began);
  }
}

interface Planned {
  readonly plan: string;
  readonly estimate: { readonly bytes: number; readonly seconds: number };
}

/** The ring that a node obeys. */
export async function ringAt(address: string): Promise<Ring> {
  const client = await WireClient.open(address);
  const { ring } = await client.call(FrameType.FETCH_RING, FetchRingRequest, { epoch: 0 }, FetchRingReply);
  client.close();
  if (ring === null) throw new Error(`${address} has no ring`);
  return ringFromMessage(ring);
}

/** Waits until the node serves. */
export async function isReady(node: ServeNode): Promise<void> {
  await node.process.line(/ is ready$/, readyMs);
}
