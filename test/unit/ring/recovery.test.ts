/** The ring after a majority was lost: the lost own nothing, nothing moves, and who had waited to join still does. */
import { describe, expect, it } from "vitest";
import type { NodeNumber } from "../../../src/base/ids.ts";
import { noNode, type PartitionId } from "../../../src/base/ids.ts";
import { planClaim } from "../../../src/ring/claim.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import { commitPlan, planChange, stageChange } from "../../../src/ring/plan.ts";
import { recoveredRing } from "../../../src/ring/recovery.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { fieldsOf, memberOf, membersOn } from "./support.ts";

function planned(hosts: number): Ring {
  const members = membersOn(hosts);
  const { owners } = planClaim({ members, partitions: 64, replicasMax: 3, planSeed: 5 });
  return new Ring(fieldsOf(members, owners));
}

function joining(ring: Ring, number: number): Ring {
  const { id, name, address, host, zone, weight } = memberOf(number);
  return stageChange(ring, { kind: "join", node: { id, name, address, host, zone, weight } });
}

const lost = [3, 4, 5] as NodeNumber[];

describe("the ring after a recovery", () => {
  it("leaves what the others own, shares out what the lost owned, and fences what has changed", () => {
    const ring = planned(5);
    const after = recoveredRing(ring, lost, 1000);
    expect(after.epoch).toBe(1000);
    expect(after.goal).toBe(after.owners);
    for (let p = 0; p < 64; p += 1) {
      const before = ring.owners[p] as NodeNumber;
      if (lost.includes(before)) expect([1, 2]).toContain(after.owners[p]);
      else expect(after.owners[p]).toBe(before);
      expect(after.fences[p]).toBe(1000);
      expect([...after.preferenceList(p as PartitionId, 3)].toSorted()).toEqual([1, 2]);
    }
    expect(after.members.map((member) => member.status)).toEqual(["member", "member", "left", "left", "left"]);
    const counts = [1, 2].map((number) => after.owners.filter((owner) => owner === number).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(28);
  });

  it("ends a plan under way; a newcomer that owns nothing yet is staged again", () => {
    const staged = joining(planned(5), 6);
    const moving = commitPlan(staged, planChange(staged), true);
    expect(moving.active.length).toBeGreaterThan(0);
    const after = recoveredRing(moving, lost, 1000);
    expect(after.active.length).toBe(0);
    expect(after.staged).toEqual([{ kind: "join", member: 6, by: noNode }]);
    expect(after.member(6 as NodeNumber)?.status).toBe("joining");
  });

  it("drops what was staged about the lost, and lets their successors join", () => {
    let ring = joining(joining(planned(5), 6), 7);
    ring = stageChange(ring, { kind: "replace", member: 3 as NodeNumber, by: 6 as NodeNumber });
    ring = stageChange(ring, { kind: "leave", member: 4 as NodeNumber });
    ring = stageChange(ring, { kind: "remove", member: 2 as NodeNumber });
    const after = recoveredRing(ring, [...lost, 7 as NodeNumber], 1000);
    expect(after.staged).toEqual([
      { kind: "join", member: 6, by: noNode },
      { kind: "remove", member: 2, by: noNode },
    ]);
  });

  it("needs no plan where the lost owned nothing, and cannot be where only they owned", () => {
    const idle = joining(planned(3), 4);
    expect(recoveredRing(idle, [4 as NodeNumber], 1000).owners).toEqual(idle.owners);
    const alone = nextRing(new Ring(fieldsOf([...membersOn(1), memberOf(2)], new Array(8).fill(1))), {});
    const members = alone.members.map((one) => (one.number === 2 ? { ...one, status: "joining" as const } : one));
    expect(() => recoveredRing(nextRing(alone, { members }), [1 as NodeNumber], 1000)).toThrow("nobody would be left");
  });

  it("needs no order of moves: a zone that is most of a list can be lost whole", () => {
    const members = membersOn(4, 2);
    const { owners } = planClaim({ members, partitions: 64, replicasMax: 3, planSeed: 5 });
    const ring = new Ring(fieldsOf(members, owners));
    const zone = members.filter((member) => member.zone === "zone-2").map((member) => member.number);
    const staged = zone.reduce((now, member) => stageChange(now, { kind: "remove", member }), ring);
    expect(() => planChange(staged)).toThrow("stage fewer changes");
    const after = recoveredRing(ring, zone, 1000);
    expect(new Set(after.owners)).toEqual(new Set([1, 3]));
    expect(zone.map((number) => after.member(number)?.status)).toEqual(["left", "left"]);
  });
});
