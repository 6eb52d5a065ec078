/**
 * members-agree (I-13): once faults are over, the live nodes come to believe the same of every member, incarnation and
 * all: the live ones alive, the others dead or left. Judged at the end of a run, which may take so long as two state
 * syncs do.
 */
import type { MemberWorld } from "../member-world.ts";
import type { Report } from "../violation.ts";

/** Compares all tables of a quiet world. */
export function checkMembersAgree(world: MemberWorld, report: Report): void {
  const live = world.seats.filter((seat) => seat.alive);
  for (const about of world.seats) {
    const beliefs = new Map<string, string>();
    for (const seat of live) {
      if (seat === about) continue;
      const member = world.belief(seat, about);
      const believed = member === undefined ? "unknown" : member.reachable ? "reachable" : "gone";
      if (about.alive ? believed !== "reachable" : believed === "reachable") {
        const text = `${seat.name} believes ${about.name} ${believed}, which is ${about.alive ? "alive" : "not"}`;
        report({ at: world.now, invariant: "members-agree", text });
      }
      beliefs.set(member === undefined ? "nothing" : `${member.state} at ${member.incarnation}`, seat.name);
    }
    if (beliefs.size <= 1) continue;
    const views = [...beliefs].map(([belief, name]) => `${name}: ${belief}`).join(", ");
    report({ at: world.now, invariant: "members-agree", text: `${about.name} is seen differently: ${views}` });
  }
}
