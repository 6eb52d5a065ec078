/** A plan as text: the golden story of a cluster that grows from three nodes to five, and the sums behind the lines. */
import { describe, expect, it } from "vitest";
import { cancelPlan, planChange, stageChange } from "../../../src/ring/plan.ts";
import { estimatePlan, pairMoves, planLines } from "../../../src/ring/plan-text.ts";
import { progressRing } from "../../../src/ring/progress.ts";
import type { Ring } from "../../../src/ring/ring.ts";
import { expectGolden } from "../../support/golden.ts";
import { carryOut, claimedRing, commit, go, halfOf, join, newcomer, number } from "./plan-support.ts";
import { membersOn } from "./support.ts";

const rates = { bytesOf: () => 3 << 20, bytesPerSecond: 20 << 20 };

function ownersLine(ring: { readonly owners: Uint16Array }): string {
  return [...ring.owners].map((owner) => String.fromCharCode(64 + owner)).join("");
}

function epochLine(ring: Ring): string {
  const statuses = ring.members.map(({ number, status }) => `${String.fromCharCode(64 + number)} ${status}`).join(", ");
  return `epoch ${ring.epoch}: ${ownersLine(ring)}\n  ${ring.active.length} positions active, ${ring.transfers().length} transfers; ${statuses}`;
}

describe("the plan from three nodes to five", () => {
  const start = claimedRing(membersOn(3), 64, 3);
  const staged = join(start, newcomer(4), newcomer(5));

  it("tells the golden story", () => {
    const story = ["# Three nodes grow to five: the plan as it is printed, then every ring until it is done.", ""];
    const { report } = planChange(staged);
    story.push(...planLines(report, rates), "", epochLine(staged));
    const end = carryOut(commit(staged), (ring) => story.push(epochLine(ring)));
    story.push("", "and back to four", "", ...planLines(planChange(go(end, "leave", 2)).report));
    expectGolden("ring-plan", story.join("\n"));
  });

  it("sums up what each pair moves, and what the busiest node needs", () => {
    const { report } = planChange(staged);
    const pairs = pairMoves(report, rates);
    expect(pairs.reduce((sum, pair) => sum + pair.copies, 0)).toBe(report.copiesMoved);
    expect(estimatePlan(report, rates).bytes).toBe(report.copiesMoved * (3 << 20));
    const most = Math.max(...report.nodes.map((node) => Math.abs(node.copiesAfter - node.copiesBefore)));
    expect(estimatePlan(report, rates).seconds).toBe(Math.ceil((most * 3) / 20));
  });
});

describe("the lines", () => {
  it("name violations with their partitions, and say which must be accepted", () => {
    const lines = planLines(planChange(go(claimedRing(membersOn(3), 64, 3), "remove", 3)).report);
    expect(lines.join("\n")).toContain("node-3 is removed");
    expect(lines.join("\n")).toContain("violation, to be accepted explicitly: 3 copies need 3 hosts");
    expect(lines.join("\n")).toContain("partitions 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 and 48 more");
  });

  it("tell nodes of one name apart by their numbers: one that takes its own former place has the same", () => {
    const again = { ...newcomer(5), name: "node-4" };
    const joined = join(claimedRing(membersOn(4), 64, 3), again);
    const staged = stageChange(joined, { kind: "replace", member: number(4), by: number(5) });
    const lines = planLines(planChange(staged).report).join("\n");
    expect(lines).toContain("  node-4 (node 5) replaces node-4 (node 4)\n");
    expect(lines).toMatch(/^ {2}node-4 \(node 5\) takes \d+ copies over from node-4 \(node 4\)/m);
    expect(lines).toMatch(/^ {2}node-4 \(node 4\) .* 48 -> 0 /m);
    expect(lines).toMatch(/^ {2}node-1 {11}/m);
  });

  it("tell a plan that moves nothing", () => {
    const { report } = planChange(join(claimedRing(membersOn(12), 8, 1), newcomer(13)));
    expect(report.copiesMoved).toBe(0);
    expect(estimatePlan(report, rates)).toEqual({ bytes: 0, seconds: 0 });
    expect(planLines(report, rates).join("\n")).toContain("0 of 8 partitions get another first owner");
  });

  it("are those of the rest when a plan was cancelled in its midst", () => {
    const first = commit(join(claimedRing(membersOn(8), 256, 3), newcomer(9)));
    const second = progressRing(first, halfOf(first)) as Ring;
    const staged = go(cancelPlan(second), "leave", 9);
    expect(planLines(planChange(staged).report).join("\n")).toContain("node-9 leaves");
  });
});
