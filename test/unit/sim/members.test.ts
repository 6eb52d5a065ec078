/**
 * The members' harness: randomised runs that must hold every invariant, planted bugs that must be found, that one seed
 * gives one run, and a small variant of the large-n bench.
 */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { profiles } from "../../../src/membership/profile.ts";
import { suspicionMaxUs, syncIntervalUs } from "../../../src/membership/suspicion.ts";
import { runMembers } from "../../../src/sim/member-run.ts";
import {
  expectedCrashUs,
  measureCrash,
  measureSlow,
  measureSteady,
  plainSwim,
  settledWorld,
} from "../../../src/sim/member-trials.ts";

afterEach(() => enableCanaries([]));

describe("randomised runs", () => {
  it("hold members-agree, incarnations-rise and no-false-dead", () => {
    let deaths = 0;
    let faults = 0;
    // Clusters of 5 to 13: larger ones take many times as long, and are what the bench is for.
    for (const seed of [3, 4, 6, 7, 8]) {
      const result = runMembers(seed);
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
      expect(result.agreedAfterUs).toBeLessThanOrEqual(2 * syncIntervalUs(profiles.lan, result.members) + 10_000_000);
      deaths += result.deaths;
      faults += result.faults.length;
    }
    // A run in which nothing happens holds everything.
    expect(faults).toBeGreaterThan(60);
    expect(deaths).toBeGreaterThan(60);
  }, 60_000);

  it("one seed gives one run", () => {
    const first = runMembers(12);
    expect(runMembers(12)).toEqual(first);
    expect(runMembers(6).hash).not.toBe(first.hash);
  });
});

describe("planted bugs are found", () => {
  it.each([
    ["skip-refutation", "members-agree", 3],
    ["skip-revival", "members-agree", 6],
    ["forget-incarnation", "incarnations-rise", 3],
    ["ignore-tcp-ack", "no-false-dead", 3],
  ])(
    "%s by %s, from a seed on that finds it soon",
    (bug, invariant, first) => {
      enableCanaries([bug]);
      let found = "";
      for (let seed = first; seed < first + 25 && found === ""; seed += 1) {
        found = runMembers(seed).violations.find((violation) => violation.invariant === invariant)?.invariant ?? "";
      }
      expect(found).toBe(invariant);
    },
    90_000,
  );
});

describe("the large-n bench, small", () => {
  it("a crash is known to all near the expected time, at two messages per member and period", () => {
    const profile = profiles.lan;
    const members = 24;
    const world = settledWorld({ seed: 1, members, profile });
    const steady = measureSteady(world, 20_000_000);
    expect(steady.datagrams).toBeGreaterThan(3.9);
    expect(steady.datagrams).toBeLessThan(4.2);
    expect(steady.bytes).toBeLessThan(400);
    const victim = world.seat(members - 1);
    const crash = measureCrash(world, victim);
    expect(crash.suspectUs).toBeLessThan(crash.firstUs as number);
    expect(crash.firstUs).toBeLessThanOrEqual(crash.allUs as number);
    expect(crash.allUs).toBeLessThan(suspicionMaxUs(profile, members));
    expect(crash.allUs).toBeLessThan(2 * expectedCrashUs(profile, members));
  });

  it("slow members get no healthy one killed", () => {
    const world = settledWorld({ seed: 2, members: 16, profile: profiles.lan });
    const options = { slow: 2, pauseUs: 5_000_000, durationUs: 60_000_000, seed: 2 };
    expect(measureSlow(world, options).healthyKilled).toBe(0);
    const plain = measureSlow(settledWorld({ seed: 2, members: 16, profile: plainSwim(profiles.lan) }), options);
    // Without Lifeguard the same slowness is louder.
    expect(plain.suspicions).toBeGreaterThan(0);
  });
});
