/**
 * A plan as lines of text, as `ringtail cluster plan` prints it: what changes, who sends how much to whom, each node before
 * and after, what would be wrong, and an estimate of the time. The numbers come from plan-report.ts; what a partition
 * holds and how fast it moves, the caller knows.
 */
import type { NodeNumber } from "../base/ids.ts";
import { wholeQuotient } from "./claim-quota.ts";
import type { NodeChange, PlannedChange, PlanReport, PlanViolation } from "./plan-report.ts";

/** What an estimate is made from; whole numbers. */
export interface PlanRates {
  /** The bytes of one copy of a partition. */
  bytesOf(partition: number): number;
  /** What one node receives or sends per second; at least 1. */
  readonly bytesPerSecond: number;
}

/** All copies that move between one pair of nodes. */
export interface PairMoves {
  /** Whose place is taken; 0: nobody's. */
  readonly from: NodeNumber;
  readonly to: NodeNumber;
  readonly copies: number;
  /** 0 without rates. */
  readonly bytes: number;
}

/** Bytes and time of a plan. */
export interface PlanEstimate {
  readonly bytes: number;
  /** How long the busiest node needs for what it receives and sends; rounded up. */
  readonly seconds: number;
}

/** The moves summed up per pair, ascending by receiver and then by whom it replaces. */
export function pairMoves(report: PlanReport, rates?: PlanRates): readonly PairMoves[] {
  const pairs = new Map<number, PairMoves>();
  for (const { partition, from, to } of report.moves) {
    const key = to * 65_536 + from;
    const sum = pairs.get(key) ?? { from, to, copies: 0, bytes: 0 };
    const bytes = sum.bytes + (rates?.bytesOf(partition) ?? 0);
    pairs.set(key, { from, to, copies: sum.copies + 1, bytes });
  }
  return [...pairs].sort(([a], [b]) => a - b).map(([, pair]) => pair);
}

/** What the plan moves and how long that takes at these rates if nothing else is in the way. */
export function estimatePlan(report: PlanReport, rates: PlanRates): PlanEstimate {
  const received = new Map<number, number>();
  const sent = new Map<number, number>();
  let bytes = 0;
  for (const { partition, from, to } of report.moves) {
    const size = rates.bytesOf(partition);
    bytes += size;
    received.set(to, (received.get(to) ?? 0) + size);
    if (from !== 0) sent.set(from, (sent.get(from) ?? 0) + size);
  }
  const busiest = Math.max(0, ...received.values(), ...sent.values());
  return { bytes, seconds: wholeQuotient(busiest + rates.bytesPerSecond - 1, rates.bytesPerSecond) };
}

/** The plan as lines without an end of line. */
export function planLines(report: PlanReport, rates?: PlanRates): readonly string[] {
  const labelOf = memberLabels(report.nodes);
  const lines = [`plan ${report.planId} for the ring of epoch ${report.baseEpoch}`];
  for (const change of report.changes) lines.push(`  ${changeLine(change, labelOf)}`);
  lines.push("", ...summaryLines(report, rates), "");
  lines.push(...nodeLines(report.nodes, labelOf), "");
  for (const pair of pairMoves(report, rates)) {
    const from = pair.from === 0 ? "nobody" : labelOf(pair.from);
    const size = rates === undefined ? "" : `, ${bytesText(pair.bytes)}`;
    lines.push(`  ${labelOf(pair.to)} takes ${copiesText(pair.copies)} over from ${from}${size}`);
  }
  for (const violation of report.violations) lines.push("", ...violationLines(violation));
  if (report.notes.length > 0) lines.push("");
  for (const note of report.notes) lines.push(`note: ${note}`);
  return lines;
}

/**
 * What to call each member in a text: its name, and its number too where another one has the same name, as a node that was
 * started again with an empty disk and is to take its own former place. One that is not among them has its number alone.
 */
export function memberLabels(
  members: readonly { readonly number: number; readonly name: string }[],
): (number: number) => string {
  const times = new Map<string, number>();
  for (const { name } of members) times.set(name, (times.get(name) ?? 0) + 1);
  const names = new Map(members.map(({ number, name }) => [number, name]));
  return (number) => {
    const name = names.get(number) ?? "";
    if (name === "") return `node ${number}`;
    return times.get(name) === 1 ? name : `${name} (node ${number})`;
  };
}

function changeLine(change: PlannedChange, labelOf: (number: number) => string): string {
  const name = labelOf(change.member);
  switch (change.kind) {
    case "join":
      return `${name} joins`;
    case "leave":
      return `${name} leaves`;
    case "remove":
      return `${name} is removed`;
    case "replace":
      return `${labelOf(change.by)} replaces ${name}`;
  }
}

function summaryLines(report: PlanReport, rates: PlanRates | undefined): string[] {
  const { copiesMoved, copiesMin, spareHosts } = report;
  const lines = [
    `${report.positionsMoved} of ${report.partitions} partitions get another first owner`,
    `${copiesText(copiesMoved)} of partitions move, the fewest possible are ${copiesMin} (${thousandths(report.overMin)} times)`,
  ];
  if (rates !== undefined) {
    const { bytes, seconds } = estimatePlan(report, rates);
    lines.push(
      `${bytesText(bytes)} to send, about ${timeText(seconds)} at ${bytesText(rates.bytesPerSecond)}/s per node`,
    );
  }
  lines.push(
    `copies per node differ from their share by at most ${percent(report.unevenAfter)} (now ${percent(report.unevenBefore)})`,
    `a failed host's load: at most ${report.spreadAfter} times its fair share to one other host (now ${report.spreadBefore})`,
    `${spareHosts < 0 ? 0 : spareHosts} spare host${spareHosts === 1 ? "" : "s"} beyond the ${report.copies} that hold each record`,
  );
  return lines;
}

const columns = ["node", "host", "zone", "weight", "partitions", "", "copies", ""] as const;

function nodeLines(nodes: readonly NodeChange[], labelOf: (number: number) => string): string[] {
  const rows = nodes.map((node) => [
    labelOf(node.number),
    node.host,
    node.zone === "" ? "-" : node.zone,
    String(node.weight),
    `${node.ownedBefore} -> ${node.ownedAfter}`,
    signed(node.ownedAfter - node.ownedBefore),
    `${node.copiesBefore} -> ${node.copiesAfter}`,
    signed(node.copiesAfter - node.copiesBefore),
  ]);
  const table: readonly (readonly string[])[] = [columns, ...rows];
  const widths = columns.map((_, i) => table.reduce((most, row) => Math.max(most, (row[i] as string).length), 0));
  return table.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] as number)).join("  ")}`.trimEnd());
}

function violationLines(violation: PlanViolation): string[] {
  const { partitions, refused, text } = violation;
  const first = partitions.slice(0, 16).join(" ");
  const more = partitions.length > 16 ? ` and ${partitions.length - 16} more` : "";
  const verdict = refused ? "violation, to be accepted explicitly" : "violation, no worse than now";
  return [`${verdict}: ${text}`, `  partitions ${first}${more}`];
}

function signed(change: number): string {
  return change > 0 ? `+${change}` : String(change);
}

function copiesText(count: number): string {
  return count === 1 ? "1 copy" : `${count} copies`;
}

function thousandths(value: number): string {
  return `${wholeQuotient(value, 1000)}.${String(value % 1000).padStart(3, "0")}`;
}

function percent(perMille: number): string {
  return `${wholeQuotient(perMille, 10)}.${perMille % 10} %`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

function bytesText(bytes: number): string {
  let unit = 0;
  let tenths = 10 * bytes;
  while (tenths >= 10_240 && unit < units.length - 1) {
    tenths = wholeQuotient(tenths, 1024);
    unit += 1;
  }
  const fraction = unit === 0 ? "" : `.${tenths % 10}`;
  return `${wholeQuotient(tenths, 10)}${fraction} ${units[unit]}`;
}

function timeText(seconds: number): string {
  const minutes = wholeQuotient(seconds, 60);
  if (minutes === 0) return `${seconds} s`;
  const hours = wholeQuotient(minutes, 60);
  return hours === 0 ? `${minutes} min ${seconds % 60} s` : `${hours} h ${minutes % 60} min`;
}
