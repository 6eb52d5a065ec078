// A cluster whose nodes can be profiled: loaded for a while, it says how many microseconds of CPU an operation took, by
// stage and side, and by kind of thread.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generate, loadKeys } from "../shared/generator.mjs";
import { servedNodes, startAll } from "../shared/served-nodes.mjs";
import { addStages, attribute, emptyStages } from "./stages.mjs";
import { lookAtThreads } from "./threads.mjs";

const profiler = fileURLToPath(new URL("./profiler.cjs", import.meta.url));
const patienceMs = 30_000;
const count = 3;

export class StagesCluster {
  #nodes;
  #generator;
  #keys;

  /** `program`: the built `main.js` that the nodes run. */
  constructor({ program, directory, basePort, durability, samplingUs, generator, keys }) {
    const own = (index) => {
      const env = { STAGES_PROFILE: join(directory, `${index}.cpuprofile`), STAGES_SAMPLING_US: String(samplingUs) };
      return { program, preload: [profiler], env };
    };
    this.#nodes = servedNodes({ count, basePort, directory, settings: { durability }, isProxied: false, own });
    this.#generator = generator;
    this.#keys = keys;
  }

  get #addresses() {
    return this.#nodes.map(({ address }) => address);
  }

  async start() {
    await startAll(this.#nodes);
    await loadKeys(this.#generator, this.#addresses, { keys: this.#keys });
  }

  async stop() {
    for (const node of this.#nodes) await node.kill();
  }

  /** Loads it for so many seconds; `load` has the generator's flags. Its result. */
  run(load, seconds) {
    const options = { keys: this.#keys, load: "never", duration: seconds, "warm-up": 0, ...load };
    return generate(this.#generator, this.#addresses, options);
  }

  /**
   * The same twice: microseconds an operation by kind of thread, from a stretch that nobody samples, because sampling
   * itself takes up to a third of the time; and how they are shared by stages and sides, from one under the profiler.
   */
  async measure(load, seconds) {
    const before = this.#nodes.map(look);
    const { operations, throughput, latencyMs } = await this.run(load, seconds);
    const after = this.#nodes.map(look);
    this.#signal();
    await this.run(load, seconds);
    this.#signal();
    const profiles = await Promise.all(this.#nodes.map(({ env }) => read(env.STAGES_PROFILE)));
    const nodes = profiles.map((profile, i) => ({ seen: attribute(profile), used: difference(before[i], after[i]) }));
    return { ...perOperation(nodes, operations), perSecond: throughput, p50: latencyMs.p50 };
  }

  #signal() {
    for (const node of this.#nodes) node.signal("SIGUSR2");
  }
}

function look({ pid, env }) {
  return lookAtThreads(pid, readFileSync(`${env.STAGES_PROFILE}.threads`, "utf8").split(" ").map(Number));
}

function difference(before, after) {
  const us = Object.fromEntries(Object.entries(after.us).map(([kind, value]) => [kind, value - before.us[kind]]));
  return { us, kernelUs: after.kernelUs - before.kernelUs };
}

/** A profile, once it is written; the file is removed. */
async function read(path) {
  for (let waitedMs = 0; !existsSync(path); waitedMs += 20) {
    if (waitedMs > patienceMs) throw new Error(`no profile came to ${path}`);
    await sleep(20);
  }
  const profile = JSON.parse(readFileSync(path, "utf8"));
  rmSync(path);
  return profile;
}

function add(sum, values, times) {
  for (const [name, value] of Object.entries(values)) sum[name] = (sum[name] ?? 0) + value * times;
}

/** A node's samples share the CPU time of its main thread. */
function perOperation(nodes, operations) {
  const sum = { operations, stages: emptyStages(), functions: {}, threads: {}, kernel: 0, samples: 0 };
  for (const { seen, used } of nodes) {
    const usOfSample = used.us.main / Math.max(1, seen.busy) / operations;
    addStages(sum.stages, seen.stages, usOfSample);
    add(sum.functions, seen.functions, usOfSample);
    add(sum.threads, used.us, 1 / operations);
    sum.kernel += used.kernelUs / operations;
    sum.samples += seen.busy;
  }
  return sum;
}
