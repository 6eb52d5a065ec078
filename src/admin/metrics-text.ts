/**
 * What one node measures, as text for Prometheus (exposition format 0.0.4): a pure function of the node's own answers.
 * Names are `ringtail_`, then the counter's own; what only rises ends with `_total`. Times are seconds. Quantiles are those of
 * the HDR histograms since the node's start; several nodes' must not be averaged.
 */
import { codeOf, statusOk } from "../base/errors.ts";
import type { Counter, HintStatusReply, RepairStatusReply, StatusReply } from "../wire/codec.ts";

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

function quoted(value: string | number): string {
  return `"${String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

function lineOf(name: string, [value, labels = {}]: Sample): string {
  const texts = Object.entries(labels).map(([key, text]) => `${key}=${quoted(text)}`);
  return `${name}${texts.length === 0 ? "" : `{${texts.join(",")}}`} ${value}\n`;
}

function family(type: "counter" | "gauge", name: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  return `# TYPE ${name} ${type}\n${samples.map((sample) => lineOf(name, sample)).join("")}`;
}

/** `storeBytes` as `store_bytes`. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function countersText(prefix: string, counters: readonly Counter[]): string {
  return counters
    .map(({ name, value }) => {
      const full = `ringtail_${prefix}${snake(name)}`;
      return levels.has(name) ? family("gauge", full, [[value]]) : family("counter", `${full}_total`, [[value]]);
    })
    .join("");
}

function latenciesText({ latencies }: StatusReply): string {
  return latencies
    .map(({ name, count, p50Us, p99Us, p999Us, maxUs }) => {
      const full = `ringtail_${name}_latency_seconds`;
      const quantiles: [number, number][] =
        count === 0
          ? []
          : [
              [0.5, p50Us],
              [0.99, p99Us],
              [0.999, p999Us],
            ];
      const lines = quantiles.map(([quantile, us]) => lineOf(full, [us / 1e6, { quantile }]));
      const most = family("gauge", `ringtail_${name}_latency_max_seconds`, [[maxUs / 1e6]]);
      return `# TYPE ${full} summary\n${lines.join("")}${lineOf(`${full}_count`, [count])}${most}`;
    })
    .join("");
}

function hintsText({ rows }: HintStatusReply, nowSeconds: number): string {
  const of = (pick: (row: HintStatusReply["rows"][number]) => number): Sample[] =>
    rows.map((row) => [pick(row), { target: row.target }]);
  const failing = rows.filter(({ failure }) => failure !== statusOk);
  return [
    family(
      "gauge",
      "ringtail_hints",
      of(({ count }) => count),
    ),
    family(
      "gauge",
      "ringtail_hint_bytes",
      of(({ bytes }) => bytes),
    ),
    family(
      "gauge",
      "ringtail_hint_bytes_max",
      of(({ bytesMax }) => bytesMax),
    ),
    family(
      "gauge",
      "ringtail_hint_oldest_seconds",
      of(({ oldest }) => (oldest === 0 ? 0 : Math.max(0, nowSeconds - oldest))),
    ),
    family(
      "gauge",
      "ringtail_hint_delivery_failing",
      failing.map(({ target, failure }) => [1, { target, error: codeOf(failure) }]),
    ),
  ].join("");
}

function repairText({ pairs, nowUs, verifiedUs, unsynced, counters }: RepairStatusReply): string {
  return [
    family("gauge", "ringtail_repair_pairs", [[pairs]]),
    family("gauge", "ringtail_repair_oldest_unverified_seconds", [[pairs === 0 ? 0 : (nowUs - verifiedUs) / 1e6]]),
    family("gauge", "ringtail_replicas_not_synced", [[unsynced]]),
    countersText("repair_", counters),
  ].join("");
}

/** The whole text. */
export function metricsText(figures: NodeFigures): string {
  const { status, hints, repair, residentBytes, cpuSeconds, nowSeconds } = figures;
  const { name, number, software, peers } = status;
  return [
    family("gauge", "ringtail_node_info", [[1, { name, number, software }]]),
    family("gauge", "ringtail_ready", [[status.phase === "serving" ? 1 : 0]]),
    family("gauge", "ringtail_ring_epoch", [[status.epoch]]),
    family("gauge", "ringtail_uptime_seconds", [[status.uptimeSeconds]]),
    family(
      "gauge",
      "ringtail_peer_state",
      peers.map((peer) => [1, { peer: peer.number, state: peer.state }]),
    ),
    family("gauge", "process_resident_memory_bytes", [[residentBytes]]),
    family("counter", "process_cpu_seconds_total", [[cpuSeconds]]),
    countersText("", status.counters),
    latenciesText(status),
    hintsText(hints, nowSeconds),
    repairText(repair),
  ].join("");
}
