/**
 * Whole clusters in the simulator: fixed seeds that must pass, planted bugs that must be found, and the tapes of bugs
 * that were. Long runs are a command of their own: `ringtail sim --seed N --runs M`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../src/base/canary.ts";
import { optionsOf, type Tape } from "../src/sim/minimise.ts";
import { resultText, runSeed, runSim } from "../src/sim/run.ts";

const tapes = new URL("tapes/", import.meta.url);
const fixedSeeds = 16;

afterEach(() => enableCanaries([]));

describe("fixed seeds", () => {
  it(`${fixedSeeds} seeds hold every invariant`, () => {
    const failed: string[] = [];
    let operations = 0;
    let faults = 0;
    runSim({
      seed: 1,
      runs: fixedSeeds,
      onResult(result) {
        operations += result.stats.ok;
        faults += result.stats.faults;
        if (result.violations.length > 0) failed.push(resultText(result));
      },
    });
    expect(failed).toEqual([]);
    // A run in which nothing happens holds everything.
    expect(operations).toBeGreaterThan(fixedSeeds * 40);
    expect(faults).toBeGreaterThan(fixedSeeds * 3);
  }, 120_000);

  it("runs a cluster of any size from one node to nine", () => {
    for (const nodes of [1, 2, 9]) {
      const result = runSeed({ seed: 100 + nodes, nodes });
      expect(resultText(result)).toContain(`${nodes} nodes`);
      expect(result.violations).toEqual([]);
    }
  }, 60_000);
});

describe("tapes", () => {
  for (const name of readdirSync(tapes).filter((file) => file.endsWith(".json"))) {
    it(name, () => {
      const tape = JSON.parse(readFileSync(new URL(name, tapes), "utf8")) as Tape;
      const result = runSeed(optionsOf(tape));
      expect(result.violations.map((violation) => violation.text)).toEqual([]);
      expect(result.stats.ok).toBeGreaterThan(0);
    }, 60_000);
  }
});

/**
 * A planted bug, how many seeds may pass before it is found, and the first of them: one that finds it as the simulator
 * is today, so that the others are run only after a change of what seeds mean.
 */
const canaries: readonly (readonly [string, number, number])[] = [
  ["ack-before-w", 10, 1],
  ["skip-read-repair", 10, 15],
  ["skip-anti-entropy", 40, 24],
  ["skip-leaf", 10, 3],
  ["drop-hint-before-ack", 10, 5],
  ["drop-changed-hint", 25, 4],
  ["fallback-miss-counts", 40, 27],
  ["sim.entropy-repeats", 40, 24],
  ["sim.engine-loses-batch", 40, 1],
  ["sim.log-loses-append", 20, 1],
  ["sim.engine-forgets", 40, 19],
  ["sim.log-skips-sync", 20, 3],
  ["sim.client-repeats-ids", 10, 1],
  ["sim.network-flips-bits", 40, 1],
];

describe("canaries", () => {
  for (const [name, seeds, first] of canaries) {
    it(`${name} is found within ${seeds} seeds, with a trace`, () => {
      enableCanaries([name]);
      for (let seed = first; seed < first + seeds; seed += 1) {
        const result = runSeed({ seed });
        if (result.violations.length === 0) continue;
        expect(result.violations[0]?.invariant).not.toBe("not-deterministic");
        expect(result.trace.length).toBeGreaterThan(10);
        expect(resultText(result)).toContain(`ringtail sim --seed ${seed}`);
        return;
      }
      expect.unreachable(`${seeds} seeds passed with ${name} planted`);
    }, 120_000);
  }
});
