/**
 * no-false-dead (I-13): nobody comes to believe a member dead that ran, could be reached and did not stand still from the
 * beginning of the probe that first raised the suspicion until the verdict. The formulas bound that time: a probe takes
 * its interval, longer where the accuser doubts itself, and a suspicion its longest timeout.
 *
 * A judge that stood still itself may, for as long as it reads what came meanwhile, believe old news; it may not pass a
 * verdict of its own. What loses, delays or doubles datagrams is no excuse: helpers, TCP pings and refutation are there
 * for that, so neither are datagrams that are blocked while TCP passes, nor the other way round. (Where loss is heavy,
 * false deaths are bounded statistically and not forbidden; such runs do not use this judge.)
 */
import { type DurationUs, type Instant, instant } from "../../base/time.ts";
import { MemberState } from "../../membership/member.ts";
import type { Profile } from "../../membership/profile.ts";
import { suspicionMaxUs } from "../../membership/suspicion.ts";
import type { MemberEvent } from "../member-event.ts";
import type { Report } from "../violation.ts";

/** What of the network does not pass: everything, or one kind of message. */
export type Blocked = "all" | "udp" | "tcp";

/** A member that goes on has read what waited for it within this time. */
const backlogUs: DurationUs = 1_000_000;
/** A link that broke is there again: the longest back-off of a dial, and its hello. */
const redialUs: DurationUs = 6_000_000;

/** One kind of trouble in the network: how much of it is on, and when the last ended. */
class Trouble {
  readonly #lingerUs: DurationUs;
  #open = 0;
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor(lingerUs: DurationUs) {
    this.#lingerUs = lingerUs;
  }

  change(now: Instant, begins: boolean): void {
    this.#open += begins ? 1 : -1;
    this.#endedAt = now + this.#lingerUs;
  }

  since(from: number): boolean {
    return this.#open > 0 || this.#endedAt >= from;
  }
}

/** Watches who comes to be believed dead. */
export class NoFalseDead {
  readonly #report: Report;
  readonly #profile: Profile;
  readonly #longestUs: DurationUs;
  readonly #troubles: Readonly<Record<Blocked, Trouble>> = {
    all: new Trouble(0),
    udp: new Trouble(0),
    tcp: new Trouble(redialUs),
  };
  /** When the probe began that first raised the suspicion of a member at an incarnation. */
  readonly #suspectedFrom = new Map<string, Instant>();
  /** Deaths seen, excused ones included. */
  deaths = 0;

  constructor(profile: Profile, members: number, report: Report) {
    this.#report = report;
    this.#profile = profile;
    this.#longestUs = this.#probeUs(profile.healthLevels) + suspicionMaxUs(profile, members);
  }

  /** From the beginning of a probe to the suspicion that it raises, and half as much for probes that are out of turn. */
  #probeUs(healthFactor: number): DurationUs {
    return 2 * this.#profile.probeUs * healthFactor;
  }

  /** Paths close, or open again. */
  onNetworkFault(now: Instant, blocked: Blocked, begins: boolean): void {
    this.#troubles[blocked].change(now, begins);
  }

  /** A table has changed. */
  onEvent(event: MemberEvent): void {
    const { at, seat, about, state, before, accuser, incarnation } = event;
    const suspicion = `${about.id}/${incarnation}`;
    if (state === MemberState.suspect && accuser === seat.id && !this.#suspectedFrom.has(suspicion))
      this.#suspectedFrom.set(suspicion, instant(at - this.#probeUs(seat.healthFactor)));
    // What a newcomer is told of earlier deaths is no verdict.
    if (state !== MemberState.dead || before === undefined) return;
    this.deaths += 1;
    const isRumour = accuser !== seat.id;
    if (isRumour && at - seat.disturbedAt <= backlogUs) return;
    const from = this.#suspectedFrom.get(suspicion) ?? instant(at - this.#longestUs);
    if (!about.alive || about.paused || about.disturbedAt >= from || this.#cutOff(from)) return;
    const text = `${seat.name} believes ${about.name} dead, which has run undisturbed for ${at - about.disturbedAt} us`;
    this.#report({ at, invariant: "no-false-dead", text });
  }

  #cutOff(from: Instant): boolean {
    const { all, udp, tcp } = this.#troubles;
    return all.since(from) || (udp.since(from) && tcp.since(from));
  }
}
