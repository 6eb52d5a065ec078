// What the work of each stage costs at least: the loopback floor (native-bench's three echo nodes, which read, split, fan
// out and write the same frames and do nothing else), and the parts alone, in a loop with hot caches (tools/bench).
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { generate } from "../shared/generator.mjs";
import { runForJson, start } from "../shared/processes.mjs";
import { lookAtThreads } from "./threads.mjs";

const micro = fileURLToPath(new URL("../bench/run.mjs", import.meta.url));
const echoNode = fileURLToPath(new URL("../../native-bench/build/ringtail-echo-node", import.meta.url));
const count = 3;

/** What one operation has its parts do, how often: at the coordinator and at all replicas together. */
const works = {
  gets: {
    read: { "read a frame of PutRequest": 5 },
    decode: { "decode GetRequest": 1, "decode ReplicaReadRequest": 2, "decode ReplicaReadReply, 1 KiB": 2 },
    coordinate: { "coordinate a get of three equal records": 1 },
    fanOut: { "send ReplicaReadRequest": 2 },
    version: { "merge a record with an equal one": 2 },
    context: { "seal a context": 1 },
    hash: { "hash a key": 3 },
    store: { "object buffer: get 1 KiB": 3 },
    reply: { "send ReplicaReadReply, 1 KiB": 2, "send GetReply, 1 KiB": 1 },
    watch: { "watch a get of three replicas": 1 },
  },
  puts: {
    read: { "read a frame of PutRequest": 5 },
    decode: { "decode PutRequest, 1 KiB": 1, "decode ReplicaWriteRequest, 1 KiB": 2, "decode ReplicaWriteReply": 2 },
    coordinate: { "coordinate a put": 1 },
    fanOut: { "send ReplicaWriteRequest, 1 KiB": 2 },
    // A seal has a checksum in it, which is in a row of its own.
    version: { "open, put, seal": 1, "check a record of 1 KiB": -1, "merge a record with a newer one": 2 },
    context: { "open a context": 1, "seal a context": 1 },
    checksum: { "check a record of 1 KiB": 3 },
    hash: { "hash a key": 3, "causal hash": 3 },
    store: { "object buffer: put 1 KiB in place": 3 },
    log: { "append 1,200 bytes to a file": 3 },
    reply: { "send ReplicaWriteReply": 2, "send PutReply": 1 },
    watch: { "watch a get of three replicas": 1 },
  },
};

/** Microseconds of necessary work in one operation, by story and stage. */
export async function partFloors() {
  const { results } = await runForJson(process.execPath, [micro, "--samples", 7]);
  const ns = Object.fromEntries(results.map(({ name, fastest }) => [name, fastest]));
  const sumOf = (parts) => Object.entries(parts).reduce((sum, [name, times]) => sum + times * nsOf(ns, name), 0);
  const floorsOf = (work) =>
    Object.fromEntries(Object.entries(work).map(([name, parts]) => [name, sumOf(parts) / 1000]));
  return Object.fromEntries(Object.entries(works).map(([story, work]) => [story, floorsOf(work)]));
}

function nsOf(ns, name) {
  if (ns[name] === undefined) throw new Error(`tools/bench measures nothing called "${name}"`);
  return ns[name];
}

export function echoIsBuilt() {
  return existsSync(echoNode);
}

export class EchoCluster {
  #nodes;
  #basePort;
  #generator;
  #keys;

  constructor({ basePort, generator, keys }) {
    this.#basePort = basePort;
    this.#generator = generator;
    this.#keys = keys;
  }

  async start() {
    const args = (number) => [
      "--number",
      number,
      "--nodes",
      count,
      "--base-port",
      this.#basePort,
      "--value-bytes",
      1024,
    ];
    this.#nodes = Array.from({ length: count }, (_, i) => start(echoNode, args(i + 1), "listening"));
    await Promise.all(this.#nodes.map(({ ready }) => ready));
  }

  async stop() {
    await Promise.all((this.#nodes ?? []).map(({ stop }) => stop()));
  }

  /** Microseconds of CPU an operation, and how much of it is the kernel's. */
  async measure(load, seconds) {
    const look = () => this.#nodes.map(({ pid }) => lookAtThreads(pid, []));
    const before = look();
    const options = { keys: this.#keys, load: "never", duration: seconds, "warm-up": 0, ...load };
    const { operations } = await generate(this.#generator, [`127.0.0.1:${this.#basePort}`], options);
    const since = (of) => look().reduce((sum, now, i) => sum + of(now) - of(before[i]), 0) / operations;
    return { main: since(({ us }) => us.main), kernel: since(({ kernelUs }) => kernelUs) };
  }
}
