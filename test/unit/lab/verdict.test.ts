/** The verdict on a run: each rule that voids it, alone, and none on a good one. */
import { expect, it } from "vitest";
import { decideVoid, type RunFacts } from "../../../src/lab/verdict.ts";

const good: RunFacts = {
  askedRate: 5000,
  scheduled: 100_000,
  answeredInside: 99_950,
  operations: 99_990,
  latenessP999Us: 900,
  windowUs: 20_000_000,
  cpuUs: 5_000_000,
  waitedUs: 100_000,
  heldBack: 0,
  inFlightMax: 16_384,
  stealShare: 0.001,
  hiccupP999Us: null,
};

it("a good run stands", () => expect(decideVoid(good)).toBeNull());
it("at the limits it stands", () =>
  expect(decideVoid({ ...good, latenessP999Us: 1000, answeredInside: 99_000, stealShare: 0.01 })).toBeNull());
it("what is unknown does not count", () =>
  expect(decideVoid({ ...good, stealShare: null, waitedUs: null })).toBeNull());

it.each<[string, Partial<RunFacts>, RegExp]>([
  ["late, others had the CPU", { latenessP999Us: 1001, waitedUs: 2_000_000 }, /1\.00 ms.*CPUs were taken.*10 %/],
  ["late, and busy itself", { latenessP999Us: 4000, waitedUs: 10_000 }, /4\.00 ms.*event loop was busy.*25 %/],
  ["late, reason unknown", { latenessP999Us: 4000, waitedUs: null }, /4\.00 ms.*25 % of a CPU$/],
  ["too slow", { answeredInside: 98_900 }, /98\.9 %.*5000/],
  ["held back", { heldBack: 3 }, /3 operations.*16384 were in flight/],
  ["steal", { stealShare: 0.02 }, /2\.0 %/],
  ["a machine that stands still", { hiccupP999Us: 1_001 }, /stood still, 1.00 ms/],
  ["nothing succeeded", { operations: 0 }, /no operation succeeded/],
])("void: %s", (_name, change, reason) => expect(decideVoid({ ...good, ...change })).toMatch(reason));

it("a closed loop is not held to a rate", () =>
  expect(decideVoid({ ...good, askedRate: null, scheduled: 1e9, latenessP999Us: 1e9 })).toBeNull());

it("tells every reason", () =>
  expect(decideVoid({ ...good, heldBack: 1, answeredInside: 1 })?.split("; ")).toHaveLength(2));
