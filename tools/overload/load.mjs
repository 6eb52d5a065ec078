// The load of an overload run: generators beside each other, each with what it was answered, second by second, and with
// what the machine's CPUs did meanwhile.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { readHistogramLog } from "../../dist/lab/series.js";
import { runForJson } from "../bench-support.mjs";
import { generatorOf } from "../tail/generator.mjs";
import { MachineWatch } from "../tail/machine-watch.mjs";
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

  #run(flags, log) {
    const { command, args } = this.generator;
    const seedNodes = this.#cluster.addresses.flatMap((address) => ["--seed-node", address]);
    const all = ["--workload", "a", "--value-bytes", 1024, "--hlog", log, ...flags];
    return runForJson(command, [...args, ...seedNodes, ...all].map(String));
  }

  #newLog() {
    this.#runs += 1;
    return join(this.#directory, `run-${this.#runs}.hlog`);
  }

  /** Puts the keys of a bucket. */
  load(bucket, keys) {
    const flags = ["--bucket", bucket, "--keys", keys, "--load", "always", "--duration", 1, "--warm-up", 0];
    return this.#run(flags, this.#newLog());
  }

  /** One generator, to its end: its result, and its HDR log read. `flags` say where, how much and for how long. */
  async #one({ bucket = "bench", keys = this.#asked.keys, seconds, warmUp = 1, ...how }) {
    const log = this.#newLog();
    const pace = how.rate === undefined ? ["--clients", this.#asked.clients] : ["--rate", how.rate];
    const times = [
      "--load",
      "never",
      "--duration",
      seconds,
      "--warm-up",
      warmUp,
      "--timeout-ms",
      this.#asked.timeoutMs,
    ];
    const where = ["--bucket", bucket, "--keys", keys, "--distribution", how.distribution ?? "zipfian"];
    const result = await this.#run([...where, ...pace, ...times], log);
    return { result, run: readHistogramLog(readFileSync(log, "utf8")) };
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
