/** Rings with changes staged, and plans carried out to their end, for the tests of plans. */
import { expect } from "vitest";
import type { NodeNumber, PartitionId } from "../../../src/base/ids.ts";
import type { Rng } from "../../../src/base/rng.ts";
import { planClaim } from "../../../src/ring/claim.ts";
import { commitPlan, type Newcomer, planChange, stageChange } from "../../../src/ring/plan.ts";
import { progressRing } from "../../../src/ring/progress.ts";
import { type Member, Ring } from "../../../src/ring/ring.ts";
import { defaultPolicy, fieldsOf, identityOf } from "./support.ts";

/** A new cluster's ring. Its default bucket has n copies; `also` names further n in use. */
export function claimedRing(
  members: readonly Member[],
  partitions: number,
  n: number,
  also: readonly number[] = [],
): Ring {
  const { owners } = planClaim({ members, partitions, replicasMax: n, planSeed: 7 });
  const policies = [n, ...also].map((one, i) => {
    return { ...defaultPolicy, name: i === 0 ? "" : `bucket-${i}`, n: one, r: 1, w: 1 };
  });
  return new Ring({ ...fieldsOf(members, owners), replicasMax: n, buckets: policies });
}

/** What node `number` would join with, on a host of its own unless told otherwise. */
export function newcomer(number: number, fields: Partial<Newcomer> = {}): Newcomer {
  return { ...identityOf(number), ...fields };
}

export function number(value: number): NodeNumber {
  return value as NodeNumber;
}

export function join(ring: Ring, ...nodes: readonly Newcomer[]): Ring {
  return nodes.reduce((now, node) => stageChange(now, { kind: "join", node }), ring);
}

export function go(ring: Ring, kind: "leave" | "remove", ...members: readonly number[]): Ring {
  return members.reduce((now, member) => stageChange(now, { kind, member: number(member) }), ring);
}

/** Commits the plan of what is staged, its violations accepted. */
export function commit(ring: Ring): Ring {
  return commitPlan(ring, planChange(ring), true);
}

/** Confirms transfers, all or some at a time, until nothing is left to do; `seen` is given every ring on the way. */
export function carryOut(start: Ring, seen: (ring: Ring) => void = () => undefined, rng?: Rng, most?: number): Ring {
  let ring = start;
  const confirmed = new Set<number>();
  for (let epochs = 0; epochs < 40 * start.partitions + 200; epochs += 1) {
    seen(ring);
    const waiting = ring.transfers().filter((transfer) => !confirmed.has(transfer.id));
    const some = rng === undefined ? waiting : waiting.filter(() => rng.below(3) === 0);
    for (const transfer of some.length === 0 ? waiting.slice(0, 1) : some) confirmed.add(transfer.id);
    const next = progressRing(ring, confirmed, most);
    if (next !== null) ring = next;
    else if (waiting.length === 0) return ring;
  }
  expect.fail(`stuck at epoch ${ring.epoch}: ${ring.active.length} positions active`);
}

/** The first n of all lists. */
export function ownersOf(ring: Ring, n: number): number[][] {
  return Array.from(ring.owners, (_, p) => [...ring.preferenceList(p as PartitionId, n).subarray(0, n)]);
}

/** Of a plan in its midst: the transfers of the first half of what can flip. */
export function halfOf(ring: Ring): ReadonlySet<number> {
  const groups = ring.flipGroups();
  return new Set(groups.slice(0, groups.length >>> 1).flatMap(({ transfers }) => transfers.map(({ id }) => id)));
}
