/**
 * How many partitions each node should own once a plan is done: in proportion to its weight, but no host more than can
 * be in a list of its own (Q/N) and, where there are N zones or more, no zone either. What is above such a limit would
 * not become copies there: lists skip it, and the copies go to others. The rest is shared among the others.
 *
 * A plan moves old members only towards their shares, never for their sake; see plan-place.ts.
 */
import { assert } from "../base/assert.ts";
import { wholeQuotient } from "./claim-quota.ts";
import type { Member } from "./member.ts";

/** A node's exact share is the fraction `part` / `whole`. */
export interface Share {
  readonly part: number;
  readonly whole: number;
}

/** The share rounded down. */
export function lowOf(share: Share): number {
  return wholeQuotient(share.part, share.whole);
}

/** The share rounded up. */
export function highOf(share: Share): number {
  return wholeQuotient(share.part + share.whole - 1, share.whole);
}

/** How far `owned` is below the share, in 1024ths of a partition; negative: above it. Rounded down. */
export function lackOf(share: Share, owned: number): number {
  const units = 1024 * (share.part - owned * share.whole);
  const rest = units % share.whole;
  return (units - rest) / share.whole - (rest < 0 ? 1 : 0);
}

interface Pool {
  readonly total: number;
  readonly members: readonly Member[];
}

/** A zone with few nodes is not made to own more than this many times what their weight says. */
const stretchMax = 2;

function weightOf(members: readonly Member[]): number {
  return members.reduce((sum, member) => sum + member.weight, 0);
}

function groupBy(members: readonly Member[], field: "host" | "zone"): Member[][] {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    const group = groups.get(member[field]);
    if (group === undefined) groups.set(member[field], [member]);
    else group.push(member);
  }
  return [...groups.values()];
}

/** Cuts groups that are above the cap out of the pool, each into a pool of its own; the rest share what is left. */
function capGroups(pool: Pool, field: "host" | "zone", cap: number): Pool[] {
  const capped: Pool[] = [];
  let rest = groupBy(pool.members, field);
  let total = pool.total;
  for (;;) {
    const weight = rest.reduce((sum, group) => sum + weightOf(group), 0);
    const over = rest.filter((group) => total * weightOf(group) > cap * weight);
    if (over.length === 0) break;
    // Nobody is left who could take the surplus.
    if (over.length === rest.length) return [pool];
    for (const members of over) capped.push({ total: cap, members });
    total -= cap * over.length;
    rest = rest.filter((group) => !over.includes(group));
  }
  return [{ total, members: rest.flat() }, ...capped];
}

function stretches(pools: readonly Pool[], whole: Pool): boolean {
  const weight = weightOf(whole.members);
  return pools.some((pool) => pool.total * weight > stretchMax * whole.total * weightOf(pool.members));
}

/** The share of each of `members`, by node number in ascending order; `copies` is the N that lists should have. */
export function planShares(members: readonly Member[], partitions: number, copies: number): ReadonlyMap<number, Share> {
  const all: Pool = { total: partitions, members };
  const hosts = groupBy(members, "host").length;
  const zones = groupBy(members, "zone").length;
  const capOf = (groups: number): number => wholeQuotient(partitions + groups - 1, groups);
  let pools: Pool[] = [all];
  if (zones > 1 && zones >= copies) {
    const byZone = capGroups(all, "zone", capOf(copies));
    if (!stretches(byZone, all)) pools = byZone;
  }
  const hostCap = capOf(Math.min(copies, hosts));
  const shares = new Map<number, Share>();
  for (const pool of pools.flatMap((one) => capGroups(one, "host", hostCap))) {
    const whole = weightOf(pool.members);
    assert(whole > 0, "a pool of partitions is nobody's");
    for (const member of pool.members) shares.set(member.number, { part: pool.total * member.weight, whole });
  }
  return new Map([...shares].sort(([a], [b]) => a - b));
}
