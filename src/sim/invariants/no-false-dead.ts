/**
 * no-false-dead (I-13): nobody comes to believe a member dead that has run undisturbed, on a network without splits, for
 * as long as a suspicion can take and its news can travel. A member that stood still itself is no judge for as long as it
 * reads what came meanwhile, and may believe old news; it may not pass a verdict of its own. What loses, delays or doubles datagrams is no excuse here:
 * helpers, TCP pings and refutation are there for that. (Where loss is heavy, false deaths are bounded statistically and
 * not forbidden; such runs do not use this judge.)
 */
import { type DurationUs, type Instant, instant } from "../../base/time.ts";
import { MemberState } from "../../membership/member.ts";
import type { Profile } from "../../membership/profile.ts";
import { suspicionMaxUs } from "../../membership/suspicion.ts";
import type { MemberEvent } from "../member-world.ts";
import type { Report } from "../violation.ts";

/** How long after a disturbance a death may still be its consequence. */
export function deathBoundUs(profile: Profile, members: number): DurationUs {
  const slowestProbe = 2 * profile.probeUs * profile.healthLevels;
  return slowestProbe + suspicionMaxUs(profile, members) + 50 * profile.gossipUs;
}

/** A member that goes on has read what waited for it within this time. */
const backlogUs: DurationUs = 1_000_000;

/** Watches who comes to be believed dead. */
export class NoFalseDead {
  readonly #report: Report;
  readonly #boundUs: DurationUs;
  /** When the network was last split or healed. */
  #networkDisturbedAt: Instant = instant(0);
  #isSplit = false;
  /** Deaths seen, excused ones included. */
  deaths = 0;

  constructor(profile: Profile, members: number, report: Report) {
    this.#report = report;
    this.#boundUs = deathBoundUs(profile, members);
  }

  /** A split begins or ends. */
  onNetworkFault(now: Instant, isSplit: boolean): void {
    this.#networkDisturbedAt = now;
    this.#isSplit = isSplit;
  }

  /** A table has changed. */
  onEvent({ at, seat, about, state, before, accuser }: MemberEvent): void {
    // What a newcomer is told of earlier deaths is no verdict.
    if (state !== MemberState.dead || before === undefined) return;
    this.deaths += 1;
    if (!about.alive || about.paused || this.#isSplit) return;
    const isRumour = accuser !== seat.identity.id;
    if (isRumour && at - seat.disturbedAt <= backlogUs) return;
    const calmSince = Math.max(about.disturbedAt, this.#networkDisturbedAt);
    if (at - calmSince <= this.#boundUs) return;
    const text = `${seat.name} believes ${about.name} dead, which has run undisturbed for ${at - calmSince} us`;
    this.#report({ at, invariant: "no-false-dead", text });
  }
}
