/** Who answers reads and takes writes while a partition moves: the pure rules, against their naive second form. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeNumber, PartitionId } from "../../../src/base/ids.ts";
import {
  ReadRule,
  type ReplicaProgress,
  readRule,
  serves,
  transferStates,
  transferWaits,
  WriteRule,
  writeRule,
} from "../../../src/handoff/transfer.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import type { Ring } from "../../../src/ring/ring.ts";
import { firstRing } from "../../support/transfer-world.ts";
import { memberOf } from "../ring/support.ts";

const members = [1, 2, 3, 4, 5, 6].map((number) => memberOf(number));
const stable = firstRing([1, 2, 3, 4, 1, 2, 3, 4], members);

/** Position `position` on its way to `owner`, if the ring allows it. */
function moving(position: number, owner: number): Ring | undefined {
  const goal = stable.goal.slice();
  goal[position] = owner;
  try {
    return nextRing(stable, { goal, active: Uint16Array.of(position) });
  } catch {
    return undefined;
  }
}

const someProgress: fc.Arbitrary<ReplicaProgress> = fc.record({
  synced: fc.boolean(),
  closed: fc.boolean(),
  cleared: fc.boolean(),
  reopening: fc.boolean(),
});
const someRing = fc
  .tuple(fc.nat(7), fc.integer({ min: 5, max: 6 }), fc.boolean())
  .map(([position, owner, moves]) => (moves ? (moving(position, owner) ?? stable) : stable));
const somePlace = fc.record({
  ring: someRing,
  partition: fc.nat(7).map((p) => p as PartitionId),
  n: fc.constantFrom(2, 3),
  number: fc.integer({ min: 1, max: 6 }).map((number) => number as NodeNumber),
});

/** The same from the lists alone. */
function naiveRules(ring: Ring, partition: PartitionId, n: number, number: number, progress: ReplicaProgress): string {
  const old = new Set(ring.preferenceList(partition, n).subarray(0, n));
  const next = new Set(ring.nextList(partition, n).subarray(0, n));
  const write = progress.reopening ? "notReady" : "accept";
  if (old.has(number) && next.has(number)) return `${progress.synced ? "serve" : "notSynced"} ${write}`;
  if (old.has(number)) return `${progress.closed ? "wrongOwner" : progress.synced ? "serve" : "notSynced"} ${write}`;
  if (!next.has(number)) return "wrongOwner wrongOwner";
  return `${progress.synced ? "serve" : "notSynced"} ${progress.cleared ? "accept" : "notReady"}`;
}

function nameOf(rules: Readonly<Record<string, number>>, rule: number): string {
  return Object.keys(rules).find((name) => rules[name] === rule) as string;
}

describe("the rules", () => {
  it("are those of the naive form", () => {
    fc.assert(
      fc.property(somePlace, someProgress, ({ ring, partition, n, number }, progress) => {
        // Only a replaced member is ever closed.
        fc.pre(!progress.closed || ring.pendingOf(partition, n)?.replaced === number);
        const read = nameOf(ReadRule, readRule(ring, partition, n, number, progress));
        const write = nameOf(WriteRule, writeRule(ring, partition, n, number, progress));
        expect(`${read} ${write}`).toBe(naiveRules(ring, partition, n, number, progress));
        expect(serves(ring, partition, n, number, progress)).toBe(read === "serve");
      }),
      { numRuns: 2000 },
    );
  });

  it("never let both ends of a transfer serve, nor leave its place without a reader", () => {
    const steps: readonly (readonly [closed: boolean, confirmed: boolean])[] = [
      [false, false],
      [true, false],
      [true, true],
    ];
    let transfers = 0;
    for (let position = 0; position < 8; position += 1) {
      const ring = moving(position, 5);
      for (const { partition, n, joining, replaced } of ring?.transfers() ?? []) {
        transfers += 1;
        const serving = steps.map(([closed, confirmed]) => {
          const old = serves(ring as Ring, partition, n, replaced, {
            ...{ synced: true, closed, cleared: false, reopening: false },
          });
          const fresh = serves(ring as Ring, partition, n, joining, {
            synced: confirmed,
            closed: false,
            cleared: true,
            reopening: false,
          });
          return [old, fresh];
        });
        expect(serving).toEqual([
          [true, false],
          [false, false],
          [false, true],
        ]);
      }
    }
    expect(transfers).toBeGreaterThan(20);
  });
});

describe("the numbers on the wire", () => {
  it("of states and reasons stay what they are", () => {
    expect(transferStates.join(" ")).toBe(
      "pending clearing copying catching-up confirming confirmed grace cleaning cancelled done reopening",
    );
    expect(transferWaits.join(" ")).toBe(
      "none queued paused rate peer-down peer-busy peer-behind old-copy disk comparing different closing flip members " +
        "uncovered deleting",
    );
  });
});
