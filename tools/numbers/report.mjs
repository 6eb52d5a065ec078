// The tables of `npm run numbers`, as Markdown: medians with the lowest and the highest, beside what must be reached.
import { machineText, markdownTable, median } from "../shared/figures.mjs";
import { durabilities, loads, targetOf, variants } from "./windows.mjs";

/** The median, with the lowest and the highest. */
function spread(values, digits) {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${middle} (${least} to ${most})`;
}

function cell(results, { of, digits }) {
  if (results.length === 0) return "-";
  const voided = results.filter((result) => result.voided !== null).length;
  return `${spread(results.map(of), digits)}${voided === 0 ? "" : `, ${voided} of ${results.length} void`}`;
}

/** What a median is of its target. */
function against(results, load, durability) {
  const target = targetOf(load, durability);
  if (target === undefined || results.length === 0) return "-";
  const { of, isRate } = load.figure;
  const ratio = median(results.map(of)) / target;
  if (isRate ? ratio >= 1 : ratio <= 1) return "reached";
  return isRate ? `${(ratio * 100).toFixed(0)} %` : `${ratio.toFixed(1)} times`;
}

/** Why windows are void, with how many: the reasons without their figures. */
function voidText(results) {
  const counts = new Map();
  for (const { voided } of results) {
    for (const reason of voided?.split("; ") ?? []) {
      const kind = reason.replace(/ \(.*/s, "").replace(/[\d.]+/g, "N");
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return [...counts].map(([kind, times]) => `${kind}: ${times}`).join("; ");
}

function percentText(results, of) {
  return `${spread(
    results.map((result) => of(result) * 100),
    1,
  )} %`;
}

function variantText(variant, results, load) {
  const rows = loads.map((one) => {
    const by = (durability) => results.filter(({ name }) => name === `${variant}, ${one.name}, ${durability}`);
    return [
      `${one.name}: ${one.figure.unit}`,
      ...[one.must, one.aim].map(String),
      ...durabilities.map((durability) => cell(by(durability), one.figure)),
      ...durabilities.slice(0, 2).map((durability) => against(by(durability), one, durability)),
    ];
  });
  const heading = ["", "must", "aim", ...durabilities, "`memory` against must", "`buffered` against its must"];
  const { machine } = results[0].environment;
  const voided = voidText(results);
  return [
    `### ${variants[variant].title}`,
    markdownTable(heading, rows),
    `${results.length} windows of ${load.duration} s after ${load["warm-up"]} s, ${load.keys} keys, ${results[0].with} generator, ` +
      `on ${machineText(machine)}, Node ${process.version}. Of the CPUs, other virtual machines took ` +
      `${percentText(results, ({ generator }) => generator.stealShare)}; other processes ` +
      `${percentText(results, ({ others }) => others)}; RocksDB's own threads ` +
      `${percentText(results, ({ engine }) => engine)}.${voided === "" ? "" : ` Void: ${voided}.`}`,
  ].join("\n\n");
}

/** A table for each variant of which there are results. */
export function numberTables({ load, results }, windows) {
  const names = [...new Set(windows.map(({ variant }) => variant))];
  const texts = names.map((variant) => {
    const own = results.filter(({ name }) => name.startsWith(`${variant}, `));
    return own.length === 0 ? "" : variantText(variant, own, load);
  });
  return texts.filter((text) => text !== "").join("\n\n");
}
