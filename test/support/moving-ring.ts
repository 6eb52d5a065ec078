/** A ring of three nodes, and the one in which a fourth is on its way in. */
import { clusterIdOf, nodeIdOf, nodeNumber } from "../../src/base/ids.ts";
import { planClaim } from "../../src/ring/claim.ts";
import { commitPlan, planChange, stageChange } from "../../src/ring/plan.ts";
import { type Member, Ring } from "../../src/ring/ring.ts";

function memberOf(number: number): Omit<Member, "status"> {
  const name = `node-${number}`;
  const id = nodeIdOf(new Uint8Array(16).fill(number));
  const address = `127.0.0.${number}:7401`;
  return { number: nodeNumber(number), id, name, address, host: `host-${number}`, zone: "", weight: 100 };
}

/** `before`: at epoch 1. `staged`: the join is staged. `ring`: the plan is under way. */
export function movingRing(partitions = 16): { readonly before: Ring; readonly staged: Ring; readonly ring: Ring } {
  const members = [1, 2, 3].map((number): Member => ({ ...memberOf(number), status: "member" }));
  const { owners } = planClaim({ members, partitions, replicasMax: 3, planSeed: 1 });
  const policy = { name: "", n: 3, r: 2, w: 2, durability: 2, resolver: 0, version: 1 } as const;
  const clusterId = clusterIdOf(new Uint8Array(16).fill(9));
  const before = new Ring({ clusterId, epoch: 1, partitions, replicasMax: 3, members, owners, buckets: [policy] });
  const staged = stageChange(before, { kind: "join", node: memberOf(4) });
  const ring = commitPlan(staged, planChange(staged), true);
  return { before, staged, ring };
}
