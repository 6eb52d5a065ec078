/**
 * What one node measures, as text for Prometheus (exposition format 0.0.4): made anew for each scrape from the node's own
 * answers. Names are `ringtail_`, then the counter's own; what only rises ends with `_total`. Times are seconds. Quantiles are
 * those of the HDR histograms since the node's start; several nodes' must not be averaged.
 */
import { Counter, Gauge, Registry } from "prom-client";
import { codeOf, statusOk } from "../base/errors.ts";
import type { Counter as CounterValue, HintStatusReply, RepairStatusReply, StatusReply } from "../wire/gen/codecs.ts";

/** What one node told of itself. */
export interface NodeFigures {
  readonly status: StatusReply;
  readonly hints: HintStatusReply;
  readonly repair: RepairStatusReply;
  /** Of the process: resident memory, and CPU time used. */
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** Seconds since 1970. */
  readonly nowSeconds: number;
}

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [value: number, labels?: Labels];

/** Counters that also fall. */
const levels: ReadonlySet<string> = new Set([
  "requests_in_flight",
  "transfer_bytes_per_second",
  "background_slices",
  "store_data_bytes",
]);

/** The families of one scrape. */
class Families {
  readonly #registry = new Registry();

  /** Nothing without samples; those of one family have the same labels. */
  gauge(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    const labelNames = Object.keys(samples[0]?.[1] ?? {});
    const gauge = new Gauge({ name, help, labelNames, registers: [this.#registry] });
    for (const [value, labels = {}] of samples) gauge.set({ ...labels }, value);
  }

  counter(name: string, help: string, value: number): void {
    new Counter({ name, help, registers: [this.#registry] }).inc(value);
  }

  counters(prefix: string, counters: readonly CounterValue[]): void {
    for (const { name, value } of counters) {
      const full = `ringtail_${prefix}${snake(name)}`;
      const help = `The node's own counter ${prefix}${name}.`;
      if (levels.has(name)) this.gauge(full, help, [[value]]);
      else this.counter(`${full}_total`, help, value);
    }
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** `storeBytes` as `store_bytes`. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function addLatencies(families: Families, { latencies }: StatusReply): void {
  for (const { name, count, p50Us, p99Us, p999Us, maxUs } of latencies) {
    const full = `ringtail_${name}_latency`;
    const quantiles = Object.entries({ "0.5": p50Us, "0.99": p99Us, "0.999": p999Us });
    const samples = quantiles.map(([quantile, us]): Sample => [us / 1e6, { quantile }]);
    families.gauge(`${full}_seconds`, `Quantiles of ${name} since the start.`, count === 0 ? [] : samples);
    families.gauge(`${full}_max_seconds`, `The slowest ${name} since the start.`, [[maxUs / 1e6]]);
    families.counter(`${full}_samples_total`, `What the quantiles of ${name} are of.`, count);
  }
}

function addHints(families: Families, { rows }: HintStatusReply, nowSeconds: number): void {
  const add = (name: string, help: string, pick: (row: HintStatusReply["rows"][number]) => number): void =>
    families.gauge(
      `ringtail_${name}`,
      help,
      rows.map((row) => [pick(row), { target: row.target }]),
    );
  add("hints", "Records kept for a node that could not be reached.", ({ count }) => count);
  add("hint_bytes", "Their bytes.", ({ bytes }) => bytes);
  add("hint_bytes_max", "How many bytes they may have.", ({ bytesMax }) => bytesMax);
  add("hint_oldest_seconds", "Age of the oldest.", ({ oldest }) =>
    oldest === 0 ? 0 : Math.max(0, nowSeconds - oldest),
  );
  const failing = rows.filter(({ failure }) => failure !== statusOk);
  families.gauge(
    "ringtail_hint_delivery_failing",
    "1: the last delivery failed, and why.",
    failing.map(({ target, failure }) => [1, { target, error: codeOf(failure) }]),
  );
}

function addRepair(families: Families, { pairs, nowUs, verifiedUs, unsynced, counters }: RepairStatusReply): void {
  const oldest = pairs === 0 ? 0 : (nowUs - verifiedUs) / 1e6;
  families.gauge("ringtail_repair_pairs", "Pairs of a tree and a peer that are compared.", [[pairs]]);
  families.gauge(
    "ringtail_repair_oldest_unverified_seconds",
    "Since when the oldest of them is not known to be equal.",
    [[oldest]],
  );
  families.gauge("ringtail_replicas_not_synced", "Partitions whose replica here is not complete.", [[unsynced]]);
  families.counters("repair_", counters);
}

/** The whole text. */
export function metricsText(figures: NodeFigures): Promise<string> {
  const { status, hints, repair, residentBytes, cpuSeconds, nowSeconds } = figures;
  const { name, number, software, peers } = status;
  const families = new Families();
  families.gauge("ringtail_node_info", "Who it is.", [[1, { name, number, software }]]);
  families.gauge("ringtail_ready", "1: it serves.", [[status.phase === "serving" ? 1 : 0]]);
  families.gauge("ringtail_ring_epoch", "The epoch of its ring.", [[status.epoch]]);
  families.gauge("ringtail_uptime_seconds", "Since its start.", [[status.uptimeSeconds]]);
  families.gauge(
    "ringtail_peer_state",
    "1: the state that it sees a peer in.",
    peers.map((peer) => [1, { peer: peer.number, state: peer.state }]),
  );
  families.gauge("process_resident_memory_bytes", "Memory of the process.", [[residentBytes]]);
  families.counter("process_cpu_seconds_total", "CPU time of the process.", cpuSeconds);
  families.counters("", status.counters);
  addLatencies(families, status);
  addHints(families, hints, nowSeconds);
  addRepair(families, repair);
  return families.text();
}
