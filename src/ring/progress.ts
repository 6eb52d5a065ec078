/**
 * Carrying out a committed plan, ring by ring: positions whose transfers are all
 * confirmed flip to their goal, the next ones become active, newcomers become members with the first position they own,
 * and those who go have `left` when they own nothing any more. When to do so is the caller's business: as soon as
 * something is confirmed, or thirty seconds later for several at once.
 *
 * It cannot get stuck: a position whose move would change two members of some list at once, whatever moves first, is
 * given another goal (plan-path.ts). The planner has looked for such positions already, so that is rare. And nobody who
 * goes is ever sent anything: it may be dead.
 */
import { assert } from "../base/assert.ts";
import type { Member } from "./member.ts";
import { flipFault, nextRing } from "./next-ring.ts";
import { amendGoal, goersOf, waitingPositions } from "./plan-path.ts";
import { Places } from "./plan-table.ts";
import { Batch } from "./progress-batch.ts";
import type { Ring } from "./ring.ts";

/** The most transfers that a node takes part in at once, unless told otherwise. */
const transfersPerNodeDefault = 192;

/** What moves, and what changes with it. */
type Moves = Pick<Ring, "owners" | "goal" | "active" | "members" | "staged">;

/**
 * The ring that follows when the transfers in `confirmed` (by id; others are ignored) are done; null if nothing follows
 * from them. While no plan is under way that is always so. To be called again with the ring that it made: positions
 * that need no transfer flip without any confirmation.
 */
export function progressRing(
  ring: Ring,
  confirmed: ReadonlySet<number>,
  transfersPerNodeMax: number = transfersPerNodeDefault,
): Ring | null {
  const flipped = new Set<number>();
  for (const { positions, transfers } of ring.flipGroups()) {
    if (!transfers.every((transfer) => confirmed.has(transfer.id))) continue;
    for (const position of positions) flipped.add(position);
  }
  const owners = ring.owners.slice();
  for (const position of flipped) owners[position] = ring.goal[position] as number;
  const active = ring.active.filter((position) => !flipped.has(position));
  const { goal, members: before, staged } = ring;
  const moves = activate(ring, { owners, goal, active, members: before, staged }, transfersPerNodeMax);
  const members = settleMembers(moves);
  const changed = flipped.size > 0 || moves.active.length > active.length || moves.goal !== goal;
  if (!changed && members === before) return null;
  const next = nextRing(ring, { ...moves, members });
  assert(flipFault(ring, next, confirmed) === null, "a flip would make an owner of somebody who was sent nothing");
  return next;
}

/** The ring in which `goal` is committed and its first batch active. Throws `INVALID_ARGUMENT` if it makes no valid ring. */
export function beginMoves(
  ring: Ring,
  change: Pick<Ring, "goal" | "members" | "staged">,
  transfersPerNodeMax: number = transfersPerNodeDefault,
): Ring {
  const start = { ...change, owners: ring.owners, active: new Uint16Array(0) };
  const moves = activate(ring, start, transfersPerNodeMax);
  return nextRing(ring, { ...moves, members: settleMembers(moves) });
}

/** Makes the next positions active, as many as may be. */
function activate(ring: Ring, moves: Moves, transfersPerNodeMax: number): Moves {
  const path = { ...moves, places: new Places(ring.members), listSizes: ring.listSizes };
  const waiting = waitingPositions(path, moves.active);
  if (waiting.length === 0) return moves;
  const batch = new Batch({ ...path, goers: goersOf(moves), transfersPerNodeMax });
  batch.fill(waiting);
  const { active } = batch;
  if (active.length > 0) return { ...moves, active };
  return activate(ring, { ...moves, goal: amendGoal(path, batch, waiting) }, transfersPerNodeMax);
}

/**
 * The members with the statuses that follow from what they own; the same list if none changes. Newcomers whom the plan
 * gives nothing are members when it is done; those of the next plan, who are staged, wait for it.
 */
function settleMembers({ owners, goal, members, staged }: Moves): readonly Member[] {
  const owning = new Set<number>(owners);
  const done = owners.every((owner, p) => owner === goal[p]);
  const waiting = new Set<number>(staged.flatMap((change) => [change.member, change.by]));
  const settled = members.map((member): Member => {
    const owns = owning.has(member.number);
    if (member.status === "leaving" && !owns) return { ...member, status: "left" };
    if (member.status !== "joining" || waiting.has(member.number)) return member;
    return owns || done ? { ...member, status: "member" } : member;
  });
  return settled.every((member, i) => member === members[i]) ? members : settled;
}
