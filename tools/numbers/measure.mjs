// The windows of one call, on one cluster: each is one run of the generator, and what the engine's threads did meanwhile.
import { fileURLToPath } from "node:url";
import { cpuTicks } from "../../dist/lab/machine.js";
import { cpuTime, tickUs } from "../shared/cpu-time.mjs";
import { generate, generatorOf } from "../shared/generator.mjs";
import { ringtail } from "../shared/processes.mjs";
import { servedNodes, startAll } from "../shared/served-nodes.mjs";
import { lookAtThreads } from "../stages/threads.mjs";
import { variants } from "./windows.mjs";

const preload = [fileURLToPath(new URL("./compactor.cjs", import.meta.url))];
const count = 3;
/** As many as `ringtail up` makes. */
const partitions = 1024;

/** Of all CPUs: what others may use before a window counts as disturbed. */
const othersMax = 0.03;

/** Why a window is void, told as the generator does: its own reasons, and other processes. */
function disturbance(others, voided) {
  if (others <= othersMax) return voided;
  const reason = `other processes took ${(others * 100).toFixed(1)} % of the CPUs (allowed: ${othersMax * 100} %)`;
  return voided === null ? reason : `${voided}; ${reason}`;
}

/** The window that was measured least, and how often; every second round backwards. Undefined: all have their runs. */
function nextOf(windows, results, runs) {
  const timesOf = ({ name }) => results.filter((result) => result.name === name).length;
  const least = Math.min(...windows.map(timesOf));
  const due = windows.filter((window) => timesOf(window) === least);
  return least >= runs ? undefined : { window: due.at(least % 2 === 0 ? 0 : -1), round: least + 1 };
}

class NumbersCluster {
  #nodes;
  #load;

  constructor({ directory, basePort, load }) {
    const own = () => ({ preload });
    this.#nodes = servedNodes({ count, basePort, directory, settings: { partitions }, isProxied: false, own });
    this.#load = load;
  }

  get #addresses() {
    return this.#nodes.map(({ address }) => address);
  }

  async start() {
    await startAll(this.#nodes);
    await ringtail(this.#addresses, "bucket", "set", "bench-lww", "--resolver", "lww");
  }

  async stop() {
    for (const node of this.#nodes) await node.kill();
  }

  /** One window; in rounds another node is the one that compacts. */
  async measure({ name, variant, durability, load }, round) {
    const { bucket, generator, compacts } = variants[variant];
    const busy = this.#nodes[round % count];
    if (compacts) busy.signal("SIGUSR2");
    const chosen = generatorOf(generator);
    const before = this.#look();
    const flags = { ...this.#load, ...load.flags, bucket, durability, seed: round };
    const result = await generate(chosen, this.#addresses, flags);
    const after = this.#look();
    if (compacts) busy.signal("SIGUSR2");
    const [total, all, ours, engine] = after.map((us, i) => us - before[i]);
    const others = (all - ours) / total;
    const { throughput, latencyMs, latenessMs, operations, errors, siblings } = result;
    return {
      ...{ name, with: chosen.kind, throughput, latencyMs, latenessMs, operations, errors, siblings, others },
      ...{ engine: engine / total, generator: result.generator, environment: result.environment },
      voided: disturbance(others, result.voided),
    };
  }

  /** Microseconds until now: of all CPUs; in use; in use by the nodes, the generator and us; and by RocksDB's own threads. */
  #look() {
    const { total, busy } = cpuTicks();
    const self = cpuTime("self");
    const nodes = this.#nodes.reduce((sum, { pid }) => sum + cpuTime(pid).us, 0);
    const engine = this.#nodes.reduce((sum, { pid }) => sum + lookAtThreads(pid, []).us.engine, 0);
    return [total * tickUs, busy * tickUs, self.us + self.childrenUs + nodes, engine];
  }
}

/** Results, as they come, until each window has its runs or the time is over. */
export async function* measureWindows({ windows, runs, load, within, directory, basePort }, earlier, atEnd) {
  const results = [...earlier];
  const began = Date.now();
  const seconds = () => (Date.now() - began) / 1000;
  const next = () => nextOf(windows, results, runs);
  if (next() === undefined) return;
  const cluster = new NumbersCluster({ directory, basePort, load });
  atEnd(() => cluster.stop());
  await cluster.start();
  let isWarm = false;
  let longest = 0;
  for (let due = next(); due !== undefined; due = next()) {
    const from = seconds();
    if (within !== undefined && from + longest > within) return;
    console.error(`${from.toFixed(0)} s, round ${due.round} of ${runs}: ${due.window.name} ...`);
    const result = await cluster.measure(due.window, due.round);
    // The first one loaded the keys, and found nothing compiled yet: it is run again, and counts then.
    if (isWarm) {
      longest = Math.max(longest, seconds() - from);
      if (result.voided !== null) console.error(`  VOIDED: ${result.voided}`);
      results.push(result);
      yield result;
    }
    isWarm = true;
  }
}
