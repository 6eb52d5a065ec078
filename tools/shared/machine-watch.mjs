// What the machine did while a run went on, second by second: CPU time taken by other virtual machines, CPU
// time in use, and the hiccups of this process, which does nothing else: how long it waited for a CPU is what any process on
// this machine waited at that moment.
import { LoopMeter } from "../../dist/lab/hiccups.js";
import { cpuTicks } from "../../dist/lab/machine.js";
import { latencyHistogram } from "../../dist/metrics/metrics.js";

export class MachineWatch {
  /** Of seconds that are over: when it began (wall clock), ticks before and after, and the hiccups in microseconds. */
  #seconds = [];
  #meter = new LoopMeter();
  #from = Date.now();
  #ticks = cpuTicks();
  #timer;

  start() {
    this.#meter.start();
    this.#timer = setInterval(() => this.#end(), 1000);
  }

  #end() {
    const after = cpuTicks();
    this.#seconds.push({ at: this.#from, before: this.#ticks, after, hiccups: this.#meter.stalls });
    this.#meter.stop();
    this.#meter = new LoopMeter();
    this.#meter.start();
    this.#ticks = after;
    this.#from = Date.now();
  }

  stop() {
    clearInterval(this.#timer);
    this.#meter.stop();
  }

  /** Between two instants of the wall clock: shares of all CPUs, and the hiccups' p99.9 in milliseconds. */
  between(fromMs, toMs) {
    const sum = { stolen: 0, busy: 0, total: 0 };
    const hiccups = latencyHistogram();
    for (const second of this.#seconds) {
      if (second.at + 500 < fromMs || second.at + 500 >= toMs) continue;
      for (const key of Object.keys(sum)) sum[key] += (second.after?.[key] ?? 0) - (second.before?.[key] ?? 0);
      hiccups.add(second.hiccups);
    }
    const share = (ticks) => (sum.total === 0 ? null : Number((ticks / sum.total).toFixed(4)));
    const hiccupMs = hiccups.totalCount === 0 ? null : hiccups.getValueAtPercentile(99.9) / 1000;
    return { steal: share(sum.stolen), busy: share(sum.busy), hiccupMs };
  }
}
