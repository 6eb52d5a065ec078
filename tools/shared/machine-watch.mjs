// What the machine did while a run went on, second by second (measurement.md 5): CPU time taken by other virtual
// machines, CPU time in use, and a hiccup meter, a sleeper of one millisecond in an idle process: how much longer than
// that it slept is what any process on this machine waited for a CPU at that moment.
import { readFileSync } from "node:fs";
import { latencyHistogram } from "../../dist/metrics/metrics.js";

const sleepMs = 1;

function cpuTicks() {
  const fields = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
  const [user, nice, system, idle, ioWait, irq, softIrq, stolen] = fields;
  const busy = user + nice + system + irq + softIrq;
  return { stolen, busy, total: busy + idle + ioWait + stolen };
}

export class MachineWatch {
  /** Of seconds that are over: when it began (wall clock), ticks, and the hiccups in microseconds. */
  seconds = [];
  #hiccups = latencyHistogram();
  #from = Date.now();
  #ticks = cpuTicks();
  #timers = [];

  start() {
    let slept = performance.now();
    const nap = () => {
      const now = performance.now();
      this.#hiccups.recordValue(Math.max(1, Math.round((now - slept - sleepMs) * 1000)));
      slept = now;
      this.#timers[0] = setTimeout(nap, sleepMs);
    };
    this.#timers = [setTimeout(nap, sleepMs), setInterval(() => this.#end(), 1000)];
  }

  #end() {
    const ticks = cpuTicks();
    const { stolen, busy, total } = this.#ticks;
    const passed = { stolen: ticks.stolen - stolen, busy: ticks.busy - busy, total: ticks.total - total };
    this.seconds.push({ at: this.#from, ...passed, hiccups: this.#hiccups });
    this.#hiccups = latencyHistogram();
    this.#ticks = ticks;
    this.#from = Date.now();
  }

  stop() {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Between two instants of the wall clock: shares of all CPUs, and the hiccups' p99.9 in milliseconds. */
  between(fromMs, toMs) {
    const sum = { stolen: 0, busy: 0, total: 0 };
    const hiccups = latencyHistogram();
    for (const second of this.seconds) {
      if (second.at + 500 < fromMs || second.at + 500 >= toMs) continue;
      for (const key of Object.keys(sum)) sum[key] += second[key];
      hiccups.add(second.hiccups);
    }
    const share = (ticks) => (sum.total === 0 ? null : Number((ticks / sum.total).toFixed(4)));
    const hiccupMs = hiccups.totalCount === 0 ? null : hiccups.getValueAtPercentile(99.9) / 1000;
    return { steal: share(sum.stolen), busy: share(sum.busy), hiccupMs };
  }
}
