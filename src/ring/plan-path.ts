/**
 * Whether a goal can be reached step by step, no list ever having more than one pending member (progress-batch.ts), and
 * what to do about positions that cannot move so. Where lists need not skip, any position can: one entry then changes one
 * member of each list that it is in. Where they do (zones of very unlike size, hosts that repeat) one entry may change
 * two members of a list at once, and the position is given to another node, or stays.
 */
import { RingtailError } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import type { Member } from "./member.ts";
import { faultsAt, hardFault } from "./plan-faults.ts";
import { type Placing, rankOf } from "./plan-place.ts";
import { lackOf, lowOf, type Share } from "./plan-shares.ts";
import { type Places, PlanTable } from "./plan-table.ts";
import { Batch } from "./progress-batch.ts";

/** A table, where it is to get, and who may own. */
export interface Path {
  readonly places: Places;
  readonly owners: Uint16Array;
  readonly goal: Uint16Array;
  readonly members: readonly Member[];
  /** Every n in use. */
  readonly listSizes: readonly number[];
}

/**
 * Positions of which the goal is not reached, those in `active` left out. Ascending while zones come, descending while
 * zones go: so lists meet the zone at its place in the goal, and do not reach for it from afar in between.
 */
export function waitingPositions(path: Pick<Path, "places" | "owners" | "goal">, active: Iterable<number>): number[] {
  const { owners, goal, places } = path;
  const moving = new Set(active);
  const waiting: number[] = [];
  for (const [p, owner] of owners.entries()) if (owner !== goal[p] && !moving.has(p)) waiting.push(p);
  if (waiting.length === 0) return waiting;
  return new PlanTable(goal, places).zones < new PlanTable(owners, places).zones ? waiting.reverse() : waiting;
}

/** The owners who are to own nothing in the end. */
export function goersOf({ owners, members }: Pick<Path, "owners" | "members">): ReadonlySet<number> {
  const staying = new Set<number>(members.filter(mayTake).map((member) => member.number));
  return new Set([...owners].filter((owner) => !staying.has(owner)));
}

/** Whether a member of this status may be given a partition. */
function mayTake(member: Member): boolean {
  return member.status === "member" || member.status === "joining";
}

/**
 * A goal that differs where nothing can move: a position whose owner stays is not moved, another goes to whoever of the
 * others can take it, those first who would own least. `batch`, in which nothing is active, is used up.
 */
export function amendGoal(path: Path, batch: Batch, waiting: readonly number[]): Uint16Array {
  mark("plan.amended");
  const { members, places } = path;
  const goal = path.goal.slice();
  const table = new PlanTable(goal, places);
  const able = members.filter(mayTake);
  const owned = (member: Member): number => table.owned[member.number] as number;
  for (const position of waiting) {
    const owner = path.owners[position] as number;
    if (!able.some((member) => member.number === owner)) {
      const takers = [...able].sort((a, b) => owned(a) * b.weight - owned(b) * a.weight || a.number - b.number);
      const taker = takers.find((member) => batch.add(position, member.number));
      if (taker !== undefined) goal[position] = taker.number;
      continue;
    }
    goal[position] = owner;
  }
  // Nothing can be done for those who are to leave: they stay as they are until another plan finds a way.
  if (goal.every((owner, p) => owner === path.goal[p])) for (const p of waiting) goal[p] = path.owners[p] as number;
  return goal;
}

/** How often a walk may start anew, with two positions' takers exchanged. */
const exchangesMax = 64;

/**
 * The goal itself if it can be reached, or else one close to it that can. Throws `INVALID_ARGUMENT` if none is found in
 * which those who go own nothing.
 */
export function reachableGoal(path: Path): Uint16Array {
  const transfersPerNodeMax = Number.MAX_SAFE_INTEGER;
  const tried = new Set<number>();
  let owners = path.owners.slice();
  let { goal } = path;
  for (;;) {
    const step = { ...path, owners, goal };
    const waiting = waitingPositions(step, []);
    if (waiting.length === 0) return goal;
    const empty = { ...step, active: [], goers: goersOf(step), transfersPerNodeMax };
    const batch = new Batch(empty);
    batch.fill(waiting);
    for (const position of batch.active) owners[position] = goal[position] as number;
    if (batch.active.length > 0) continue;
    const amended = amendGoal(step, batch, waiting);
    if (goersOf({ owners: amended, members: path.members }).size === 0) {
      goal = amended;
      continue;
    }
    goal = exchangeTakers(path, step, new Batch(empty), waiting, tried);
    owners = path.owners.slice();
  }
}

/**
 * The goal of `step`, in which nothing can move, with one change: a position that waits for its taker in vain has
 * exchanged takers with another one to which that taker can come. `tried` are the pairs exchanged so far.
 */
function exchangeTakers(
  path: Path,
  step: Path,
  batch: Batch,
  waiting: readonly number[],
  tried: Set<number>,
): Uint16Array {
  const goers = goersOf(path);
  const newcomers = new Set<number>(path.members.filter(({ status }) => status === "joining").map((one) => one.number));
  const { goal } = step;
  for (const stuck of waiting.filter((position) => goers.has(step.owners[position] as number))) {
    const taker = goal[stuck] as number;
    for (const [other, node] of goal.entries()) {
      const pair = Math.min(stuck, other) * goal.length + Math.max(stuck, other);
      const mayMove = newcomers.has(taker) || goers.has(path.owners[other] as number);
      if (node === taker || !mayMove || tried.size >= exchangesMax || tried.has(pair)) continue;
      if (!batch.add(other, taker)) continue;
      tried.add(pair);
      const exchanged = goal.slice();
      exchanged[stuck] = node;
      exchanged[other] = taker;
      mark("plan.exchanged");
      return exchanged;
    }
  }
  const left = [...goersOf({ owners: step.owners, members: path.members })].sort((a, b) => a - b).join(", ");
  throw new RingtailError(
    "INVALID_ARGUMENT",
    `no order of moves was found in which members ${left} give away everything: stage fewer changes at once`,
  );
}

/** Lets newcomers who were given less than their share take other positions instead: the last steps of the path. */
export function fillUp(path: Path, placing: Placing): Uint16Array {
  const { places, owners } = path;
  const { shares, newcomers, planSeed, rules } = placing;
  const table = new PlanTable(path.goal, places);
  const lack = (node: number): number => lackOf(shares.get(node) as Share, table.owned[node] as number);
  const needs = (node: number): boolean => (table.owned[node] as number) < lowOf(shares.get(node) as Share);
  if (!newcomers.some(needs)) return path.goal;
  const rest = { active: [], goers: new Set<number>(), transfersPerNodeMax: Number.MAX_SAFE_INTEGER };
  const batch = new Batch({ ...path, owners: path.goal, ...rest });
  const unmoved = [...owners.keys()].filter((p) => owners[p] === path.goal[p]);
  unmoved.sort((a, b) => rankOf(planSeed, a) - rankOf(planSeed, b) || a - b);
  for (const position of unmoved) {
    const giver = shares.get(owners[position] as number);
    if (giver === undefined || (table.owned[owners[position] as number] as number) <= lowOf(giver)) continue;
    const needy = newcomers.filter(needs).sort((a, b) => lack(b) - lack(a) || a - b);
    const taker = needy.find((node) => {
      return faultsAt(table, rules, position, node) < hardFault && batch.add(position, node);
    });
    if (taker !== undefined) table.set(position, taker);
  }
  return table.owners;
}
