/**
 * What a plan does, for the operator who is to commit it: every copy that moves, what each node owns and holds before and
 * after, what would be wrong afterwards, and how a failed host's load would spread. Plain data that can be printed as
 * JSON; as text it is in plan-text.ts. Copies are those of the buckets with the largest n.
 */
import { type NodeNumber, noNode } from "../base/ids.ts";
import { reportClaim } from "./claim-report.ts";
import type { Member } from "./member.ts";
import { Copies } from "./plan-copies.ts";
import { lowOf, type Share } from "./plan-shares.ts";
import { type Places, PlanTable } from "./plan-table.ts";
import type { Ring, StagedKind } from "./ring.ts";

/** A staged change with names. */
export interface PlannedChange {
  readonly kind: StagedKind;
  readonly member: NodeNumber;
  readonly name: string;
  /** The newcomer of a `replace`; 0 and empty for the others. */
  readonly by: NodeNumber;
  readonly byName: string;
}

/** One copy of one partition that a node has to be sent. */
export interface CopyMove {
  readonly partition: number;
  /** Whose place it takes; 0: nobody's, the list grows. */
  readonly from: NodeNumber;
  readonly to: NodeNumber;
}

/** One node before and after. */
export interface NodeChange {
  readonly number: NodeNumber;
  readonly name: string;
  readonly host: string;
  readonly zone: string;
  readonly weight: number;
  readonly ownedBefore: number;
  readonly ownedAfter: number;
  readonly copiesBefore: number;
  readonly copiesAfter: number;
}

/**
 * - `hosts`: lists have fewer hosts than n, so there are fewer than n copies.
 * - `zones`: lists use fewer zones than they could.
 */
export type PlanViolationKind = "hosts" | "zones";

/** A constraint that the plan's result breaks. */
export interface PlanViolation {
  readonly kind: PlanViolationKind;
  /** Whose lists are concerned; ascending, never empty. */
  readonly partitions: readonly number[];
  /** More lists are concerned than before: the plan is committed only if that is accepted. */
  readonly refused: boolean;
  /** One line for the operator. */
  readonly text: string;
}

/** The report. */
export interface PlanReport {
  readonly planId: string;
  readonly baseEpoch: number;
  readonly partitions: number;
  /** The largest n of any bucket. */
  readonly copies: number;
  readonly changes: readonly PlannedChange[];
  /** Entries of the owner table that change. */
  readonly positionsMoved: number;
  readonly moves: readonly CopyMove[];
  readonly copiesMoved: number;
  /** No plan for these changes can do with fewer. */
  readonly copiesMin: number;
  /** Moved over the fewest, in thousandths, rounded down; 1000 when nothing has to move. */
  readonly overMin: number;
  /** Everybody who owns something before or may own something after. */
  readonly nodes: readonly NodeChange[];
  /** The largest deviation of a node's copies from its share, in thousandths of the share. */
  readonly unevenBefore: number;
  readonly unevenAfter: number;
  /** The worst share of a failed host's load that one host takes over, in multiples of the fair one; 0: no fallback. */
  readonly spreadBefore: number;
  readonly spreadAfter: number;
  /** Hosts beyond the n that every list needs; negative: too few. */
  readonly spareHosts: number;
  readonly violations: readonly PlanViolation[];
  /** What is worth knowing although nothing is refused for it; one line each. */
  readonly notes: readonly string[];
}

/** A goal, and whom it concerns. */
export interface GoalOutcome {
  readonly ring: Ring;
  readonly goal: Uint16Array;
  readonly places: Places;
  /** Who may own afterwards. */
  readonly after: readonly Member[];
}

/** What a report is made from. */
export interface PlanOutcome extends GoalOutcome {
  readonly planId: string;
  readonly sharesBefore: ReadonlyMap<number, Share>;
  readonly sharesAfter: ReadonlyMap<number, Share>;
}

/** The largest n of any bucket. */
export function copiesOf(ring: Ring): number {
  return ring.listSizes[ring.listSizes.length - 1] as number;
}

/** The zones that own something before and after, as lists should use them. */
function zonesOf(members: readonly Member[], copies: number): number {
  return Math.min(copies, new Set(members.map((member) => member.zone)).size);
}

/** The copies that there are, and those that there will be. */
function copiesIn({ ring, goal, places, after }: GoalOutcome): {
  now: Copies;
  later: Copies;
  owning: readonly Member[];
} {
  const n = copiesOf(ring);
  const owning = ring.members.filter((member) => ring.owners.includes(member.number));
  const now = new Copies(new PlanTable(ring.owners, places), n, zonesOf(owning, n));
  return { now, later: new Copies(new PlanTable(goal, places), n, zonesOf(after, n), now), owning };
}

/** What is wrong with what `goal` makes of the ring; a part of the report. */
export function violationsOfGoal(outcome: GoalOutcome): readonly PlanViolation[] {
  const { now, later } = copiesIn(outcome);
  return violationsOf(now, later, zonesOf(outcome.after, copiesOf(outcome.ring)));
}

/** Reports on what `goal` changes. */
export function reportPlan(outcome: PlanOutcome): PlanReport {
  const { ring, goal, after } = outcome;
  const n = copiesOf(ring);
  const { now, later: then, owning } = copiesIn(outcome);
  // Where a newcomer's host comes twice in a list, the plan itself shows that fewer will do.
  const copiesMin = Math.min(fewestMoves(now, outcome, n), then.moved);
  const today = reportClaim(ring.owners, owning, n);
  const tomorrow = reportClaim(goal, after, n);
  const hosts = new Set(after.map((member) => member.host)).size;
  return {
    planId: outcome.planId,
    baseEpoch: ring.epoch,
    partitions: ring.partitions,
    copies: n,
    changes: changesOf(ring),
    positionsMoved: goal.reduce((sum, owner, p) => (owner === ring.owners[p] ? sum : sum + 1), 0),
    moves: movesBetween(now, then),
    copiesMoved: then.moved,
    copiesMin,
    overMin: copiesMin === 0 ? 1000 : Math.trunc((1000 * then.moved) / copiesMin),
    nodes: nodesOf(ring, after, now, then),
    unevenBefore: unevenness(now, outcome.sharesBefore),
    unevenAfter: unevenness(then, outcome.sharesAfter),
    spreadBefore: today.spread,
    spreadAfter: tomorrow.spread,
    spareHosts: hosts - n,
    violations: violationsOf(now, then, zonesOf(after, n)),
    notes: [
      ...tomorrow.warnings,
      ...tomorrow.violations
        .filter(({ kind }) => kind === "spacing")
        .map(({ partitions }) => {
          return `${partitions.length} of ${goal.length} lists pass over an entry to find their first fallback, since a host comes twice within ${n + 1} positions: no copy is missing, but a host's failure is felt less evenly`;
        }),
    ],
  };
}

function changesOf(ring: Ring): PlannedChange[] {
  return ring.staged.map(({ kind, member, by }) => {
    return { kind, member, name: ring.member(member)?.name ?? "", by, byName: ring.member(by)?.name ?? "" };
  });
}

/** Every copy that somebody has to be sent; those who go and those who come to one list in the order of their lists. */
function movesBetween(now: Copies, then: Copies): CopyMove[] {
  const moves: CopyMove[] = [];
  for (let partition = 0; partition < now.table.owners.length; partition += 1) {
    const coming = missing(then, now, partition);
    if (coming.length === 0) continue;
    const going = missing(now, then, partition);
    for (const [i, to] of coming.entries()) {
      moves.push({ partition, from: (going[i] ?? noNode) as NodeNumber, to: to as NodeNumber });
    }
  }
  return moves;
}

const nobody: readonly number[] = [];

/** Who is in the partition's list of `one` and not in that of `other`. */
function missing(one: Copies, other: Copies, partition: number): readonly number[] {
  let found = nobody;
  for (let i = 0; i < one.lengthOf(partition); i += 1) {
    const node = one.at(partition, i);
    if (!other.holds(partition, node)) found = [...found, node];
  }
  return found;
}

/**
 * The fewest copies that must move: every list has to make up for those who leave it for good, and for hosts it lacked;
 * and every newcomer has to be sent its share, rounded down.
 */
export function fewestMoves(now: Copies, outcome: PlanOutcome, n: number): number {
  const { after, ring, sharesAfter } = outcome;
  const staying = new Set<number>(after.map((member) => member.number));
  const length = Math.min(n, new Set(after.map((member) => member.host)).size);
  let gaps = 0;
  for (let p = 0; p < ring.partitions; p += 1) {
    let kept = 0;
    for (let i = 0; i < now.lengthOf(p); i += 1) if (staying.has(now.at(p, i))) kept += 1;
    gaps += Math.max(0, length - kept);
  }
  let wanted = 0;
  for (const { number, status } of after) {
    if (status === "joining") wanted += length * lowOf(sharesAfter.get(number) as Share);
  }
  return Math.max(gaps, wanted);
}

function nodesOf(ring: Ring, after: readonly Member[], now: Copies, then: Copies): NodeChange[] {
  const listed = ring.members.filter((one) => after.includes(one) || now.table.owned[one.number] !== 0);
  return listed.map((member) => {
    const { number, name, host, zone, weight } = member;
    return {
      number,
      name,
      host,
      zone,
      weight,
      ownedBefore: now.table.owned[number] as number,
      ownedAfter: then.table.owned[number] as number,
      copiesBefore: now.held[number] as number,
      copiesAfter: then.held[number] as number,
    };
  });
}

function unevenness(copies: Copies, shares: ReadonlyMap<number, Share>): number {
  const length = Math.min(copies.n, copies.table.hosts);
  let worst = 0;
  for (const [node, share] of shares) {
    const fair = length * share.part;
    const off = Math.abs((copies.held[node] as number) * share.whole - fair);
    worst = Math.max(worst, Math.trunc((1000 * off) / fair));
  }
  return worst;
}

function violationsOf(now: Copies, then: Copies, zones: number): PlanViolation[] {
  const violations: PlanViolation[] = [];
  const { n } = then;
  const count = then.table.owners.length;
  const hosts = then.table.hosts;
  const few = partitionsWhere(count, (p) => then.lengthOf(p) < n);
  if (few.length > 0) {
    const before = partitionsWhere(count, (p) => now.lengthOf(p) < n).length;
    const worse = few.length > before || then.lengthOf(0) < now.lengthOf(0);
    const text = `${n} copies need ${n} hosts and there will be only ${hosts}: each record has ${hosts === 1 ? "one copy" : `${hosts} copies`}; add hosts`;
    violations.push({ kind: "hosts", partitions: few, refused: worse, text });
  }
  if (then.short > 0) {
    const partitions = partitionsWhere(count, (p) => then.zonesOf(p) < Math.min(zones, then.lengthOf(p)));
    const text = `${then.short} of ${count} lists use fewer than ${zones} zones: the zones differ too much; give each the same weight, or add a node to each in one plan`;
    violations.push({ kind: "zones", partitions, refused: then.short > now.short, text });
  }
  return violations;
}

function partitionsWhere(count: number, holds: (partition: number) => boolean): number[] {
  const found: number[] = [];
  for (let p = 0; p < count; p += 1) if (holds(p)) found.push(p);
  return found;
}
