/**
 * The ring after a majority was lost for good: the lost have left, the others own everything at
 * once. There is nobody to copy from, so nothing is pending: what copies are left spread by anti-entropy. A plan that
 * was under way is off, and what was staged stays staged, unless it is about the lost.
 */
import { type NodeNumber, noNode } from "../base/ids.ts";
import { nextRing } from "./next-ring.ts";
import { cancelPlan, isMoving, placedOwners } from "./plan.ts";
import { type Member, Ring, type StagedChange } from "./ring.ts";

/** The ring of epoch `epoch` after `ring` without the lost. Throws `INVALID_ARGUMENT` if nobody is left to own anything. */
export function recoveredRing(ring: Ring, lost: readonly NodeNumber[], epoch: number): Ring {
  const idle = isMoving(ring) ? cancelPlan(ring) : ring;
  const owners = ownersWithout(idle, lost);
  return nextRing(ring, {
    epoch,
    owners,
    goal: owners,
    active: new Uint16Array(0),
    members: idle.members.map((member) =>
      lost.includes(member.number) ? { ...member, status: "left" } : staying(member),
    ),
    staged: idle.staged.flatMap((change) => stagedWithout(change, lost)),
  });
}

function staying(member: Member): Member {
  return member.status === "leaving" ? { ...member, status: "member" } : member;
}

/** A newcomer whose place was to be that of a lost member still joins. */
function stagedWithout(change: StagedChange, lost: readonly NodeNumber[]): StagedChange[] {
  if (lost.includes(change.member)) {
    const joins = change.kind === "replace" && !lost.includes(change.by);
    return joins ? [{ kind: "join", member: change.by, by: noNode }] : [];
  }
  return lost.includes(change.by) ? [] : [change];
}

/** The owners as a plan that removes the lost alone would place them if nothing could be lost on the way: it is already. */
function ownersWithout(idle: Ring, lost: readonly NodeNumber[]): Uint16Array {
  const owning = new Set<number>(idle.owners);
  const gone = lost.filter((number) => owning.has(number));
  if (gone.length === 0) return idle.owners;
  const members = idle.members.map((one) =>
    one.status === "joining" ? { ...one, status: "left" as const } : staying(one),
  );
  const staged = gone.map((member): StagedChange => ({ kind: "remove", member, by: noNode }));
  return placedOwners(new Ring({ ...idle, members, staged }));
}
