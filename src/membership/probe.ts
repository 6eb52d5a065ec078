/**
 * Prober: one member after another is pinged, every T; if the answer is late, k others are asked to ping it too, beside
 * a ping over TCP; if the period ends without any answer, the member is suspect (SWIM section 3.1, Lifeguard section 4). A node
 * whose local health is bad takes longer periods, so it waits longer before it accuses.
 *
 * A probe during which this node's own event loop stalled proves nothing about the other side, and is discarded.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import type { NodeId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { LocalHealth } from "./local-health.ts";
import type { Member } from "./member.ts";
import type { MemberTable } from "./member-table.ts";
import type { Profile } from "./profile.ts";

/** What a probe asks of the node. */
export interface ProbeEffects {
  nextSequence(): number;
  ping(now: Instant, target: Member, sequence: number): void;
  /** Asks a helper to ping the target. */
  pingReq(now: Instant, helper: Member, target: Member, sequence: number): void;
  pingOverTcp(now: Instant, target: Member, sequence: number): void;
  /** Nobody has heard of the target in time. */
  probeFailed(now: Instant, target: Member): void;
  /** The target answers over TCP and not over UDP. */
  udpBlocked(now: Instant, target: Member): void;
}

/** One probe, from its ping to its period's end. */
class Probe {
  readonly target: Member;
  readonly sequence: number;
  readonly indirectAt: Instant;
  readonly endAt: Instant;
  /** Helpers that were asked. */
  helpers: readonly Member[] = [];
  readonly nackers: NodeId[] = [];
  indirect = false;
  answered = false;
  overTcp = false;
  stalled = false;

  constructor(now: Instant, target: Member, sequence: number, timeoutUs: DurationUs, periodUs: DurationUs) {
    this.target = target;
    this.sequence = sequence;
    this.indirectAt = instant(now + timeoutUs);
    this.endAt = instant(now + periodUs);
  }

  next(): Instant {
    return this.indirect ? this.endAt : this.indirectAt;
  }
}

/** Probes out of turn that may be under way beside the regular one. */
const urgentMax = 4;

export class Prober {
  readonly #profile: Profile;
  readonly #table: MemberTable;
  readonly #health: LocalHealth;
  readonly #rng: Rng;
  readonly #effects: ProbeEffects;
  #probes: Probe[] = [];
  #nextProbeAt: Instant = never;
  /** When the event loop was last seen late, and when that last counted. */
  #lagAt: Instant | undefined;
  #lagCountedAt: Instant | undefined;
  /** Probes begun in this life. */
  begun = 0;
  /** Probes that ended without an answer, discarded ones not counted. */
  failed = 0;

  constructor(options: {
    readonly profile: Profile;
    readonly table: MemberTable;
    readonly health: LocalHealth;
    readonly rng: Rng;
    readonly effects: ProbeEffects;
  }) {
    this.#profile = options.profile;
    this.#table = options.table;
    this.#health = options.health;
    this.#rng = options.rng;
    this.#effects = options.effects;
  }

  /** The first probe comes within one period, so that nodes started together do not probe together. */
  start(now: Instant): void {
    this.#nextProbeAt = instant(now + this.#rng.below(this.#profile.probeUs));
  }

  /** No more probes. */
  stop(): void {
    this.#nextProbeAt = never;
    this.#probes = [];
  }

  /** Something else gave cause for doubt: probe this member now. */
  probeNow(now: Instant, target: Member): void {
    if (this.#nextProbeAt === never || !target.reachable) return;
    if (this.#probes.length > urgentMax || this.#probes.some((probe) => probe.target === target)) return;
    mark("membership.urgent-probe");
    this.#begin(now, target);
  }

  #begin(now: Instant, target: Member): void {
    const sequence = this.#effects.nextSequence();
    const periodUs = this.#profile.probeUs * this.#health.factor;
    this.#probes.push(new Probe(now, target, sequence, this.#profile.timeoutUs, periodUs));
    this.begun += 1;
    this.#effects.ping(now, target, sequence);
  }

  /** A sign of life of `target`, which answers the ping of this number. Returns whether it belongs to a probe. */
  onAck(now: Instant, sequence: number, target: NodeId, overTcp: boolean): boolean {
    const at = this.#probes.findIndex((probe) => probe.sequence === sequence);
    const probe = this.#probes[at];
    if (probe === undefined || probe.target.id !== target) return false;
    if (overTcp) {
      probe.overTcp = !canary("ignore-tcp-ack");
      return true;
    }
    probe.answered = true;
    this.#probes.splice(at, 1);
    // An answer in a period in which the loop ran late says nothing good about this node.
    if (!this.#recent(now, this.#lagAt)) this.#health.probeAnswered();
    return true;
  }

  /** A helper has had no answer either. */
  onNack(sequence: number, helper: NodeId): void {
    const probe = this.#probes.find((one) => one.sequence === sequence);
    if (probe === undefined || probe.nackers.includes(helper)) return;
    if (probe.helpers.some((one) => one.id === helper)) probe.nackers.push(helper);
  }

  /** The event loop was `delayUs` late: counts against this node, once in a period. */
  onLoopDelay(now: Instant, delayUs: DurationUs): void {
    if (delayUs * 2 >= this.#profile.timeoutUs) for (const probe of this.#probes) probe.stalled = true;
    if (delayUs * 4 <= this.#profile.timeoutUs) return;
    this.#lagAt = now;
    if (this.#recent(now, this.#lagCountedAt)) return;
    this.#lagCountedAt = now;
    this.#health.stalled();
  }

  #recent(now: Instant, at: Instant | undefined): boolean {
    return at !== undefined && now < at + this.#profile.probeUs;
  }

  /** Does what is due. */
  tick(now: Instant): void {
    for (const probe of this.#probes) if (!probe.indirect && probe.indirectAt <= now) this.#askOthers(now, probe);
    const over = this.#probes.filter((probe) => probe.endAt <= now);
    if (over.length > 0) this.#probes = this.#probes.filter((probe) => probe.endAt > now);
    for (const probe of over) this.#finish(now, probe);
    if (this.#nextProbeAt > now) return;
    const target = this.#table.nextTarget();
    const known = target !== undefined && this.#probes.some((probe) => probe.target === target);
    if (target !== undefined && !known) this.#begin(now, target);
    this.#nextProbeAt = instant(now + this.#profile.probeUs * this.#health.factor);
  }

  #askOthers(now: Instant, probe: Probe): void {
    probe.indirect = true;
    const { target, sequence } = probe;
    if (!target.reachable) return;
    const fits = (member: Member): boolean => member.reachable && member !== target;
    probe.helpers = this.#table.pick(this.#profile.helpers, fits);
    for (const helper of probe.helpers) this.#effects.pingReq(now, helper, target, sequence);
    if (this.#profile.tcpPing) this.#effects.pingOverTcp(now, target, sequence);
  }

  #finish(now: Instant, probe: Probe): void {
    assert(!probe.answered, "an answered probe is over");
    if (!probe.target.reachable) return;
    if (probe.overTcp) {
      this.#effects.udpBlocked(now, probe.target);
      return;
    }
    if (probe.stalled) {
      mark("membership.probe-discarded");
      return;
    }
    this.failed += 1;
    this.#health.probeFailed(this.#profile.nacks ? probe.helpers.length : 0, probe.nackers.length);
    this.#effects.probeFailed(now, probe.target);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    let next = this.#nextProbeAt;
    for (const probe of this.#probes) {
      const due = probe.next();
      if (due < next) next = due;
    }
    return next;
  }
}
