/**
 * Changing who belongs to a cluster: operators stage changes, look at the plan that follows from all of them, and
 * commit that very plan. Everything here is a pure function from a ring to the next one; a plan depends on its ring
 * alone, so it is made where the operator is, as often as wanted, and a node that commits it does not stand still to make
 * it once more: it checks what it is given. What happens after the commit, batch by batch, is progress.ts; making the
 * next ring agreed upon is consensus.
 *
 * One plan at a time: while one is under way changes can be staged, not planned.
 */
import { RingtailError } from "../base/errors.ts";
import { Hash64, hashBytes } from "../base/hash.ts";
import { idBytes, type NodeNumber, noNode } from "../base/ids.ts";
import { claimMembersMax } from "./claim.ts";
import type { Member } from "./member.ts";
import { nextRing } from "./next-ring.ts";
import { Copies } from "./plan-copies.ts";
import { mendPlan } from "./plan-mend.ts";
import { fillUp, reachableGoal } from "./plan-path.ts";
import { type Placing, placeAll } from "./plan-place.ts";
import {
  fewestMoves,
  type GoalOutcome,
  type PlanOutcome,
  type PlanReport,
  reportPlan,
  violationsOfGoal,
} from "./plan-report.ts";
import { planShares } from "./plan-shares.ts";
import { Places, PlanTable } from "./plan-table.ts";
import { beginMoves } from "./progress.ts";
import type { Ring, StagedChange } from "./ring.ts";

/** A node that is to join: the ring gives it its number. */
export type Newcomer = Omit<Member, "number" | "status">;

/** What an operator may ask for. `leave` is for a node that runs, `remove` for one that is dead. */
export type StageRequest =
  | { readonly kind: "join"; readonly node: Newcomer }
  | { readonly kind: "leave" | "remove"; readonly member: NodeNumber }
  | { readonly kind: "replace"; readonly member: NodeNumber; readonly by: NodeNumber };

/** A plan. Valid for the ring it was made from. */
export interface Plan {
  /** `<epoch>-<8 hexadecimal digits of the goal's hash>`. */
  readonly id: string;
  /** Per partition who is to own it. */
  readonly goal: Uint16Array;
  readonly report: PlanReport;
}

const numberMax = 65_535;

function refuse(message: string): never {
  throw new RingtailError("INVALID_ARGUMENT", message);
}

/** Whether a committed plan is still being carried out. */
export function isMoving(ring: Ring): boolean {
  return ring.goal !== ring.owners;
}

/**
 * The ring in which the change is staged. A join makes the newcomer a member with status `joining` and the next free
 * number; a replace names a newcomer whose join is staged, and takes the place of that join. Throws `INVALID_ARGUMENT`.
 */
export function stageChange(ring: Ring, request: StageRequest): Ring {
  if (request.kind === "join") return stageJoin(ring, request.node);
  const member = ring.member(request.member);
  if (member === undefined) refuse(`there is no member ${request.member}`);
  if (member.status !== "member") refuse(`member ${request.member} is ${member.status}: it cannot be asked to go`);
  const by = request.kind === "replace" ? request.by : noNode;
  if (request.kind === "replace" && !ring.staged.some((one) => one.kind === "join" && one.member === by)) {
    refuse(`member ${request.member} can be replaced only by a node whose join is staged, and ${by} is none`);
  }
  const others = ring.staged.filter((one) => one.member !== by || by === noNode);
  if (others.some((one) => one.member === request.member))
    refuse(`a change of member ${request.member} is staged already`);
  return nextRing(ring, { staged: [...others, { kind: request.kind, member: request.member, by }] });
}

function stageJoin(ring: Ring, node: Newcomer): Ring {
  const known = ring.members.find((member) => member.id === node.id);
  if (known !== undefined) {
    refuse(
      known.status === "left"
        ? `node ${node.id} has left this cluster: it can come back only with an empty directory`
        : `node ${node.id} is ${known.status} as number ${known.number} already`,
    );
  }
  const number = ring.members.reduce((most, member) => Math.max(most, member.number), 0) + 1;
  if (number > numberMax) refuse(`all ${numberMax} node numbers have been given out`);
  const { id, name, address, host, zone, weight } = node;
  const member: Member = { number: number as NodeNumber, id, name, address, host, zone, weight, status: "joining" };
  const change: StagedChange = { kind: "join", member: member.number, by: noNode };
  return nextRing(ring, { members: [...ring.members, member], staged: [...ring.staged, change] });
}

/** The ring without the staged change that names this member, as the one to come or to go. A newcomer has then `left`. */
export function unstage(ring: Ring, member: NodeNumber): Ring {
  const change = ring.staged.find((one) => one.member === member || one.by === member);
  if (change === undefined) refuse(`no change of member ${member} is staged`);
  const newcomer = change.kind === "join" ? change.member : change.by;
  return nextRing(ring, {
    staged: ring.staged.filter((one) => one !== change),
    members: withStatus(ring.members, (one) => (one.number === newcomer ? "left" : one.status)),
  });
}

function withStatus(members: readonly Member[], statusOf: (member: Member) => Member["status"]): Member[] {
  return members.map((member) => {
    const status = statusOf(member);
    return status === member.status ? member : { ...member, status };
  });
}

/** Those who go, each with who takes its place (`noNode`: nobody in particular). */
function leaversOf(ring: Ring): Map<number, NodeNumber> {
  const leavers = new Map<number, NodeNumber>();
  for (const { number, status } of ring.members) if (status === "leaving") leavers.set(number, noNode);
  for (const { kind, member, by } of ring.staged) if (kind !== "join") leavers.set(member, by);
  return leavers;
}

/** The plan for all that is staged. Deterministic in the ring. Throws `INVALID_ARGUMENT` if there is nothing to plan. */
export function planChange(ring: Ring): Plan {
  const wish = wishOf(ring);
  const { after, places, placing } = wish;
  const path = { places, owners: ring.owners, goal: placing.table.owners, members: after, listSizes: ring.listSizes };
  const goal = fillUp({ ...path, goal: reachableGoal(path) }, placing);
  const id = planIdOf(ring.epoch, goal);
  return { id, goal, report: reportPlan({ ...wish, goal, planId: id }) };
}

/**
 * The plan of that id. Throws `BASE_EPOCH_CHANGED` if it was made for another ring, and `INVALID_ARGUMENT` if there is
 * none.
 */
export function planNamed(ring: Ring, planId: string): Plan {
  refuseOtherBase(ring, planId);
  const plan = planChange(ring);
  if (plan.id !== planId) refuse(`there is no plan ${planId}: the plan for this ring is ${plan.id}`);
  return plan;
}

function refuseOtherBase(ring: Ring, planId: string): void {
  const found = /^([1-9][0-9]{0,9})-[0-9a-f]{8}$/.exec(planId);
  if (found === null) refuse(`not a plan's id: ${planId} (an epoch, a dash and 8 hexadecimal digits)`);
  if (Number(found[1]) === ring.epoch) return;
  throw new RingtailError("BASE_EPOCH_CHANGED", `plan ${planId} was made for epoch ${found[1]}, this is ${ring.epoch}`);
}

/**
 * Who is to own what by all that is staged, if nothing has to be sent on the way there: no order of moves need lead to
 * it. Throws as `planChange` does.
 */
export function placedOwners(ring: Ring): Uint16Array {
  return wishOf(ring).placing.table.owners;
}

/** The best places for all that is staged, and what they were chosen by. */
interface Wish extends Omit<PlanOutcome, "goal" | "planId"> {
  /** Its table has everything in its new place. */
  readonly placing: Placing;
}

function wishOf(ring: Ring): Wish {
  const leavers = leaversOf(ring);
  const { after, places } = partiesOf(ring, leavers);
  const owning = ring.members.filter((member) => member.status === "member" || member.status === "leaving");
  const outcome = {
    ring,
    after,
    places,
    sharesBefore: planShares(owning, ring.partitions, ring.replicasMax),
    sharesAfter: planShares(after, ring.partitions, ring.replicasMax),
  };
  return { ...outcome, placing: place(outcome, leavers) };
}

/** Who may own something after all that is staged, and where. Throws `INVALID_ARGUMENT` where that cannot be planned. */
function partiesOf(ring: Ring, leavers: ReadonlyMap<number, NodeNumber>): Pick<GoalOutcome, "after" | "places"> {
  if (isMoving(ring)) refuse("a plan is under way: wait until it is done, or cancel it");
  if (ring.staged.length === 0) refuse("no change is staged");
  const after = ring.members.filter(({ number, status }) => {
    return (status === "member" || status === "joining") && !leavers.has(number);
  });
  if (after.length === 0) refuse("nobody would be left to own anything");
  if (after.length > claimMembersMax) refuse(`${after.length} members (at most ${claimMembersMax} are allowed)`);
  refuseSharedAddress(after);
  return { after, places: new Places(ring.members) };
}

/** A newcomer may come to the address of a dead node only if that one goes. */
function refuseSharedAddress(after: readonly Member[]): void {
  const byAddress = new Map<string, Member>();
  for (const member of after) {
    const other = byAddress.get(member.address);
    if (other !== undefined) {
      refuse(`members ${other.number} and ${member.number} have one address, ${member.address}: one must be replaced`);
    }
    byAddress.set(member.address, member);
  }
}

function place(outcome: Omit<Wish, "placing">, leavers: ReadonlyMap<number, NodeNumber>): Placing {
  const { ring, after, places, sharesAfter: shares } = outcome;
  const copies = ring.replicasMax;
  const rules = {
    copies,
    hosts: new Set(after.map((member) => member.host)).size,
    zones: new Set(after.map((member) => member.zone)).size,
  };
  const table = new PlanTable(ring.owners, places);
  const newcomers = after.filter((member) => member.status === "joining").map((member) => member.number);
  const placing: Placing = { table, rules, shares, newcomers, leavers, planSeed: planSeedOf(ring) };
  placeAll(placing);
  const zonesNeeded = Math.min(copies, rules.zones);
  const before = new Copies(new PlanTable(ring.owners, places), copies, zonesNeeded);
  const fewest = fewestMoves(before, { ...outcome, goal: ring.owners, planId: "" }, copies);
  mendPlan(placing, new Copies(table, copies, zonesNeeded, before), ring.owners, fewest);
  return placing;
}

function planSeedOf(ring: Ring): number {
  const hash = new Hash64();
  hashBytes(idBytes(ring.clusterId), 0, 16, ring.epoch, hash);
  return hash.low;
}

function planIdOf(epoch: number, goal: Uint16Array): string {
  const bytes = new Uint8Array(2 * goal.length);
  for (const [p, owner] of goal.entries()) {
    bytes[2 * p] = owner & 0xff;
    bytes[2 * p + 1] = owner >>> 8;
  }
  const hash = new Hash64();
  hashBytes(bytes, 0, bytes.length, 0, hash);
  return `${epoch}-${hash.high.toString(16).padStart(8, "0")}`;
}

/**
 * The ring in which the plan is under way and its first batch active. Throws `BASE_EPOCH_CHANGED` unless the plan was
 * made for this ring, and `INVALID_ARGUMENT` if it cannot be one for it or makes violations that are not accepted. That
 * it is the best one is not asked: a node computes this while its clients wait.
 */
export function commitPlan(ring: Ring, plan: Pick<Plan, "id" | "goal">, acceptViolations: boolean): Ring {
  const { id, goal } = plan;
  refuseOtherBase(ring, id);
  const leavers = leaversOf(ring);
  const parties = partiesOf(ring, leavers);
  refuseOtherGoal(ring, plan, new Set(parties.after.map((member) => member.number)));
  const refused = violationsOfGoal({ ...parties, ring, goal }).filter((violation) => violation.refused);
  if (refused.length > 0 && !acceptViolations) {
    refuse(`plan ${id} needs its violations accepted: ${refused.map((violation) => violation.text).join("; ")}`);
  }
  const members = withStatus(ring.members, ({ number, status }) => (leavers.has(number) ? "leaving" : status));
  return beginMoves(ring, { goal, members, staged: [] });
}

function refuseOtherGoal(ring: Ring, { id, goal }: Pick<Plan, "id" | "goal">, after: ReadonlySet<number>): void {
  if (goal.length !== ring.partitions) refuse(`plan ${id} came with ${goal.length} owners, not ${ring.partitions}`);
  const stranger = goal.find((owner) => !after.has(owner));
  if (stranger !== undefined) refuse(`plan ${id} gives something to ${stranger}, who is not to own anything`);
  const own = planIdOf(ring.epoch, goal);
  if (own !== id) refuse(`plan ${id} came with the owners of plan ${own}`);
}

/**
 * The ring in which nothing moves any more: transfers that are under way are cancelled, what has been moved stays.
 * Nodes that were to leave are members again, but for one whose address is another member's by now: that one goes on
 * leaving with the next plan. Newcomers that have been given nothing are staged again. Throws `INVALID_ARGUMENT` if no
 * plan is under way.
 */
export function cancelPlan(ring: Ring): Ring {
  if (!isMoving(ring)) refuse("no plan is under way");
  const named = new Set(ring.staged.flatMap((change) => [change.member, change.by]));
  const waiting = ring.members.filter(({ number, status }) => status === "joining" && !named.has(number));
  const settled = new Set(ring.members.flatMap(({ address, status }) => (status === "member" ? [address] : [])));
  const joins = waiting.map(({ number }): StagedChange => ({ kind: "join", member: number, by: noNode }));
  return nextRing(ring, {
    goal: ring.owners,
    active: new Uint16Array(0),
    members: withStatus(ring.members, ({ status, address }) => {
      return status === "leaving" && !settled.has(address) ? "member" : status;
    }),
    staged: [...ring.staged, ...joins],
  });
}
