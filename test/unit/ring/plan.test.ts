/**
 * Plans of all kinds of change: what they move, how even they leave the ring, what they report, and that a plan depends on
 * its ring alone. The copies that move are counted here a second time, with sets.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RingtailError } from "../../../src/base/errors.ts";
import type { NodeId } from "../../../src/base/ids.ts";
import {
  cancelPlan,
  commitPlan,
  type Plan,
  planChange,
  planNamed,
  stageChange,
  unstage,
} from "../../../src/ring/plan.ts";
import type { CopyMove } from "../../../src/ring/plan-report.ts";
import { progressRing } from "../../../src/ring/progress.ts";
import { type Member, Ring } from "../../../src/ring/ring.ts";
import { carryOut, claimedRing, commit, go, halfOf, join, newcomer, number, ownersOf } from "./plan-support.ts";
import { fieldsOf, memberOf, membersOn, naiveList } from "./support.ts";

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof RingtailError) return error.code;
    throw error;
  }
  return "none";
}

/** Every copy that the goal has where the ring has none. */
function naiveMoves(ring: Ring, goal: Uint16Array, n: number): { partition: number; to: number }[] {
  const moves: { partition: number; to: number }[] = [];
  for (let p = 0; p < ring.partitions; p += 1) {
    const before = naiveList(ring.owners, ring.members, p, n).slice(0, n);
    for (const to of naiveList(goal, ring.members, p, n).slice(0, n)) {
      if (!before.includes(to)) moves.push({ partition: p, to });
    }
  }
  return moves;
}

function statusOf(ring: Ring, member: number): string | undefined {
  return ring.member(number(member))?.status;
}

describe("one newcomer", () => {
  const cases = [64, 256, 1024].flatMap((q) => [4, 5, 8, 12, 24].map((s) => [q, s] as const));

  it.each(cases)("moves the fewest copies that can be: Q = %i, S = %i", (partitions, nodes) => {
    const staged = join(claimedRing(membersOn(nodes), partitions, 3), newcomer(nodes + 1));
    const { report, goal } = planChange(staged);
    const share = Math.trunc(partitions / (nodes + 1));
    expect(report.copiesMoved).toBe(3 * share);
    expect(report.copiesMin).toBe(3 * share);
    expect(report.overMin).toBe(1000);
    expect(report.positionsMoved).toBe(share);
    expect(goal.every((owner, p) => owner === staged.owners[p] || owner === nodes + 1)).toBe(true);
    expect(report.violations).toEqual([]);
  });

  it("takes in turn from all, and stays N + 1 positions from itself", () => {
    const staged = join(claimedRing(membersOn(12), 1024, 3), newcomer(13));
    const { goal, report } = planChange(staged);
    const owned = report.nodes.map((node) => node.ownedAfter);
    expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
    const own = [...goal.keys()].filter((p) => goal[p] === 13);
    for (const [i, p] of own.entries()) {
      const next = own[(i + 1) % own.length] as number;
      expect((next - p + 1024) % 1024).toBeGreaterThanOrEqual(4);
    }
    expect(report.unevenAfter).toBeLessThanOrEqual(20);
  });

  it("says of no plan that it moves fewer copies than can be", () => {
    const members = membersOn(3);
    const inTurn = Uint16Array.from({ length: 64 }, (_, p) => 1 + (p % 3));
    const { report } = planChange(join(new Ring(fieldsOf(members, inTurn)), newcomer(4)));
    expect(report.copiesMoved).toBeLessThan(3 * 16);
    expect([report.copiesMin, report.overMin]).toEqual([report.copiesMoved, 1000]);
  });

  it("fills up a cluster that had too few hosts, every list at once", () => {
    const ring = commit(join(claimedRing(membersOn(2), 64, 3), newcomer(3)));
    expect(ring.transfers()).toHaveLength(64);
    expect(carryOut(ring).hosts).toBe(3);
  });

  it("takes from its own zone while there are as many zones as copies", () => {
    const staged = join(claimedRing(membersOn(6, 3), 256, 3), newcomer(7, { zone: "zone-1" }));
    const { report } = planChange(staged);
    expect(report.violations).toEqual([]);
    expect(report.moves.every(({ from }) => staged.member(from)?.zone === "zone-1")).toBe(true);
    expect(report.copiesMoved).toBe(report.copiesMin);
  });

  it("is refused the only node of a third zone, unless that is accepted", () => {
    const staged = join(claimedRing(membersOn(6, 2), 64, 3), newcomer(7, { zone: "zone-3" }));
    const plan = planChange(staged);
    const { report } = plan;
    expect(report.violations.map(({ kind, refused }) => ({ kind, refused }))).toEqual([
      { kind: "zones", refused: true },
    ]);
    expect(codeOf(() => commitPlan(staged, plan, false))).toBe("INVALID_ARGUMENT");
    expect(carryOut(commitPlan(staged, plan, true)).owners).toContain(7);
  });
});

describe("one that goes", () => {
  const cases = [64, 256, 1024].flatMap((q) => [5, 6, 8, 12, 24].map((s) => [q, s] as const));

  it.each(cases)("moves its copies and no others: Q = %i, S = %i", (partitions, nodes) => {
    const staged = go(claimedRing(membersOn(nodes), partitions, 3), "leave", 2);
    const { report, goal } = planChange(staged);
    const held = report.nodes.find((node) => node.number === 2)?.copiesBefore;
    expect(report.copiesMoved).toBe(held);
    expect(report.copiesMin).toBe(held);
    expect(goal.includes(2)).toBe(false);
    expect(goal.every((owner, p) => owner === staged.owners[p] || staged.owners[p] === 2)).toBe(true);
    expect(report.violations).toEqual([]);
  });

  it("leaves what it owned as even as it was", () => {
    const { report } = planChange(go(claimedRing(membersOn(6), 1024, 3), "remove", 4));
    expect(report.unevenAfter).toBeLessThanOrEqual(20);
  });

  it("is refused where too few hosts would be left", () => {
    const staged = go(claimedRing(membersOn(3), 64, 3), "leave", 2);
    const plan = planChange(staged);
    const { report } = plan;
    expect(report.violations[0]).toMatchObject({ kind: "hosts", refused: true });
    expect(codeOf(() => commitPlan(staged, plan, false))).toBe("INVALID_ARGUMENT");
    const end = carryOut(commitPlan(staged, plan, true));
    expect(statusOf(end, 2)).toBe("left");
  });

  it("cannot be the last one", () => {
    expect(codeOf(() => planChange(go(claimedRing(membersOn(2), 8, 1), "leave", 1, 2)))).toBe("INVALID_ARGUMENT");
  });
});

describe("a replacement", () => {
  it("takes the very place of the one that goes", () => {
    const joined = join(claimedRing(membersOn(5), 256, 3), newcomer(6));
    const staged = stageChange(joined, { kind: "replace", member: number(3), by: number(6) });
    expect(staged.staged).toEqual([{ kind: "replace", member: 3, by: 6 }]);
    const { goal, report } = planChange(staged);
    expect([...goal]).toEqual([...staged.owners].map((owner) => (owner === 3 ? 6 : owner)));
    expect(report.overMin).toBe(1000);
    expect(report.moves.every(({ from, to }) => from === 3 && to === 6)).toBe(true);
    const end = carryOut(commit(staged));
    expect([statusOf(end, 3), statusOf(end, 6)]).toEqual(["left", "member"]);
  });

  /** Node 3 of 5 has lost its disk, and is back under the number 6, where it was. */
  function comesBack(): Ring {
    const ring = claimedRing(membersOn(5), 256, 3);
    const { name, address, host } = ring.member(number(3)) as Member;
    return join(ring, newcomer(6, { name, address, host }));
  }

  it("may have the address and the host of the one that goes, up to the end", () => {
    const staged = stageChange(comesBack(), { kind: "replace", member: number(3), by: number(6) });
    const end = carryOut(commit(staged));
    expect([statusOf(end, 3), statusOf(end, 6)]).toEqual(["left", "member"]);
    expect([...end.owners]).toEqual([...staged.owners].map((owner) => (owner === 3 ? 6 : owner)));
  });

  it("joins at the address of another only if that one goes", () => {
    const joined = comesBack();
    expect(() => planChange(joined)).toThrow(/members 3 and 6 have one address/);
    expect(planChange(go(joined, "remove", 3)).report.violations).toEqual([]);
  });

  it("that is cancelled when some of it has moved leaves the one before it leaving, for the next plan", () => {
    const first = commit(stageChange(comesBack(), { kind: "replace", member: number(3), by: number(6) }));
    const begun = progressRing(first, halfOf(first)) as Ring;
    const ring = cancelPlan(begun);
    expect([statusOf(ring, 3), statusOf(ring, 6)]).toEqual(["leaving", "member"]);
    const end = carryOut(commit(go(ring, "leave", 5)));
    expect([statusOf(end, 3), statusOf(end, 5), statusOf(end, 6)]).toEqual(["left", "left", "member"]);
    const untouched = cancelPlan(first);
    expect([statusOf(untouched, 3), statusOf(untouched, 6)]).toEqual(["member", "joining"]);
  });

  it("by a lighter node leaves the rest to others, by a heavier one takes more", () => {
    const ring = claimedRing(
      membersOn(6).map((member) => ({ ...member, weight: 2 })),
      512,
      3,
    );
    for (const weight of [1, 4]) {
      const joined = join(ring, newcomer(7, { weight }));
      const { report } = planChange(stageChange(joined, { kind: "replace", member: number(3), by: number(7) }));
      const owned = report.nodes.find((node) => node.number === 7)?.ownedAfter as number;
      expect(Math.abs(owned * (10 + weight) - 512 * weight)).toBeLessThan(10 + weight);
    }
  });

  it("needs a newcomer whose join is staged", () => {
    const ring = claimedRing(membersOn(4), 64, 3);
    const replace = { kind: "replace", member: number(1), by: number(2) } as const;
    expect(codeOf(() => stageChange(ring, replace))).toBe("INVALID_ARGUMENT");
  });
});

describe("staging", () => {
  const ring = claimedRing(membersOn(4), 64, 3);

  it("gives a newcomer the next number and nothing to own", () => {
    const staged = join(ring, newcomer(9));
    expect(staged.epoch).toBe(ring.epoch + 1);
    expect(staged.member(number(5))).toMatchObject({ name: "node-9", status: "joining" });
    expect([...staged.fences]).toEqual([...ring.fences]);
    expect(staged.goal).toBe(staged.owners);
  });

  it("never gives a number again, and fences whoever is unstaged", () => {
    const again = join(unstage(join(ring, newcomer(9)), number(5)), newcomer(10));
    expect(again.members.map((member) => [member.number, member.status]).slice(4)).toEqual([
      [5, "left"],
      [6, "joining"],
    ]);
    expect(codeOf(() => join(again, newcomer(9)))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => unstage(again, number(5)))).toBe("INVALID_ARGUMENT");
  });

  it("refuses what it does not know or has already", () => {
    expect(codeOf(() => go(ring, "leave", 9))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => go(ring, "leave", 1, 1))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => join(ring, newcomer(4)))).toBe("INVALID_ARGUMENT");
    expect(codeOf(() => planChange(ring))).toBe("INVALID_ARGUMENT");
  });

  it("forgets a staged leave", () => {
    const back = unstage(go(ring, "leave", 2), number(2));
    expect(back.staged).toEqual([]);
    expect(statusOf(back, 2)).toBe("member");
  });
});

describe("committing", () => {
  const staged = join(claimedRing(membersOn(4), 64, 3), newcomer(5));
  const plan = planChange(staged);

  it("takes a plan, which depends on the ring alone, and whose id tells it", () => {
    expect(plan.id).toMatch(/^2-[0-9a-f]{8}$/);
    expect(planNamed(new Ring(staged), plan.id)).toEqual(plan);
    const ring = commitPlan(staged, plan, false);
    expect([...ring.goal]).toEqual([...plan.goal]);
    expect(ring.staged).toEqual([]);
    expect(ring.active.length).toBeGreaterThan(0);
  });

  it("refuses a plan for another epoch, another plan, and what is no plan", () => {
    const later = go(staged, "leave", 1);
    for (const how of [planNamed, (ring: Ring, id: string) => commitPlan(ring, { id, goal: plan.goal }, true)]) {
      expect(codeOf(() => how(later, plan.id))).toBe("BASE_EPOCH_CHANGED");
      expect(codeOf(() => how(staged, "2-00000000"))).toBe("INVALID_ARGUMENT");
      expect(codeOf(() => how(staged, "two"))).toBe("INVALID_ARGUMENT");
    }
  });

  it.each([
    { what: "no owners", goal: new Uint16Array(0), told: /came with 0 owners, not 64$/ },
    {
      what: "an owner who is none",
      goal: plan.goal.with(3, 9),
      told: /gives something to 9, who is not to own anything$/,
    },
    {
      what: "other owners",
      goal: plan.goal.with(3, plan.goal[3] === 1 ? 2 : 1),
      told: /came with the owners of plan 2-/,
    },
  ])("refuses a plan with $what", ({ goal, told }) => {
    expect(() => commitPlan(staged, { id: plan.id, goal }, true)).toThrow(told);
  });

  it("refuses a second plan while one is under way; it can be staged", () => {
    const moving = go(commitPlan(staged, plan, false), "leave", 1);
    expect(codeOf(() => planChange(moving))).toBe("INVALID_ARGUMENT");
    const end = carryOut(moving);
    expect(end.staged).toHaveLength(1);
    expect(statusOf(carryOut(commit(end)), 1)).toBe("left");
  });

  it("plans differ from epoch to epoch, so that no node is unlucky for ever", () => {
    const other = unstage(go(staged, "leave", 1), number(1));
    expect([...planChange(other).goal]).not.toEqual([...planChange(staged).goal]);
  });
});

describe("cancelling", () => {
  it("keeps what has been moved, stops the rest, and stages newcomers without anything again", () => {
    const staged = go(join(claimedRing(membersOn(8), 256, 3), newcomer(9)), "leave", 2);
    const first = commit(staged);
    const second = progressRing(first, halfOf(first)) as Ring;
    expect(second.active.length).toBeGreaterThan(0);
    const ring = cancelPlan(second);
    expect(ring.goal).toBe(ring.owners);
    expect([...ring.owners]).toEqual([...second.owners]);
    expect(ring.transfers()).toEqual([]);
    expect([statusOf(ring, 2), statusOf(ring, 9)]).toEqual(["member", "member"]);
    for (const p of ring.owners.keys()) {
      const pending = second.pendingOf(p as never, 3) !== undefined;
      expect(ring.fences[p] === ring.epoch).toBe(pending);
    }
    expect(codeOf(() => cancelPlan(ring))).toBe("INVALID_ARGUMENT");
    expect(progressRing(ring, halfOf(first))).toBeNull();
    const at = cancelPlan(first);
    expect([...at.owners]).toEqual([...staged.owners]);
    expect(at.staged).toEqual([{ kind: "join", member: 9, by: 0 }]);
    expect(statusOf(carryOut(commit(at)), 9)).toBe("member");
  });
});

/** A cluster, and newcomers and leavers of it. */
const anyChange = fc
  .record({
    bits: fc.integer({ min: 3, max: 6 }),
    hosts: fc.integer({ min: 1, max: 14 }),
    zones: fc.integer({ min: 1, max: 4 }),
    nodesPerHost: fc.integer({ min: 1, max: 2 }),
    weights: fc.constantFrom([1], [1, 2, 3], [1, 1, 8]),
    n: fc.integer({ min: 1, max: 5 }),
    joins: fc.array(fc.record({ host: fc.integer({ min: 1, max: 20 }), weight: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 4,
    }),
    leaves: fc.array(fc.nat(27), { maxLength: 3 }),
    replaces: fc.boolean(),
  })
  .map(({ bits, hosts, zones, nodesPerHost, weights, n, joins, leaves, replaces }) => {
    const members = membersOn(hosts, zones, nodesPerHost).map((member, i): Member => {
      return { ...member, weight: weights[i % weights.length] as number };
    });
    let ring = claimedRing(members, 2 ** bits, n, n > 2 ? [n - 1] : []);
    for (const [i, { host, weight }] of joins.entries()) {
      const zone = zones === 1 ? "" : `zone-${((host - 1) % zones) + 1}`;
      ring = join(ring, newcomer(100 + i, { host: `host-${host}`, zone, weight }));
    }
    const going = [...new Set(leaves.map((leave) => 1 + (leave % members.length)))];
    const gone = going.slice(0, Math.max(0, members.length - 1));
    for (const [i, member] of gone.entries()) {
      const by = members.length + 1 + i;
      const kind = i % 2 === 0 ? "leave" : "remove";
      if (replaces && i < joins.length)
        ring = stageChange(ring, { kind: "replace", member: number(member), by: number(by) });
      else ring = go(ring, kind, member);
    }
    return { ring: ring.staged.length === 0 ? join(ring, newcomer(100)) : ring, n };
  });

/** Hardly ever everything that is staged cannot be done at once: where it leaves fewer hosts than copies. */
function planOfAny(ring: Ring): Plan {
  try {
    return planChange(ring);
  } catch (error) {
    fc.pre(!/stage fewer changes at once$/.test((error as Error).message));
    throw error;
  }
}

describe("any change of any cluster", () => {
  it("gives nobody who goes anything, and reports what a naive count of lists finds", () => {
    fc.assert(
      fc.property(anyChange, ({ ring, n }) => {
        const { goal, report } = planOfAny(ring);
        const gone = new Set<number>(ring.staged.filter(({ kind }) => kind !== "join").map(({ member }) => member));
        expect(goal.some((owner) => gone.has(owner))).toBe(false);
        const naive = naiveMoves(ring, goal, n);
        expect(report.moves.map(({ partition, to }: CopyMove) => ({ partition, to }))).toEqual(naive);
        expect(report.copiesMoved).toBe(naive.length);
        for (const { partition, from } of report.moves) {
          if (from === 0) continue;
          expect(naiveList(ring.owners, ring.members, partition, n).slice(0, n)).toContain(from);
          expect(naiveList(goal, ring.members, partition, n).slice(0, n)).not.toContain(from);
        }
        for (const node of report.nodes) {
          expect(node.ownedAfter).toBe(goal.filter((owner) => owner === node.number).length);
        }
        expect(JSON.parse(JSON.stringify(report))).toEqual(report);
      }),
      { numRuns: 30 },
    );
  });

  it("finds another way where zones of unlike size would leave one who goes with a partition", () => {
    let ring = claimedRing(membersOn(2, 2), 8, 4, [3]);
    for (const [i, [host, zone]] of [
      ["host-18", "zone-3"],
      ["host-3", "zone-3"],
      ["host-10", "zone-1"],
    ].entries()) {
      ring = join(ring, newcomer(100 + i, { host: host as string, zone: zone as string }));
    }
    const staged = go(ring, "leave", 1);
    expect(planChange(staged).goal).not.toContain(1);
    expect(statusOf(carryOut(commit(staged)), 1)).toBe("left");
  });

  it("refuses at once what leaves fewer hosts than copies and cannot be done in one plan; one by one it can", () => {
    const ring = claimedRing(membersOn(3), 8, 2);
    expect(() => planChange(go(go(ring, "leave", 2), "remove", 1))).toThrow(/stage fewer changes at once$/);
    const end = carryOut(commit(go(carryOut(commit(go(ring, "leave", 2))), "remove", 1)));
    expect(new Set(end.owners)).toEqual(new Set([3]));
  });

  it("moves no old member's position but to a newcomer or from one who goes", () => {
    fc.assert(
      fc.property(anyChange, ({ ring }) => {
        const { goal } = planOfAny(ring);
        const gone = new Set<number>(ring.staged.filter(({ kind }) => kind !== "join").map(({ member }) => member));
        const fresh = new Set<number>(ring.members.filter((one) => one.status === "joining").map((one) => one.number));
        for (const [p, owner] of ring.owners.entries()) {
          if (goal[p] !== owner) expect(gone.has(owner) || fresh.has(goal[p] as number)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("is the same on every node", () => {
    fc.assert(
      fc.property(anyChange, ({ ring }) => {
        const plan = planOfAny(ring);
        const shuffled = new Ring({
          ...ring,
          members: [...ring.members].reverse(),
          buckets: [...ring.buckets].reverse(),
        });
        expect(planChange(shuffled)).toEqual(plan);
      }),
      { numRuns: 20 },
    );
  });
});

describe("the whole life of a cluster", () => {
  it("grows from one node to seven and shrinks to four, even all the way", () => {
    let ring = claimedRing([memberOf(1)], 512, 3);
    for (let size = 2; size <= 7; size += 1) {
      const staged = join(ring, newcomer(size, { id: String(size).padStart(32, "a") as NodeId }));
      expect(planChange(staged).report.unevenAfter).toBeLessThanOrEqual(20);
      ring = carryOut(commit(staged));
    }
    for (let size = 7; size > 4; size -= 1) {
      const staged = go(ring, "leave", size);
      expect(planChange(staged).report.unevenAfter).toBeLessThanOrEqual(20);
      ring = carryOut(commit(staged));
    }
    expect(new Set(ownersOf(ring, 3).flat())).toEqual(new Set([1, 2, 3, 4]));
  });
});
