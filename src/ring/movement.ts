/**
 * What of an owner table is on its way: the goal of the committed plan, and the positions whose entry is being moved in
 * this epoch. `owners` stays true until the transfers of a position are confirmed; `nextOwners` is the table as it will
 * be when all active positions have moved. A table whose goal is itself moves nothing.
 */
import { RingtailError } from "../base/errors.ts";
import type { Member } from "./member.ts";

/** What of a ring's fields is about moving; absent: nothing moves. */
export interface MovementFields {
  readonly epoch: number;
  readonly owners: Uint16Array;
  readonly goal?: Uint16Array;
  readonly active?: Uint16Array;
  readonly activeSince?: Uint32Array;
}

/** The checked form: arrays of its own, but shared where they would be equal. */
export interface Movement {
  /** The very array of `owners` when the plan is done. */
  readonly goal: Uint16Array;
  readonly active: Uint16Array;
  readonly activeSince: Uint32Array;
  /** The very array of `owners` when nothing is active. */
  readonly nextOwners: Uint16Array;
}

const noPositions = new Uint16Array(0);
const noEpochs = new Uint32Array(0);

function refuse(message: string): never {
  throw new RingtailError("INVALID_ARGUMENT", message);
}

/** Checks goal and active positions of a ring whose `owners` are good and kept; throws `INVALID_ARGUMENT`. */
export function checkMovement(fields: MovementFields, members: ReadonlyMap<number, Member>): Movement {
  const { owners } = fields;
  const goal = checkGoal(owners, fields.goal ?? owners, members);
  const active = checkActive(owners, goal, fields.active ?? noPositions);
  const since = fields.activeSince ?? new Uint32Array(active.length).fill(fields.epoch);
  const activeSince = checkSince(fields.epoch, active, since);
  if (active.length === 0) return { goal, active: noPositions, activeSince: noEpochs, nextOwners: owners };
  const nextOwners = owners.slice();
  for (const position of active) nextOwners[position] = goal[position] as number;
  return { goal, active: active.slice(), activeSince: activeSince.slice(), nextOwners };
}

function checkGoal(owners: Uint16Array, goal: Uint16Array, members: ReadonlyMap<number, Member>): Uint16Array {
  if (goal === owners) return owners;
  if (goal.length !== owners.length) refuse(`goals for ${goal.length} partitions of ${owners.length}`);
  let moves = false;
  for (let p = 0; p < owners.length; p += 1) {
    if (goal[p] === owners[p]) continue;
    moves = true;
    const taker = members.get(goal[p] as number);
    if (taker === undefined) refuse(`partition ${p} is to go to ${goal[p]}, who is no member`);
    if (taker.status === "left" || taker.status === "leaving") {
      refuse(`partition ${p} is to go to ${goal[p]}, who is ${taker.status}`);
    }
  }
  return moves ? goal.slice() : owners;
}

function checkActive(owners: Uint16Array, goal: Uint16Array, active: Uint16Array): Uint16Array {
  for (const [i, position] of active.entries()) {
    if (position >= owners.length) refuse(`position ${position} is active, but there are ${owners.length}`);
    if (i > 0 && position <= (active[i - 1] as number)) refuse("the active positions are not in ascending order");
    if (goal[position] === owners[position]) refuse(`position ${position} is active, but its goal is its owner`);
  }
  return active;
}

function checkSince(epoch: number, active: Uint16Array, since: Uint32Array): Uint32Array {
  if (since.length !== active.length) refuse(`${since.length} epochs for ${active.length} active positions`);
  for (const one of since) if (one < 1 || one > epoch) refuse(`a position is active since epoch ${one} of ${epoch}`);
  return since;
}

/** Checks the fence of each partition: an epoch up to the ring's own. Absent: all changed in this epoch. */
export function checkFences(fields: {
  readonly epoch: number;
  readonly partitions: number;
  readonly fences?: Uint32Array;
}): Uint32Array {
  const { epoch, partitions, fences } = fields;
  if (fences === undefined) return new Uint32Array(partitions).fill(epoch);
  if (fences.length !== partitions) refuse(`${fences.length} fences for ${partitions} partitions`);
  for (const fence of fences)
    if (fence < 1 || fence > epoch) refuse(`a partition's fence is epoch ${fence} of ${epoch}`);
  return fences.slice();
}
