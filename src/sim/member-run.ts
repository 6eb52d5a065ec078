/**
 * A randomised run of the members' harness: from one seed a world, its profile's network, and a schedule of faults; then
 * everything is healed, and the invariants are judged. As in the simulator proper, one seed gives one run and one hash.
 */
import { Rng } from "../base/rng.ts";
import { type DurationUs, instant } from "../base/time.ts";
import { profiles } from "../membership/profile.ts";
import { quietDatagrams } from "./datagrams.ts";
import { IncarnationsRise } from "./invariants/incarnations-rise.ts";
import { agreeWithinUs, compareMembers } from "./invariants/members-agree.ts";
import { NoFalseDead } from "./invariants/no-false-dead.ts";
import type { MemberSeat } from "./member-seat.ts";
import { MemberWorld } from "./member-world.ts";
import type { Violation } from "./violation.ts";

/** What became of a run. */
export interface MemberRunResult {
  readonly seed: number;
  readonly members: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly string[];
  /** Verdicts of death that were seen. */
  readonly deaths: number;
  /** From the last fault until all tables agreed; undefined: they never did. */
  readonly agreedAfterUs: DurationUs | undefined;
  /** Over everything that arrived anywhere. */
  readonly hash: string;
}

const chaosUs: DurationUs = 120_000_000;
/** Longer than the dead are gossiped to. */
const longestUs: DurationUs = 80_000_000;
const faultKinds = ["kill", "pause", "split", "udp", "leave", "slow"] as const;
type FaultKind = (typeof faultKinds)[number];

/** One run in the making. */
class MemberRun {
  readonly world: MemberWorld;
  readonly rng: Rng;
  readonly violations: Violation[] = [];
  readonly faults: string[] = [];
  readonly rise: IncarnationsRise;
  readonly noFalseDead: NoFalseDead;

  constructor(seed: number) {
    this.rng = new Rng(seed).fork("member-run");
    const members = this.rng.between(3, 24);
    // Loss enough to need every retry, and not so much that three helpers and TCP would all be in vain.
    const lossPerMille = this.rng.pick([0, 0, 5, 20]);
    const datagrams = { ...quietDatagrams, lossPerMille, duplicatePerMille: 20, reorderPerMille: 50 };
    const delayUs = this.rng.pick([50, 500, 5_000]);
    this.world = new MemberWorld({ seed, members, profile: profiles.lan, datagrams, delayUs });
    const report = (violation: Violation): void => {
      this.violations.push(violation);
    };
    this.rise = new IncarnationsRise(report);
    this.noFalseDead = new NoFalseDead(profiles.lan, members, report);
    this.world.watch = (event) => {
      this.rise.onEvent(event);
      this.noFalseDead.onEvent(event);
    };
  }

  #say(text: string): void {
    this.faults.push(`${Math.floor(this.world.now / 1_000)} ms: ${text}`);
  }

  #later(delayUs: DurationUs, action: (now: ReturnType<typeof instant>) => void): void {
    this.world.scheduler.in(delayUs, action);
  }

  #boot(seat: MemberSeat): void {
    if (seat.alive) return;
    seat.boot(this.world.now);
    this.#say(`${seat.name} boots`);
  }

  /** Lets one fault happen, and end by itself. */
  fault(kind: FaultKind): void {
    const { world, rng } = this;
    const seat = rng.pick(world.seats);
    const lasts = rng.below(rng.pick([1_000_000, 30_000_000, longestUs])) + 10_000;
    if (!seat.alive || seat.paused) return;
    this.#say(`${kind} ${seat.name} for ${lasts} us`);
    switch (kind) {
      case "kill":
        seat.kill(world.now);
        this.#later(lasts, () => this.#boot(seat));
        return;
      case "leave":
        seat.membership.leave(world.now);
        this.#later(4_000_000, (now) => seat.kill(now));
        this.#later(4_000_000 + lasts, () => this.#boot(seat));
        return;
      case "pause":
        seat.pause(world.now);
        this.#later(lasts, (now) => seat.resume(now));
        return;
      case "slow":
        for (let i = 0; i < 10; i += 1) {
          this.#later(i * 1_500_000, (now) => seat.alive && seat.pause(now));
          this.#later(i * 1_500_000 + rng.between(100_000, 1_400_000), (now) => seat.resume(now));
        }
        return;
      case "split":
        this.#split(lasts);
        return;
      default:
        this.#blockUdp(seat, lasts);
    }
  }

  #split(lasts: DurationUs): void {
    const { world, rng } = this;
    const side = world.seats.filter(() => rng.chance(400)).map((seat) => seat.position);
    world.split(side);
    this.noFalseDead.onNetworkFault(world.now, "all", true);
    this.#later(lasts, (now) => {
      world.split([]);
      this.noFalseDead.onNetworkFault(now, "all", false);
    });
  }

  /** UDP alone fails between one seat and some others: TCP pings keep it alive, so this is no excuse for a death. */
  #blockUdp(seat: MemberSeat, lasts: DurationUs): void {
    const { world, rng } = this;
    // From everybody, or from some: then helpers still reach it.
    const sparedPerMille = rng.pick([0, 500]);
    for (const other of world.seats) {
      if (other === seat || rng.chance(sparedPerMille)) continue;
      const { datagrams } = world;
      datagrams.block(seat.position, other.position);
      datagrams.block(other.position, seat.position);
      this.#later(lasts, () => {
        datagrams.unblock(seat.position, other.position);
        datagrams.unblock(other.position, seat.position);
      });
    }
  }

  run(seed: number): MemberRunResult {
    const { world, rng } = this;
    world.bootAll();
    world.runFor(5_000_000);
    const until = instant(world.now + chaosUs);
    const kinds = faultKinds.filter(() => rng.chance(600));
    while (world.now < until) {
      world.runFor(rng.between(500_000, 15_000_000));
      if (kinds.length > 0) this.fault(rng.pick(kinds));
    }
    // Every fault ends by itself within its time; then the network is quiet.
    world.runFor(longestUs + 10_000_000);
    world.datagrams.options = quietDatagrams;
    const calm = world.now;
    const patience = agreeWithinUs(world.profile, world.seats.length);
    let steps = 0;
    const agreed = world.runUntil(patience, () => {
      steps += 1;
      return steps % 500 === 0 && world.agreed;
    });
    const agreedAfterUs = agreed ? world.now - calm : undefined;
    world.runFor(patience);
    for (const seat of world.seats) this.rise.look(world.now, seat);
    compareMembers(
      world.seats,
      (seat, about) => world.belief(seat as MemberSeat, about),
      (text) => {
        this.violations.push({ at: world.now, invariant: "members-agree", text });
      },
    );
    const { hash } = world.trace;
    const { violations, faults } = this;
    const { deaths } = this.noFalseDead;
    return { seed, members: world.seats.length, violations, faults, deaths, agreedAfterUs, hash };
  }
}

/** Runs one seed. */
export function runMembers(seed: number): MemberRunResult {
  return new MemberRun(seed).run(seed);
}
