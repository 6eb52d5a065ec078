/**
 * Membership: which nodes live, as this one sees it. SWIM (Das, Gupta, Motivala 2002) with Lifeguard (arXiv:1707.00788),
 * in memberlist's form: probes, suspicions, updates that ride on every datagram, and state syncs over TCP. The parts are in
 * files of their own, `parts.ts` ties them together, `inbox.ts` takes in what arrives; here is what a node sees of it.
 *
 * It never changes the ring: a dead member keeps its partitions until an operator's plan moves them. It says who is worth
 * a message, carries the ring's digest, and finds members again after splits, however long they lasted.
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { Fields } from "../wire/codec.ts";
import type { Ack, Ping, StateSync } from "../wire/gen/codecs.ts";
import { WireError } from "../wire/wire-error.ts";
import type { MembershipCounters, MembershipOptions } from "./effects.ts";
import { Inbox } from "./inbox.ts";
import type { LocalHealth } from "./local-health.ts";
import { type MemberMeta, MemberState, type MemberView } from "./member.ts";
import type { RingDigest } from "./own-member.ts";
import { checkDatagram } from "./packets.ts";
import { Parts } from "./parts.ts";

/** A leave is over after this, told to all or not. */
const leaveUs: DurationUs = 3_000_000;
/** After a stall the event loop gets so long to hand over the datagrams that waited, before anybody is judged. */
const catchUpUs: DurationUs = 20_000;

export class Membership {
  readonly #parts: Parts;
  readonly #inbox: Inbox;
  #leaveBy: Instant = never;
  #leftTold = false;
  /** Until then a stall is being made up for. */
  #catchUpUntil: Instant = never;
  #inside = false;

  constructor(options: MembershipOptions) {
    this.#parts = new Parts(options);
    this.#inbox = new Inbox(this.#parts);
  }

  /** What was counted in this life. */
  get counters(): Readonly<MembershipCounters> {
    return this.#parts.counters;
  }

  /** How far this node trusts itself. */
  get health(): LocalHealth {
    return this.#parts.health;
  }

  /** Every other member that is known, dead and left ones included; in no lasting order. */
  get members(): readonly MemberView[] {
    return this.#parts.table.members;
  }

  /** One of the others. */
  member(id: NodeId): MemberView | undefined {
    return this.#parts.table.get(id);
  }

  /** This node's own incarnation; 0 until its first lease is on disk. */
  get incarnation(): number {
    return this.#parts.own.incarnation;
  }

  /** Whether anybody has compared tables with this node since it started. */
  get joined(): boolean {
    return this.#parts.syncs.joined;
  }

  /** Whether another node bears this id, and this one has fallen silent. */
  get cloned(): boolean {
    return this.#parts.cloned;
  }

  /** Probes of this life: begun, and failed. */
  get probes(): { readonly begun: number; readonly failed: number } {
    return { begun: this.#parts.prober.begun, failed: this.#parts.prober.failed };
  }

  /** Updates that are being passed on. */
  get queued(): number {
    return this.#parts.mailer.queue.size;
  }

  #enter(): void {
    assert(!this.#inside, "an effect called back into membership");
    this.#inside = true;
  }

  #exit(): void {
    this.#inside = false;
  }

  /** Whether anything that arrives is listened to. */
  get #listening(): boolean {
    return this.#parts.speaking && !this.#parts.cloned;
  }

  /** Begins: the first lease is written, and once that is done, this node speaks. */
  start(now: Instant): void {
    assert(!this.#parts.started, "membership is started once");
    this.#enter();
    this.#parts.started = true;
    this.#parts.saver.hurry(now);
    this.#exit();
  }

  /** The file written under this token is on stable storage. */
  onPersisted(now: Instant, token: number): void {
    this.#enter();
    const { own, saver, prober, rounds, syncs } = this.#parts;
    const top = saver.onSaved(now, token);
    if (top !== undefined && own.leased(top)) this.#parts.announce(now);
    if (!this.#parts.speaking && own.incarnation > 0) {
      this.#parts.speaking = true;
      if (!own.leaving) {
        prober.start(now);
        rounds.start(now);
        syncs.start(now);
      }
    }
    this.#exit();
  }

  /** The ring names this member. What is known of it already stays. */
  addMember(now: Instant, member: { readonly id: NodeId } & MemberMeta): void {
    const { own, table, verdicts } = this.#parts;
    if (member.id === own.id) return;
    this.#enter();
    verdicts.readmit(member.id);
    const known = table.get(member.id);
    if (known === undefined) {
      verdicts.apply(now, { ...member, incarnation: 0, state: MemberState.alive, accuser: "" }, true);
    } else {
      known.number = member.number;
      // Incarnation 0 is hearsay: the member itself has not been heard of yet.
      if (known.incarnation === 0) known.address = member.address;
    }
    this.#exit();
  }

  /** The ring says that this member has left for good: it is forgotten, and not learned again. */
  removeMember(now: Instant, id: NodeId): void {
    this.#enter();
    const { verdicts, mailer, rounds, saver } = this.#parts;
    const member = verdicts.remove(id);
    mailer.queue.drop(id);
    if (member !== undefined) {
      rounds.forget(member);
      saver.touch(now);
    }
    this.#exit();
  }

  /** This node's number, address or flags have changed. */
  setMeta(now: Instant, meta: MemberMeta): void {
    this.#enter();
    this.#parts.own.meta = meta;
    if (this.#listening && !this.#parts.own.leaving) this.#parts.raise(now, 0);
    this.#exit();
  }

  /** This node's ring, to be told with every message. */
  setRingDigest(digest: RingDigest): void {
    this.#parts.own.digest = digest;
  }

  /** How late the event loop has run lately, as the host measures it; call it about every half probe timeout. */
  onLoopDelay(now: Instant, delayUs: DurationUs): void {
    this.#parts.own.loopDelayUs = delayUs;
    if (this.#parts.profile.stallGuard) this.#parts.prober.onLoopDelay(now, delayUs);
  }

  /** The data path has cause to doubt this member (timeouts, resets): it is probed out of turn. */
  probeNow(now: Instant, id: NodeId): void {
    this.#enter();
    const member = this.#parts.table.get(id);
    if (member !== undefined) this.#parts.prober.probeNow(now, member);
    this.#exit();
  }

  /** Tells the others that this node goes of its own will; effect `left` follows within three seconds. */
  leave(now: Instant): void {
    const { own, prober, syncs, rounds, table } = this.#parts;
    if (own.leaving) return;
    this.#enter();
    own.leaving = true;
    prober.stop();
    syncs.stop();
    rounds.stop();
    const alone = !this.#listening || table.reachable === 0;
    if (!alone) this.#parts.spread(now, own.update());
    this.#leaveBy = instant(alone ? now : now + leaveUs);
    this.#exit();
  }

  /** Those who leave together have nobody left to tell. */
  #endLeaveIfAlone(now: Instant): void {
    const { own, table } = this.#parts;
    if (own.leaving && this.#leaveBy > now && table.reachable === 0) this.#leaveBy = now;
  }

  /** A datagram came in; `bytes` are borrowed. Whatever it is, it is answered, used or dropped: nothing throws. */
  onDatagram(now: Instant, from: string, bytes: Uint8Array): void {
    const { counters } = this.#parts;
    counters.datagramsIn += 1;
    counters.bytesIn += bytes.length;
    const misfit = checkDatagram(bytes, this.#parts.cluster);
    if (misfit !== null) {
      counters[misfit] += 1;
      return;
    }
    if (!this.#parts.speaking) return;
    this.#enter();
    try {
      if (this.#parts.cloned) this.#inbox.answerTwin(now, from, bytes);
      else this.#inbox.onDatagram(now, from, bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      counters.malformed += 1;
    } finally {
      this.#endLeaveIfAlone(now);
      this.#exit();
    }
  }

  /** TCP_PING came in: the answer to it, or undefined if another node is meant. */
  onTcpPing(now: Instant, ping: Ping): Fields<Ack> | undefined {
    if (!this.#listening) return undefined;
    this.#enter();
    const ack = this.#inbox.onTcpPing(now, ping);
    this.#exit();
    return ack;
  }

  /** The answer to `pingOverTcp`. */
  onTcpAck(now: Instant, ack: Ack): void {
    if (!this.#listening) return;
    this.#enter();
    this.#inbox.onTcpAck(now, ack);
    this.#exit();
  }

  /** STATE_SYNC came in: the answer to it, or undefined if it is another cluster's (answer WRONG_CLUSTER) or too early. */
  onStateSyncRequest(now: Instant, state: StateSync): Fields<StateSync> | undefined {
    if (!this.#listening || this.#parts.own.leaving) return undefined;
    this.#enter();
    const merged = this.#inbox.merge(now, state);
    this.#exit();
    return merged ? this.#parts.wholeState() : undefined;
  }

  /** The answer to `requestStateSync`. */
  onStateSync(now: Instant, token: number, state: StateSync): void {
    this.#enter();
    if (this.#listening && this.#parts.syncs.onDone(now, token)) this.#inbox.merge(now, state);
    this.#exit();
  }

  /** There will be no answer to `requestStateSync`. */
  onStateSyncFailed(_now: Instant, token: number): void {
    this.#parts.syncs.onFailed(token);
  }

  /** Does what is due. Call it at `nextTick`, or soon after. */
  tick(now: Instant): void {
    this.#enter();
    const due = this.#due();
    if (due <= now && !this.#stalled(now, due)) this.#work(now);
    this.#exit();
  }

  /**
   * Whether the event loop was so late that what has come meanwhile must be heard first: then nobody is judged for a
   * while, and probes under way prove nothing.
   */
  #stalled(now: Instant, due: Instant): boolean {
    if (this.#catchUpUntil !== never) {
      if (now < this.#catchUpUntil) return true;
      this.#catchUpUntil = never;
      return false;
    }
    const { profile, counters, prober, verdicts, speaking } = this.#parts;
    const lateUs = now - due;
    if (!speaking || !profile.stallGuard || lateUs * 2 < profile.timeoutUs) return false;
    mark("membership.stall");
    counters.stalls += 1;
    prober.onLoopDelay(now, lateUs);
    verdicts.postpone(instant(now + profile.probeUs));
    this.#catchUpUntil = instant(now + catchUpUs);
    return true;
  }

  #work(now: Instant): void {
    const { prober, relays, verdicts, rounds, syncs, clones, saver, own, mailer } = this.#parts;
    prober.tick(now);
    relays.tick(now);
    verdicts.tick(now);
    rounds.tick(now);
    syncs.tick(now);
    const outdated = clones.tick(now);
    if (outdated >= own.incarnation && outdated > 0) this.#parts.raise(now, outdated + 1);
    saver.tick(now);
    if (this.#leaveBy === never || this.#leftTold) return;
    this.#endLeaveIfAlone(now);
    if (this.#leaveBy > now && mailer.queue.has(own.id)) return;
    this.#leftTold = true;
    this.#parts.effects.left(now);
  }

  #due(): Instant {
    if (this.#catchUpUntil !== never) return this.#catchUpUntil;
    let next: Instant = this.#leftTold ? never : this.#leaveBy;
    for (const part of this.#parts.timed) {
      const due = part.next();
      if (due < next) next = due;
    }
    return next;
  }

  /** When `tick` has something to do; `never` before `start`. */
  nextTick(): Instant {
    return this.#parts.started ? this.#due() : never;
  }
}
