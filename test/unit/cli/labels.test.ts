/** Nodes of one name are told apart, and one that has left takes the name from nobody. */
import { expect, it } from "vitest";
import { labelsIn } from "../../../src/cli/every-node.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { claimedRing } from "../ring/plan-support.ts";
import { membersOn } from "../ring/support.ts";

function namesOf(left: readonly number[]): string[] {
  const ring = claimedRing(membersOn(4), 64, 3);
  const members = ring.members.map((member) => {
    const name = member.number === 4 ? "d" : "twin";
    return { ...member, name, status: left.includes(member.number) ? ("left" as const) : member.status };
  });
  const labelOf = labelsIn(
    new Ring({ ...ring, members, owners: ring.owners.map(() => 4), goal: ring.goal.map(() => 4) }),
  );
  return [1, 2, 3, 4, 9].map(labelOf);
}

it("by their numbers, where two that are present have one name", () => {
  expect(namesOf([1])).toEqual(["twin (node 1)", "twin (node 2)", "twin (node 3)", "d", "node 9"]);
});

it("and not where the others have left", () => {
  expect(namesOf([1, 3])).toEqual(["twin (node 1)", "twin", "twin (node 3)", "d", "node 9"]);
});
