/**
 * Marks that must be reached. `test/marks.json` names every one in the source: those that runs of the simulator reach
 * within its number of seeds, and those that only a test does, with its file. Here a few seeds reach most of the first kind;
 * `npm run marks` (which sets the variable) runs all seeds, and all those tests.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runSim } from "../src/sim/run.ts";

interface Marks {
  readonly seeds: number;
  readonly sim: readonly string[];
  readonly test: Readonly<Record<string, string>>;
}

const known = JSON.parse(readFileSync(new URL("marks.json", import.meta.url), "utf8")) as Marks;
const asked = Number(process.env["RINGTAIL_MARK_SEEDS"] ?? 0);
/** What a few seeds must reach of what many do. */
const fewSeeds = 4;
const ofThem = 0.5;

/** The names in all calls of `mark`, and in the tables that such calls look up. */
function marksIn(text: string): string[] {
  const calls = [...text.matchAll(/\bmark\(([^;]*)\);/g), ...text.matchAll(/\bmarksBy\w*: [^=]*= \[([^\]]*)\]/g)];
  return calls.flatMap(([, names]) =>
    [...(names as string).matchAll(/"([a-z0-9.-]+)"/g)].map(([, name]) => name as string),
  );
}

it("every mark in the source is in the list, once, and no other", () => {
  const root = new URL("../src/", import.meta.url);
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const found = files.flatMap((file) => marksIn(readFileSync(new URL(file, root), "utf8")));
  expect([...known.sim, ...Object.keys(known.test)].sort()).toEqual([...new Set(found)].sort());
});

it("runs of the simulator reach the marks that are theirs", () => {
  const reached = new Set<string>();
  const runs = asked || fewSeeds;
  runSim({
    seed: 1,
    runs,
    onResult: ({ stats }) => {
      for (const name of Object.keys(stats.marks)) reached.add(name);
    },
  });
  const missing = known.sim.filter((name) => !reached.has(name));
  if (asked > 0) expect(missing).toEqual([]);
  expect(missing.length).toBeLessThan((1 - ofThem) * known.sim.length);
}, 3_600_000);
