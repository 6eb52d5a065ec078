/** Several replicas of one key, random steps, each compared with the naive twin that forgets nothing. */
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { equalBytes } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { openRecord, sealRecord } from "../../../src/version/record.ts";
import type { Dot } from "../../../src/version/version-vector.ts";
import { dotOf, dotText } from "../../support/naive-version.ts";
import type { Pair, Step } from "../../support/version-world.ts";
import { liveIds, VersionWorld } from "../../support/version-world.ts";

afterEach(() => enableCanaries([]));

const operand = fc.nat({ max: 255 });
const crash = 8;

function stepsOf(operations: fc.Arbitrary<number>): fc.Arbitrary<Step[]> {
  return fc.array(fc.tuple(operations, operand, operand, operand), { minLength: 1, maxLength: 40, size: "max" });
}

/** As `expect(...).toBe(true)`, which is too slow for half a million checks. */
function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

function checkInvariants({ set, naive }: Pair): void {
  const firstDots = set.siblings.map(({ dots }) => dotText(dots[0] as Dot));
  check(new Set(firstDots).size === firstDots.length, "two siblings start with one dot");
  const covered = set.recent.filter(({ dots }) => set.version.coversEach(dots));
  check(covered.length <= 4, "too many recent writes");
  const ahead = new Set(set.recent.flatMap(({ dots }) => dots.map(dotText)));
  check(
    set.siblings.every(({ dots }) => dots.every((dot) => set.version.covers(dot))),
    "the version covers its siblings",
  );
  check(
    [...naive.seen].every((text) => set.version.covers(dotOf(text)) || ahead.has(text)),
    "the version covers all that was seen, or a recent write names it",
  );
  const sealed = sealRecord(set);
  check(equalBytes(sealRecord(openRecord(sealed)), sealed), "sealing is stable");
}

function sameIds(live: readonly string[], expected: Iterable<string>): boolean {
  return live.join() === [...expected].sort().join();
}

describe("replicas of one key", () => {
  it("hold at every step what the full history says, through crashes, late records and stale contexts", () => {
    fc.assert(
      fc.property(stepsOf(fc.nat({ max: 8 })), (steps) => {
        const world = new VersionWorld(3, false);
        for (const step of steps) {
          const { pair } = world.step(step);
          checkInvariants(pair);
          check(sameIds(liveIds(pair.set), pair.naive.live.keys()), `live: ${liveIds(pair.set)}`);
        }
        for (const id of world.merged().naive.dead) check(world.superseded.has(id), `${id} died of nothing`);
      }),
      { numRuns: 800 },
    );
  });

  it("end, merged, with exactly the writes that no later put had read: none lost, none too many", () => {
    fc.assert(
      fc.property(stepsOf(fc.nat({ max: crash - 1 })), (steps) => {
        const world = new VersionWorld(4, false);
        world.run(steps);
        const expected = world.writes.map(({ id }) => id).filter((id) => !world.superseded.has(id));
        expect(liveIds(world.merged().set)).toEqual(expected.sort());
      }),
      { numRuns: 800 },
    );
  });

  /** With the contexts of puts' replies: a writer replaces its own writes through replicas that have not seen them. */
  const withReplies = stepsOf(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9));

  function ownWritesStayReplaced(steps: readonly Step[]): void {
    const world = new VersionWorld(3, false);
    for (const step of steps) {
      const { pair } = world.step(step);
      checkInvariants(pair);
      check(sameIds(liveIds(pair.set), pair.naive.live.keys()), `live: ${liveIds(pair.set)}`);
    }
    const expected = world.writes.map(({ id }) => id).filter((id) => !world.superseded.has(id));
    check(sameIds(liveIds(world.merged().set), expected), "a replaced write is there, or another is not");
  }

  it("know which of a writer's own writes it has replaced, until these have come", () => {
    fc.assert(fc.property(withReplies, ownWritesStayReplaced), { numRuns: 600 });
  });

  it("planted: four newer writes let a replaced write come back", () => {
    enableCanaries(["forget-unseen"]);
    const run = fc.check(fc.property(withReplies, ownWritesStayReplaced), { numRuns: 4000, endOnFailure: true });
    expect(run.failed).toBe(true);
  });

  it("with retries through other replicas never lose a write, and rarely keep a superseded twin", () => {
    let kept = 0;
    let extra = 0;
    fc.assert(
      fc.property(stepsOf(fc.nat({ max: 8 })), (steps) => {
        const world = new VersionWorld(3, true);
        for (const step of steps) {
          const { pair } = world.step(step);
          checkInvariants(pair);
          const live = liveIds(pair.set);
          check(live.length === new Set(live).size, "a write is a sibling twice");
          for (const id of pair.naive.live.keys()) check(live.includes(id), `${id} is lost`);
          for (const id of pair.naive.dead) check(world.superseded.has(id), `${id} died of nothing`);
          for (const id of live) {
            if (pair.naive.live.has(id)) kept += 1;
            else {
              check(world.twins.has(id), `${id} should be gone`);
              extra += 1;
            }
          }
        }
      }),
      { numRuns: 800, seed: 1 },
    );
    expect(kept).toBeGreaterThan(1000);
    expect(extra / kept).toBeLessThan(0.02);
  });
});
