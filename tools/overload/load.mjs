// The load of an overload run: generators beside each other, each with what it was answered, second by second, and with
// what the machine's CPUs did meanwhile.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { readHistogramLog } from "../../dist/lab/series.js";
import { generate, generatorOf, loadKeys } from "../shared/generator.mjs";
import { MachineWatch } from "../shared/machine-watch.mjs";
import { lookAt, shareSince } from "./cpu.mjs";

export class Load {
  generator;
  #asked;
  #cluster;
  #directory;
  #runs = 0;

  constructor(asked, cluster, directory) {
    this.#asked = asked;
    this.#cluster = cluster;
    this.#directory = directory;
    this.generator = generatorOf(asked.generator);
  }

  /**
   * Sends of one millisecond leave together: woken for each of 30,000 a second, the generator would take the CPU from the
   * nodes as often, which makes every request dearer and is none of their doing.
   */
  get #pacing() {
    return this.generator.kind === "native" ? { pacing: "timer" } : {};
  }

  /** Puts the keys of a bucket. */
  load(bucket, keys) {
    return loadKeys(this.generator, this.#cluster.addresses, { bucket, keys });
  }

  /** One generator, to its end: its result, and its HDR log read. */
  async #one({ bucket = "bench", keys = this.#asked.keys, distribution = "zipfian", rate, seconds, warmUp = 1 }) {
    this.#runs += 1;
    const hlog = join(this.#directory, `run-${this.#runs}.hlog`);
    const result = await generate(this.generator, this.#cluster.addresses, {
      ...{ bucket, keys, distribution, hlog, load: "never" },
      ...(rate === undefined ? { clients: this.#asked.clients } : { rate, ...this.#pacing }),
      ...{ duration: seconds, "warm-up": warmUp, "timeout-ms": this.#asked.timeoutMs },
    });
    return { result, run: readHistogramLog(readFileSync(hlog, "utf8")) };
  }

  /**
   * Generators side by side, each begun so many seconds after the first: their results, and shares of all CPUs: the nodes',
   * the generators', and what is left to others, who should have had none.
   */
  async measure(...wanted) {
    const pids = this.#cluster.nodes.map(({ pid }) => pid);
    const before = lookAt(pids);
    const from = Date.now();
    const watch = new MachineWatch();
    watch.start();
    const started = wanted.map(async ({ after = 0, ...one }) => {
      await new Promise((resolve) => setTimeout(resolve, 1000 * after));
      return this.#one(one);
    });
    const runs = await Promise.all(started);
    const seconds = (Date.now() - from) / 1000;
    const nodes = shareSince(before, pids);
    watch.stop();
    const { busy, steal, hiccupMs } = watch.between(from, Date.now());
    const cpuUs = ({ result }) => (result.generator?.cpuUsPerOperation ?? 0) * result.operations;
    const generators = runs.reduce((sum, run) => sum + cpuUs(run), 0) / 1e6 / seconds / availableParallelism();
    return { runs, cpu: { nodes, generators, others: Math.max(0, busy - nodes - generators), steal, hiccupMs } };
  }
}
