/**
 * Trials of the members' harness: what a group of n costs while nothing happens, how fast a crash is known, and whom
 * slow members get killed. `tools/bench/members.mjs` prints them beside the formulas of SWIM.
 */
import { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { MemberState } from "../membership/member.ts";
import type { Profile } from "../membership/profile.ts";
import { retransmitLimit, suspicionMaxUs, suspicionMinUs } from "../membership/suspicion.ts";
import type { MemberSeat } from "./member-seat.ts";
import { MemberWorld } from "./member-world.ts";

/** Which group is tried. */
export interface TrialOptions {
  readonly seed: number;
  readonly members: number;
  readonly profile: Profile;
}

/** What a group costs while nothing happens. */
export interface SteadyResult {
  /** Datagrams sent per member and second. */
  readonly datagrams: number;
  /** Their bytes, UDP and IP headers not counted. */
  readonly bytes: number;
  /** Bytes of state syncs per member and second, both directions counted once. */
  readonly tcpBytes: number;
}

/** From a crash on; `undefined`: not within the trial. */
export interface CrashResult {
  readonly suspectUs: DurationUs | undefined;
  readonly firstUs: DurationUs | undefined;
  /** All survivors know. */
  readonly allUs: DurationUs | undefined;
}

/** Deaths of members that lived. */
export interface SlowResult {
  /** Verdicts (each counts once however many heard of it) about members that were never slow. */
  readonly healthyKilled: number;
  /** And about the slow ones. */
  readonly slowKilled: number;
  /** Suspicions raised by anybody's own probe, which had to be refuted. */
  readonly suspicions: number;
}

/** A group that has settled: all know each other, and nothing is being told. */
export function settledWorld(options: TrialOptions): MemberWorld {
  const world = new MemberWorld({ ...options, acquainted: true });
  world.bootAll();
  world.runFor(2 * options.profile.probeUs);
  // Whatever is said at the start dies down within the updates' retransmissions.
  const rounds = 4 * retransmitLimit(options.profile, options.members);
  world.runFor(rounds * options.profile.gossipUs);
  return world;
}

/** Measures a settled world for a time. */
export function measureSteady(world: MemberWorld, durationUs: DurationUs): SteadyResult {
  const before = world.sent;
  const tcpBefore = world.tcpBytes;
  world.runFor(durationUs);
  const memberSeconds = (world.seats.length * durationUs) / 1_000_000;
  return {
    datagrams: (world.sent.datagrams - before.datagrams) / memberSeconds,
    bytes: (world.sent.bytes - before.bytes) / memberSeconds,
    tcpBytes: (world.tcpBytes - tcpBefore) / memberSeconds,
  };
}

/** Kills one member and waits until all others know. */
export function measureCrash(world: MemberWorld, victim: MemberSeat): CrashResult {
  const at = world.now;
  let suspectUs: DurationUs | undefined;
  let firstUs: DurationUs | undefined;
  let allUs: DurationUs | undefined;
  let left = world.seats.filter((seat) => seat.alive && seat !== victim).length;
  world.watch = (event) => {
    if (event.about !== victim) return;
    const after = event.at - at;
    if (event.state === MemberState.suspect) suspectUs ??= after;
    if (event.state !== MemberState.dead) return;
    firstUs ??= after;
    left -= 1;
    if (left === 0) allUs = after;
  };
  victim.kill(at);
  const patience = suspicionMaxUs(world.profile, world.seats.length) * 2 + 20 * world.profile.probeUs;
  world.runUntil(patience, () => left === 0);
  world.watch = undefined;
  return { suspectUs, firstUs, allUs };
}

/** Makes `slow` members pause again and again, as an overloaded machine does, and counts who is killed for it. */
export function measureSlow(
  world: MemberWorld,
  options: {
    readonly slow: number;
    readonly pauseUs: DurationUs;
    readonly durationUs: DurationUs;
    readonly seed: number;
  },
): SlowResult {
  const rng = new Rng(options.seed).fork("slow");
  const slow = new Set(world.seats.slice(0, options.slow));
  const killed = new Set<string>();
  const until = instant(world.now + options.durationUs);
  let suspicions = 0;
  let healthy = 0;
  let dead = 0;
  world.watch = ({ seat, about, state, incarnation, accuser }) => {
    if (state === MemberState.suspect && accuser === seat.identity.id) suspicions += 1;
    if (state !== MemberState.dead || !about.alive) return;
    const verdict = `${about.position} at ${incarnation}`;
    if (killed.has(verdict)) return;
    killed.add(verdict);
    if (slow.has(about)) dead += 1;
    else healthy += 1;
  };
  // The Lifeguard paper's anomaly: blocked for a while, then back for a moment only.
  const block = (seat: MemberSeat, now: Instant): void => {
    if (now >= until) return;
    seat.pause(now);
    world.scheduler.in(options.pauseUs, (at) => {
      seat.resume(at);
      world.scheduler.in(rng.between(1_000, 300_000), (again) => block(seat, again));
    });
  };
  for (const seat of slow) world.scheduler.in(rng.below(options.pauseUs), (now) => block(seat, now));
  world.runFor(options.durationUs);
  world.runFor(options.pauseUs);
  world.watch = undefined;
  return { healthyKilled: healthy, slowKilled: dead, suspicions };
}

/** A profile without what Lifeguard adds: the SWIM that it is compared with. */
export function plainSwim(profile: Profile): Profile {
  return { ...profile, healthLevels: 1, suspicionMaxMult: 1, buddy: false, nacks: false, stallGuard: false };
}

/** The derived time from a crash to death everywhere, both confirmations in time. */
export function expectedCrashUs(profile: Profile, members: number): DurationUs {
  const missed = (1 - 1 / (members - 1)) ** (members - 1);
  const firstProbeUs = profile.probeUs / (1 - missed);
  const rounds = Math.ceil(Math.log(members) / Math.log(profile.fanout + 1));
  return Math.round(firstProbeUs + profile.probeUs + suspicionMinUs(profile, members) + rounds * profile.gossipUs);
}
