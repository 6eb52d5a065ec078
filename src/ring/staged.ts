/**
 * Changes of membership that operators have asked for and nobody has committed yet. They are part of the ring, so that
 * every node shows the same ones and a plan made from a ring depends on that ring alone.
 */
import { RingtailError } from "../base/errors.ts";
import { type NodeNumber, noNode } from "../base/ids.ts";
import type { Member } from "./member.ts";

/** `leave` hands over what the member holds; `remove` is for a dead one; `replace` gives its place to a newcomer. */
export type StagedKind = "join" | "leave" | "replace" | "remove";

/** One staged change. */
export interface StagedChange {
  readonly kind: StagedKind;
  /** The member it is about: of `replace`, the one to go. */
  readonly member: NodeNumber;
  /** The newcomer of a `replace`; `noNode` for the others. */
  readonly by: NodeNumber;
}

/** By number in the schema's `StagedKind`, less one: 0 there is "not said". */
export const stagedKinds: readonly StagedKind[] = ["join", "leave", "replace", "remove"];

function refuse(message: string): never {
  throw new RingtailError("INVALID_ARGUMENT", message);
}

function checkStatus(change: StagedChange, number: NodeNumber, wanted: string, members: Members): void {
  const member = members.get(number);
  if (member === undefined) refuse(`a staged ${change.kind} names ${number}, who is no member`);
  if (member.status !== wanted) {
    refuse(`a staged ${change.kind} names ${number}, who is ${member.status} (must be ${wanted})`);
  }
}

type Members = ReadonlyMap<number, Member>;

/** Checks each change against the members, and that no member is in two of them; returns a frozen copy. */
export function checkStaged(staged: readonly StagedChange[], members: Members): readonly StagedChange[] {
  const named = new Set<NodeNumber>();
  for (const change of staged) {
    if (!stagedKinds.includes(change.kind)) refuse(`unknown kind of staged change: ${change.kind}`);
    checkStatus(change, change.member, change.kind === "join" ? "joining" : "member", members);
    if (change.kind === "replace") checkStatus(change, change.by, "joining", members);
    else if (change.by !== noNode) refuse(`a staged ${change.kind} has no newcomer, but names ${change.by}`);
    for (const number of change.kind === "replace" ? [change.member, change.by] : [change.member]) {
      if (named.has(number)) refuse(`two staged changes name member ${number}`);
      named.add(number);
    }
  }
  return Object.freeze([...staged]);
}
