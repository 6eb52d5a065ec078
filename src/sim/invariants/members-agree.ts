/**
 * members-agree (I-13): once faults are over, the live nodes come to believe the same of every member, incarnation and
 * all: the live ones alive, the others dead or left. They may take so long as the formulas say: two state syncs, and ten
 * seconds more for knocking at those believed dead. Judged at the end of a run.
 */
import type { DurationUs } from "../../base/time.ts";
import { MemberState, type MemberView, stateName } from "../../membership/member.ts";
import type { Profile } from "../../membership/profile.ts";
import { syncIntervalUs } from "../../membership/suspicion.ts";
import type { Audit, Invariant } from "../audit.ts";
import type { MemberPlace } from "../member-event.ts";

/** How long after the last fault all tables agree at the latest. */
export function agreeWithinUs(profile: Profile, members: number): DurationUs {
  return 2 * syncIntervalUs(profile, members) + 10_000_000;
}

/** What one member believes of another; undefined: it knows no such member. */
export type BeliefOf = (seat: MemberPlace, about: MemberPlace) => MemberView | undefined;

/** Compares all tables of a quiet world. */
export function compareMembers(seats: readonly MemberPlace[], beliefOf: BeliefOf, blame: (text: string) => void): void {
  const live = seats.filter((seat) => seat.alive);
  for (const about of seats) {
    const beliefs = new Map<string, string>();
    for (const seat of live) {
      if (seat === about) continue;
      const member = beliefOf(seat, about);
      const believed = member === undefined ? "unknown" : member.reachable ? "reachable" : "gone";
      if (about.alive ? believed !== "reachable" : believed === "reachable")
        blame(`${seat.name} believes ${about.name} ${believed}, which is ${about.alive ? "alive" : "not"}`);
      beliefs.set(member === undefined ? "nothing" : `${stateName(member.state)} at ${member.incarnation}`, seat.name);
    }
    if (beliefs.size <= 1) continue;
    const views = [...beliefs].map(([belief, name]) => `${name}: ${belief}`).join(", ");
    blame(`${about.name} is seen differently: ${views}`);
  }
}

/** Whether all live ones believe the live ones alive, as these show themselves. */
export function membersAgreed(seats: readonly MemberPlace[], beliefOf: BeliefOf): boolean {
  return seats.every((seat) =>
    seats.every((about) => {
      const member = beliefOf(seat, about);
      const isNow = member?.state === MemberState.alive && member.incarnation === about.incarnation;
      return seat === about || !seat.alive || !about.alive || isNow;
    }),
  );
}

/** Judged on the nodes of a cluster. */
export const membersAgree: Invariant = {
  name: "members-agree",
  check(audit: Audit) {
    const { membership } = audit.cluster;
    const places = membership.placesOf(audit.members);
    compareMembers(places, membership.beliefOf, (text) => audit.blame("members-agree", text));
  },
};
