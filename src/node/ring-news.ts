/** RingNews: what a new ring changes, in sentences for the journal. Rings may be skipped: it compares any two. */
import { utf8 } from "../base/bytes.ts";
import { durabilityName } from "../base/durability.ts";
import type { NodeNumber } from "../base/ids.ts";
import { resolverName } from "../base/resolver.ts";
import { isMoving } from "../ring/plan.ts";
import type { Ring, StagedChange } from "../ring/ring.ts";

/** What `after` changes in `before`; the last sentence names the epoch. */
export function ringNews(before: Ring, after: Ring): readonly string[] {
  const news = [
    ...memberNews(before, after),
    ...stagedNews(before, after),
    ...moveNews(before, after),
    ...policyNews(before, after),
  ];
  return [...news, `the ring is at epoch ${after.epoch}`];
}

function nameOf(ring: Ring, number: NodeNumber): string {
  return `${ring.member(number)?.name ?? "?"} (node ${number})`;
}

function memberNews(before: Ring, after: Ring): string[] {
  return after.members.flatMap((member) => {
    const was = before.member(member.number)?.status;
    if (was === member.status) return [];
    return [`${nameOf(after, member.number)} is ${member.status}${was === undefined ? "" : `, was ${was}`}`];
  });
}

function same(a: StagedChange, b: StagedChange): boolean {
  return a.kind === b.kind && a.member === b.member && a.by === b.by;
}

function stagedNews(before: Ring, after: Ring): string[] {
  const fresh = after.staged.filter((one) => !before.staged.some((other) => same(one, other)));
  const gone = before.staged.filter((one) => !after.staged.some((other) => same(one, other)));
  const committed = !isMoving(before) && isMoving(after);
  return [
    ...fresh.map((one) => `${changeText(after, one)} is staged`),
    ...gone.map((one) => `${changeText(after, one)} is ${committed ? "committed" : "not staged any more"}`),
  ];
}

/** A staged change, for people. */
function changeText(ring: Ring, change: StagedChange): string {
  const by = change.kind === "replace" ? ` by ${nameOf(ring, change.by)}` : "";
  return `${change.kind} of ${nameOf(ring, change.member)}${by}`;
}

function moveNews(before: Ring, after: Ring): string[] {
  const news: string[] = [];
  const flipped = after.owners.filter((owner, position) => owner !== before.owners[position]).length;
  if (flipped > 0) news.push(`${flipped} positions have new owners`);
  if (!isMoving(before) && isMoving(after)) news.push(`a plan is under way: ${left(after)} positions are to move`);
  else if (isMoving(before) && !isMoving(after)) news.push("nothing moves any more");
  else if (flipped > 0) news.push(`${left(after)} positions are still to move`);
  return news;
}

function policyNews(before: Ring, after: Ring): string[] {
  const changed = after.buckets.filter(({ name, version }) => before.policyOf(utf8(name)).version !== version);
  return changed.map(({ name, r, w, durability, resolver }) => {
    const whose = name === "" ? "every bucket without one of its own" : `bucket "${name}"`;
    const modes = `${durabilityName(durability)}, ${resolverName(resolver)}`;
    return `the policy of ${whose} is r=${r} w=${w} ${modes}`;
  });
}

function left(ring: Ring): number {
  return ring.goal.filter((owner, position) => owner !== ring.owners[position]).length;
}
