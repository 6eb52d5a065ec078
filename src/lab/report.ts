/**
 * The report of a run for people: what was asked, on what, what came of it, and the percentiles. A run that is void says so
 * first. A percentile with too few samples beyond it is not shown.
 */
import { type BenchResult, type Percentiles, percentiles, type SeriesPoint, tooFewSamples } from "./result.ts";

const heading = ["", "samples", ...percentiles.map(([name]) => name), "max"];

/** Lines of text, and the latency table as rows of cells. */
export interface Report {
  readonly before: readonly string[];
  readonly table: readonly (readonly string[])[];
  readonly after: readonly string[];
  /** One row a second under a head; empty unless asked for. */
  readonly series: readonly (readonly string[])[];
}

/** The report. */
export function reportOf(result: BenchResult): Report {
  const before = result.voided === null ? [] : [`VOIDED: ${result.voided}`];
  before.push(...askedLines(result), ...machineLines(result), ...outcomeLines(result), "", "milliseconds");
  const table = tableOf(result);
  const after: string[] = [];
  if (table.some((row) => row.includes(missing))) after.push(`${missing}  fewer than 100 samples lie beyond it`);
  if (result.workload.mode === "open") {
    after.push(
      "response: from the intended start; service: from the send; lateness: the generator's own, from the one to the other",
    );
  } else after.push("a closed loop: stalls of the cluster are left out of these latencies; --rate shows them");
  return { before, table, after, series: result.series === null ? [] : seriesRows(result.series) };
}

/** A row for each second: to be looked at as a whole, since one second has few samples beyond p99.9. */
function seriesRows(points: readonly SeriesPoint[]): string[][] {
  const shown = ["p50", "p99", "p99.9", "max"] as const;
  const rows = points.map((point) => [
    point.from.toFixed(0),
    whole(point.operations),
    ...shown.map((name) => point[name].toFixed(3)),
  ]);
  return [["second", "samples", ...shown], ...rows];
}

const missing = "-";

function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

function askedLines({ workload }: BenchResult): string[] {
  const { name, readPercent, keys, keyBytes, valueBytes, distribution, bucket } = workload;
  const load =
    workload.mode === "closed"
      ? `closed loop, ${workload.clients} clients`
      : `open loop, ${whole(workload.rate ?? 0)} operations/s, ${workload.arrivals} arrivals, pacing ${workload.pacing}`;
  return [
    `workload    ${name}: ${readPercent} % gets, ${100 - readPercent} % puts; ${whole(keys)} keys of ${keyBytes} bytes, ` +
      `values of ${whole(valueBytes)} bytes, ${distribution}; bucket ${bucket}`,
    `load        ${load}; ${workload.durationSeconds} s after ${workload.warmUpSeconds} s of warm-up; ` +
      `${workload.connections} connection${workload.connections === 1 ? "" : "s"} per node; ` +
      `gets coordinated by ${workload.coordination === "client" ? "the client" : "nodes"}; seed ${workload.seed}`,
  ];
}

function machineLines({ environment }: BenchResult): string[] {
  const { machine, cluster } = environment;
  return [
    `cluster     ${cluster.nodes} nodes, n=${cluster.n} r=${cluster.r} w=${cluster.w}, ${cluster.durability}, plain TCP; ` +
      `epoch ${cluster.epoch}, ${cluster.partitions} partitions`,
    `machine     ${machine.cpus} CPUs (${machine.cpuModel}), ${machine.memoryGiB} GiB, ${machine.platform}, ` +
      `node ${machine.node}, load average ${machine.loadAverage.toFixed(2)}`,
  ];
}

function outcomeLines(result: BenchResult): string[] {
  const { workload, generator, siblings, get, put } = result;
  const asked = workload.rate === null ? "" : ` of ${whole(workload.rate)}/s asked for`;
  const codes = Object.entries(result.errorsByCode).map(([code, count]) => `${code} ${whole(count)}`);
  const waited = generator.waitedForCpuMs === null ? "" : `, waited ${whole(generator.waitedForCpuMs)} ms for a CPU`;
  const steal = generator.stealShare === null ? "" : `, steal ${(generator.stealShare * 100).toFixed(1)} %`;
  const lines = [
    `throughput  ${whole(result.throughput)} operations/s${asked}`,
    `operations  ${whole(result.operations)}: ${whole(get.operations)} gets, ${whole(put.operations)} puts; ` +
      `errors: ${codes.length === 0 ? "none" : codes.join(", ")}`,
    `generator   ${generator.cpuUsPerOperation} us of CPU per operation, ${(generator.cpuShare * 100).toFixed(0)} % of one CPU` +
      `${waited}${steal}`,
  ];
  if (siblings.max > 1) lines.push(`siblings    ${siblings.mean} per get, at most ${siblings.max}`);
  if (result.blindPuts > 0) lines.push(`contexts    none was known for ${whole(result.blindPuts)} puts`);
  return lines;
}

function tableOf(result: BenchResult): string[][] {
  const { get, put, operations } = result;
  const all = result.latencyMs;
  const rows = [heading];
  if (result.workload.mode === "closed") {
    rows.push(row("get", get.operations, get), row("put", put.operations, put), row("all", operations, all));
    return rows;
  }
  rows.push(row("get response", get.operations, get), row("get service", get.operations, get.serviceMs));
  rows.push(row("put response", put.operations, put), row("put service", put.operations, put.serviceMs));
  rows.push(row("all response", operations, all), row("all service", operations, result.serviceMs));
  rows.push(row("lateness", operations + result.errors, result.latenessMs));
  return rows;
}

function row(name: string, samples: number, values: Percentiles): string[] {
  const hidden = new Set<string>(tooFewSamples(samples));
  const cells = percentiles.map(([key]) => (hidden.has(key) ? missing : values[key].toFixed(3)));
  return [name, whole(samples), ...cells, samples === 0 ? missing : values.max.toFixed(3)];
}
