// The stage tables, as Markdown: one of the stages for each loop of a story, one of its threads; medians of the rounds.
import { markdownTable, median } from "../shared/figures.mjs";
import { stages } from "./stages.mjs";
import { threadKinds } from "./threads.mjs";

const us = (value) => (value > 0 ? value.toFixed(1) : "-");
const sides = ["coordinator", "replica", "both"];

/** The median of what `of` sees in each round; undefined where there is nothing to see. */
function over(rounds, of) {
  const seen = rounds.map(of).filter((value) => value !== undefined);
  return seen.length === 0 ? undefined : median(seen);
}

/** A row of the stage table; `of` sees one number in a round, given which sides of it count. */
function stageRow(label, { before, now }, of, part) {
  const at =
    (...counted) =>
    (round) =>
      of(round, counted);
  const earlier = before.length === 0 ? [] : [us(over(before, at(...sides)))];
  return [label, ...earlier, us(over(now, at(...sides))), ...sides.map((side) => us(over(now, at(side)))), us(part)];
}

function sumOf(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Stages of one loop of a story: microseconds of CPU an operation, the three nodes together. */
export function stageTable(loop, parts) {
  const inStage = (stage) => (round, counted) => sumOf(counted.map((side) => round.stages[stage][side]));
  const inAll = (round, counted) => sumOf(Object.keys(stages).map((stage) => inStage(stage)(round, counted)));
  const rows = Object.entries(stages).map(([stage, label]) => stageRow(label, loop, inStage(stage), parts[stage]));
  const earlier = loop.before.length === 0 ? [] : ["before"];
  const heading = [
    `us an operation, ${loop.name}`,
    ...earlier,
    "now",
    "coordinator",
    "replicas",
    "both",
    "parts alone",
  ];
  return markdownTable(heading, [...rows, stageRow("**main threads**", loop, inAll, sumOf(Object.values(parts)))]);
}

/** Threads of one story, beside the loopback floor. */
export function threadTable({ loops }) {
  const heading = loops.flatMap(({ name, before }) => [
    ...(before.length === 0 ? [] : [`${name}: before`]),
    `${name}: now`,
    `${name}: echo`,
  ]);
  const row = (label, of, ofEcho = () => undefined) => [
    label,
    ...loops.flatMap(({ before, now, echo }) => [
      ...(before.length === 0 ? [] : [us(over(before, of))]),
      us(over(now, of)),
      us(over(echo, ofEcho)),
    ]),
  ];
  const kinds = Object.entries(threadKinds).map(([kind, label]) =>
    row(
      label,
      ({ threads }) => threads[kind],
      (echo) => (kind === "main" ? echo.main : undefined),
    ),
  );
  const all = ({ threads }) => Object.keys(threadKinds).reduce((whole, kind) => whole + threads[kind], 0);
  return markdownTable(
    ["us an operation", ...heading],
    [
      ...kinds,
      row("**all**", all, ({ main }) => main),
      row(
        "kernel's part of the main threads",
        ({ kernel }) => kernel,
        ({ kernel }) => kernel,
      ),
      row("operations a second", ({ perSecond }) => perSecond),
    ],
  );
}

/** The functions of a loop that took most themselves, with what they called that is not ours. */
export function functionTable({ name, before, now }, count) {
  const places = [...new Set(now.flatMap(({ functions }) => Object.keys(functions)))];
  const of = (rounds, place) => over(rounds, ({ functions }) => functions[place] ?? 0);
  const hottest = places.sort((a, b) => of(now, b) - of(now, a)).slice(0, count);
  const earlier = (place) => (before.length === 0 ? [] : [us(of(before, place))]);
  const rows = hottest.map((place) => [`\`${place}\``, ...earlier(place), us(of(now, place))]);
  return markdownTable([`us an operation, ${name}`, ...(before.length === 0 ? [] : ["before"]), "now"], rows);
}
