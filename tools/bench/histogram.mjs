// Recording a latency, which every request does more than once.
import { Rng } from "../../dist/base/rng.js";
import { latencyHistogram } from "../../dist/metrics/metrics.js";
import { sink } from "./shared.mjs";

export function histogramCases() {
  const rng = new Rng(1);
  const latencies = Uint32Array.from({ length: 4096 }, () => 50 + rng.below(1 << rng.between(4, 16)));
  const histogram = latencyHistogram();
  const recording = (times) => {
    for (let i = 0; i < times; i += 1) histogram.recordValue(latencies[i & 4095]);
  };
  const reading = (times) => {
    for (let i = 0; i < times; i += 1) sink.value = histogram.getValueAtPercentile(99.9);
  };
  return [
    { name: "record a latency", run: recording },
    { name: "read a percentile", run: reading },
  ];
}
