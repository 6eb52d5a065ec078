// What came of a tail run: phases between the marks, each with its percentiles over all of its operations and what the
// machine did meanwhile; as a table, as JSON, and as a plot.
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { thisMachine } from "../../dist/lab/machine.js";
import { seriesPlot } from "../../dist/lab/page/plots.js";
import { svgOf } from "../../dist/lab/page/svg.js";
import { tooFewSamples } from "../../dist/lab/result.js";
import { pointOf, stretchOf } from "../../dist/lab/series.js";
import { printTable } from "../shared/figures.mjs";

const shown = ["p50", "p99", "p99.9", "max"];
const eventKinds = new Set(["plan", "ring", "member", "transfer"]);

/** The report, plain data. */
export function reportOf({ asked, generator, run, watch, events, story, result, samples }) {
  const secondOf = (ms) => Number(((ms - run.startedMs) / 1000).toFixed(1));
  const marks = story.marks.map(({ name, text, at }) => ({ name, text, second: secondOf(at) }));
  const end = run.intervals.at(-1)?.to ?? 0;
  const bounds = [{ name: "before", second: 0 }, ...marks, { second: end }];
  const phases = bounds.slice(0, -1).map(({ name, second }, i) => {
    const to = bounds[i + 1].second;
    const point = stretchOf(run.intervals, second, to);
    const machine = watch.between(run.startedMs + 1000 * second, run.startedMs + 1000 * to);
    const few = tooFewSamples(point.operations);
    return { name, ...point, slowestSecondP99: slowest(run.intervals, second, to), few, ...machine };
  });
  return {
    ...{ story: asked.name, rate: asked.rate, keys: asked.keys, nodes: asked.nodes, newcomers: asked.newcomers },
    ...{ durability: asked.durability, governed: !asked.unbounded, generator: generator.kind, voided: result.voided },
    ...{ operations: result.operations, errors: result.errors, errorsByCode: result.errorsByCode },
    lateness: result.latenessMs,
    machine: thisMachine(),
    settled: story.settled,
    phases,
    marks,
    ...movedOf(story, samples, marks),
    events: events
      .map(({ node, at, kind, text }) => ({ node, second: secondOf(Date.parse(at)), kind, text }))
      .filter(({ second, kind }) => second >= 0 && second <= end && eventKinds.has(kind)),
    series: run.intervals.map(pointOf),
    slices: samples.map(({ at, nodes }) => ({ second: secondOf(at), ...slicesOf(nodes) })),
    planText: story.planText,
  };
}

/** The p99 of the slowest second: p99.9 of one second would be a few operations. */
function slowest(intervals, from, to) {
  const inside = intervals.filter((interval) => interval.from >= from && interval.to <= to).map(pointOf);
  return Math.max(0, ...inside.map(({ p99 }) => p99));
}

function slicesOf(nodes) {
  return Object.fromEntries(nodes.map(({ node, counters }) => [node, counters.background_slices]));
}

function movedOf({ plan }, samples, marks) {
  const bytes = { transfer_bytes_received: 0, hints_delivered: 0 };
  for (const { counters } of samples.at(-1)?.nodes ?? []) {
    for (const name of Object.keys(bytes)) bytes[name] += counters[name] ?? 0;
  }
  const at = (name) => marks.find((mark) => mark.name === name)?.second;
  const between = (from, to) => (at(to) === undefined ? null : Number((at(to) - at(from)).toFixed(1)));
  const delivered = { hintsDelivered: bytes.hints_delivered };
  if (plan === null) return { ...delivered, hintsHomeSeconds: between("it returns", "after") };
  const { copiesMoved, copiesMin, unevenBefore, unevenAfter } = plan;
  return {
    ...delivered,
    plan: { copiesMoved, copiesMin, unevenBefore, unevenAfter },
    movedBytes: bytes.transfer_bytes_received,
    joinSeconds: between("during", "cleaning"),
    cleanSeconds: between("cleaning", "after"),
  };
}

function phaseRow(phase) {
  const cells = shown.map((name) => `${phase[name].toFixed(2)}${phase.few.includes(name) ? "*" : ""}`);
  const percent = (share) => (share === null ? "-" : `${(share * 100).toFixed(1)} %`);
  return [
    phase.name,
    (phase.to - phase.from).toFixed(1),
    String(phase.operations),
    ...cells,
    phase.slowestSecondP99.toFixed(1),
    phase.hiccupMs?.toFixed(1) ?? "-",
    percent(phase.busy),
    percent(phase.steal),
  ];
}

function lines(report) {
  const { rate, keys, generator, governed, errorsByCode, lateness, voided, machine } = report;
  const errors = Object.entries(errorsByCode).map(([code, count]) => `${code} ${count}`);
  const told = [
    `${report.story}: ${report.nodes} nodes${report.newcomers > 0 ? ` and ${report.newcomers} more` : ""}, ${report.durability}, ${keys} keys of 1 KiB, ${rate} operations a second, 50/50, zipfian`,
    `${machine.cpus} CPUs (${machine.cpuModel}), ${machine.platform}, node ${machine.node}; background work ${governed ? "governed" : "not governed"}`,
    `generator ${generator}, late by ${lateness["p99.9"].toFixed(2)} ms at p99.9${voided === null ? "" : `; VOIDED: ${voided}`}`,
    `failed operations: ${errors.length === 0 ? "none" : errors.join(", ")} of ${report.operations}`,
  ];
  if (report.plan !== undefined) {
    const { copiesMoved, copiesMin } = report.plan;
    const over = copiesMin === 0 ? "1.00" : (copiesMoved / copiesMin).toFixed(2);
    told.push(`join ${report.joinSeconds ?? "-"} s, then ${report.cleanSeconds ?? "-"} s until old copies are deleted`);
    told.push(
      `${(report.movedBytes / 2 ** 20).toFixed(0)} MiB moved; ${copiesMoved} copies, lower bound ${copiesMin}: ${over}`,
    );
  } else told.push(`hints home ${report.hintsHomeSeconds ?? "-"} s after the start (${report.hintsDelivered})`);
  if (!report.settled) told.push("NOT SETTLED before the load ended");
  return told;
}

const head = ["ms", "seconds", "samples", ...shown, "worst p99", "hiccup", "busy", "steal"];

/** Prints the report. */
export function tell(report, asJson) {
  if (asJson) {
    console.log(JSON.stringify(report));
    return;
  }
  for (const line of lines(report)) console.log(line);
  console.log("");
  printTable([head, ...report.phases.map(phaseRow)]);
  console.log("worst p99: that of the slowest second; hiccup: p99.9 of what an idle process waited for a CPU");
  if (report.phases.some(({ few }) => few.includes("p99.9"))) console.log("*  fewer than 100 samples lie beyond it");
}

/** The run second by second, the acts as lines. */
function plotOf({ story, rate, series, marks }) {
  const plot = seriesPlot(`${story}, ${rate} operations/s`, series, [], []);
  const lines = marks.map(({ name, text, second }) => ({ axis: "x", at: second, label: name, hint: text }));
  return svgOf({ ...plot, marks: lines }, true);
}

/** Writes everything into a directory. */
export function save(report, from, directory) {
  writeFileSync(join(directory, "report.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(join(directory, "series.svg"), plotOf(report));
  copyFileSync(join(from, "run.hlog"), join(directory, "run.hlog"));
  if (report.planText !== "") writeFileSync(join(directory, "plan.txt"), report.planText);
}
