/**
 * Bugs on purpose, and the seeds until the simulator finds them. `test/canaries.json` names all: those that runs of the
 * simulator find, with the number of seeds within which they must, and those that only a test reaches, with its file.
 * Here some of them, each from a seed on that finds it soon; `npm run canaries` (which sets the variables) plants every
 * one, from seed 1.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../src/base/canary.ts";
import { resultText, runSeed } from "../src/sim/run.ts";

interface Canaries {
  readonly sim: Readonly<Record<string, number>>;
  readonly test: Readonly<Record<string, string>>;
  /** Those of `sim` that every test run plants, and the seed at which it begins to look. */
  readonly quick: Readonly<Record<string, number>>;
}

const known = JSON.parse(readFileSync(new URL("canaries.json", import.meta.url), "utf8")) as Canaries;
const asked = process.env["RINGTAIL_CANARIES"];
const names =
  asked === undefined ? Object.keys(known.quick) : asked === "all" ? Object.keys(known.sim) : asked.split(",");
/** Seeds that a quick look takes at most. */
const quickSeeds = 12;
const seedsMax = Number(process.env["RINGTAIL_CANARY_SEEDS"] ?? 0);
const table = process.env["RINGTAIL_CANARY_TABLE"] ?? "";

const rows: string[] = [];

afterEach(() => enableCanaries([]));
afterAll(() => {
  if (table !== "") writeFileSync(table, tableText());
});

/** The names of all bugs that the source can be made to have. */
function planted(): string[] {
  const root = new URL("../src/", import.meta.url);
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const names = files.flatMap((file) =>
    [...readFileSync(new URL(file, root), "utf8").matchAll(/\bcanary\("([^"]+)"\)/g)].map(([, name]) => name as string),
  );
  return [...new Set(names)].sort();
}

describe("the list of planted bugs", () => {
  it("names every one in the source, once, and no other", () => {
    expect([...Object.keys(known.sim), ...Object.keys(known.test)].sort()).toEqual(planted());
    expect(Object.keys(known.sim)).toEqual(expect.arrayContaining(Object.keys(known.quick)));
  });

  it("names a test that plants it, where the simulator does not find it", () => {
    for (const [name, file] of Object.entries(known.test)) {
      expect(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"), file).toContain(`"${name}"`);
    }
  });

  it("is in docs/CANARIES.md", () => {
    const text = readFileSync(new URL("../docs/CANARIES.md", import.meta.url), "utf8");
    expect(planted().filter((name) => !text.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

describe("planted bugs", () => {
  for (const name of names) {
    const first = asked === undefined ? (known.quick[name] as number) : 1;
    const within = asked === undefined ? quickSeeds : Math.max(seedsMax, known.sim[name] ?? 0);
    it(`${name} is found within ${within} seeds, with a trace`, () => {
      expect(known.sim).toHaveProperty([name]);
      enableCanaries([name]);
      for (let seed = first; seed < first + within; seed += 1) {
        const result = runSeed({ seed });
        const [violation] = result.violations;
        if (violation === undefined) continue;
        expect(violation.invariant).not.toBe("not-deterministic");
        expect(result.trace.length).toBeGreaterThan(10);
        expect(resultText(result)).toContain(`ringtail sim --seed ${seed}`);
        rows.push(`| \`${name}\` | ${seed} | \`${violation.invariant}\` |`);
        if (asked !== undefined) console.log(rows.at(-1));
        return;
      }
      rows.push(`| \`${name}\` | not in ${within} | |`);
      console.log(rows.at(-1));
      expect.unreachable(`${within} seeds passed with ${name} planted`);
    }, 1_800_000);
  }
});

function tableText(): string {
  const tested = Object.entries(known.test).map(([name, file]) => `| \`${name}\` | \`${file}\` |`);
  const lines = [
    "# Bugs on purpose, and what finds them",
    "",
    "Made by `npm run canaries -- --write`. Each bug is planted by a switch that only tests can reach (`src/base/canary.ts`);",
    "the seeds count from 1.",
    "",
    "| planted bug | seeds until the simulator finds it | first invariant broken |",
    "|---|--:|---|",
    ...rows,
    "",
    "Found by a test, because whole clusters in the simulator do not come by it, or a world of its own is better at it:",
    "",
    "| planted bug | test |",
    "|---|---|",
    ...tested,
    "",
  ];
  return lines.join("\n");
}
