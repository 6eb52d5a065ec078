/**
 * Whole clusters in the simulator: fixed seeds that must pass, and the tapes of bugs that were found. Planted bugs:
 * test/canaries.test.ts. Long runs are a command of their own: `ringtail sim --seed N --runs M`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../src/base/canary.ts";
import { optionsOf, type Tape } from "../src/sim/minimise.ts";
import { type RunResult, resultText, runSeed, runSim } from "../src/sim/run.ts";

const tapes = new URL("tapes/", import.meta.url);
const fixedSeeds = 8;
const shortSeeds = 24;

afterEach(() => enableCanaries([]));

describe("fixed seeds", () => {
  it.each([
    { runs: fixedSeeds, short: false },
    { runs: shortSeeds, short: true },
  ])(
    "$runs hold every invariant, short: $short",
    ({ runs, short }) => {
      const failed: string[] = [];
      let operations = 0;
      let faults = 0;
      runSim({
        seed: 1,
        runs,
        short,
        onResult(result) {
          operations += result.stats.ok;
          faults += result.stats.faults;
          if (result.violations.length > 0) failed.push(resultText(result));
        },
      });
      expect(failed).toEqual([]);
      // A run in which nothing happens holds everything.
      expect(operations).toBeGreaterThan(runs * (short ? 20 : 40));
      expect(faults).toBeGreaterThan(runs * (short ? 1 : 3));
    },
    120_000,
  );

  it("runs a cluster of any size from one node to nine", () => {
    for (const nodes of [1, 2, 9]) {
      const result = runSeed({ seed: 100 + nodes, nodes });
      expect(resultText(result)).toContain(`${nodes} nodes`);
      expect(result.violations).toEqual([]);
    }
  }, 60_000);
});

function play(name: string): RunResult {
  return runSeed(optionsOf(JSON.parse(readFileSync(new URL(name, tapes), "utf8")) as Tape));
}

describe("tapes", () => {
  for (const name of readdirSync(tapes).filter((file) => file.endsWith(".json"))) {
    it(name, () => {
      const result = play(name);
      expect(result.violations.map((violation) => violation.text)).toEqual([]);
      expect(result.stats.ok).toBeGreaterThan(0);
    }, 60_000);
  }
});

it("a bug that only a long story shows is found by the tape of that story", () => {
  enableCanaries(["merge-without-owning"]);
  const found = play("exchange-outlives-ownership.json").violations.map((violation) => violation.invariant);
  expect(found).toContain("replicas-converge-after-read-repair");
}, 60_000);
