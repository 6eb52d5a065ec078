// What came of an overload run, as tables: one row per round, and the medians.
import { thisMachine } from "../../dist/lab/machine.js";
import { median, printTable } from "../shared/figures.mjs";

const whole = (value) => value.toFixed(0);
const ms = (value) => value.toFixed(2);
const percent = (share) => `${(100 * share).toFixed(0)} %`;

const columns = {
  goodput: [
    ["peak/s", (row) => row.peak.perSecond, whole],
    ["asked/s", (row) => row.over.rate, whole],
    ["goodput/s", (row) => row.over.perSecond, whole],
    ["of the peak", (row) => row.share, percent],
    ["per node CPU", (row) => row.sharePerNodeCpu, percent],
    ["refused", (row) => row.over.errors, whole],
    ["p50 ms", (row) => row.over.p50, ms],
    ["p99.9 ms", (row) => row.over.p999, ms],
    ["at the peak", (row) => row.peak.p999, ms],
    ["CPU nodes", (row) => row.over.cpu.nodes, percent],
    ["generator", (row) => row.over.cpu.generators, percent],
    ["others", (row) => row.over.cpu.others, percent],
    ["nodes at peak", (row) => row.peak.cpu.nodes, percent],
  ],
  recovery: [
    ["peak/s", (row) => row.peak, whole],
    ["quiet/s", (row) => row.rate, whole],
    ["burst/s", (row) => row.burst, whole],
    ["p99.9 before", (row) => row.before, ms],
    ["during", (row) => row.during, ms],
    ["second after", (row) => row.after[0] ?? 0, ms],
    ["normal is", (row) => row.normal, ms],
    ["seconds to normal", (row) => row.recoveredAfter ?? Number.NaN, whole],
    ["errors", (row) => row.errors, whole],
    ["others", (row) => row.cpu.others, percent],
  ],
  hot: [
    ["each/s", (row) => row.rate, whole],
    ["spread: p99", (row) => row.spread.p99, ms],
    ["p99.9", (row) => row.spread.p999, ms],
    ["beside: p99", (row) => row.beside.p99, ms],
    ["p99.9", (row) => row.beside.p999, ms],
    ["p99.9 ratio", (row) => row.beside.p999 / row.spread.p999, ms],
    ["hot p99.9", (row) => row.beside.other, ms],
    ["hot errors", (row) => row.beside.otherErrors, whole],
    ["others", (row) => row.beside.cpu.others, percent],
  ],
};

const titles = {
  goodput: "More than can be done",
  recovery: "A burst beside a quiet load; p99.9 of the quiet one, ms",
  hot: "Half of the load on one key; what the other keys see, ms",
};

/** Prints the report. */
export function tell(report) {
  const machine = thisMachine();
  const { asked } = report;
  console.log(
    `three nodes and the ${report.generator} generator on ${machine.cpus} CPUs (${machine.cpuModel}); ${asked.durability}, ` +
      `half gets, half puts, ${asked.keys} keys of 1 KiB, deadline ${asked.timeoutMs} ms; "others": CPU of processes that are none of these`,
  );
  for (const name of asked.stories) {
    const rows = report[name];
    console.log(`\n${titles[name]}`);
    const cells = (label, of) => [label, ...columns[name].map(([, value, text]) => text(of(value)))];
    printTable([
      ["", ...columns[name].map(([title]) => title)],
      ...rows.map((row, i) => cells(`round ${i + 1}`, (value) => value(row))),
      cells("median", (value) => median(rows.map(value))),
    ]);
  }
}
