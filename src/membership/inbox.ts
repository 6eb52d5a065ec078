/**
 * Inbox: what arrives from others, and what it is taken for. Every message says who speaks, and carries claims; both are
 * taken in before the message itself is answered, so that an answer already knows what the question told.
 *
 * Nothing here trusts a stranger: only members are believed about others and get help, and all that a stranger gets is
 * an ack, no larger than its ping.
 */
import { canary } from "../base/canary.ts";
import type { NodeId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { decode, type Fields } from "../wire/codec.ts";
import {
  Ack,
  Gossip,
  type GossipHead,
  type MemberUpdate,
  Nack,
  Ping,
  PingReq,
  type StateSync,
} from "../wire/gen/codecs.ts";
import { Alarm } from "./effects.ts";
import type { Addressed } from "./mailer.ts";
import { idOrNone, type Member, MemberState, type Update } from "./member.ts";
import { incarnationMax } from "./own-member.ts";
import { DatagramType, datagramHeaderBytes, messageOf, updateOf } from "./packets.ts";
import type { Parts } from "./parts.ts";
import { claimAbout } from "./verdicts.ts";

/** Between two state syncs with members that came back. */
const comparisonGapUs: DurationUs = 1_000_000;

export class Inbox {
  readonly #parts: Parts;
  #nextComparisonAt: Instant = instant(0);

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A datagram with a good header. Throws `WireError` if there is no message behind it. */
  onDatagram(now: Instant, from: string, bytes: Uint8Array): void {
    const start = datagramHeaderBytes;
    const end = bytes.length;
    switch (bytes[1]) {
      case DatagramType.ping:
        this.#onPing(now, from, decode(Ping, bytes, start, end));
        return;
      case DatagramType.pingReq:
        this.#onPingReq(now, from, decode(PingReq, bytes, start, end));
        return;
      case DatagramType.ack:
        this.#onAck(now, from, decode(Ack, bytes, start, end));
        return;
      case DatagramType.nack: {
        const nack = decode(Nack, bytes, start, end);
        const sender = this.#hear(now, nack.head, []);
        if (sender !== undefined) this.#parts.prober.onNack(nack.sequence, sender);
        return;
      }
      case DatagramType.gossip: {
        const gossip = decode(Gossip, bytes, start, end);
        this.#hear(now, gossip.head, gossip.updates);
        return;
      }
      default:
        this.#parts.counters.malformed += 1;
    }
  }

  /**
   * Takes in who speaks and what rides on the message; returns the speaker's id, or undefined if it makes no sense. Only
   * members are believed about others; a stranger may introduce itself.
   */
  #hear(now: Instant, head: GossipHead | null, updates: readonly MemberUpdate[]): NodeId | undefined {
    const id = head === null ? "" : idOrNone(head.nodeId);
    if (head === null || id === "") {
      this.#parts.counters.malformed += 1;
      return undefined;
    }
    if (id === this.#parts.own.id) return id;
    for (const message of updates) {
      const update = updateOf(message);
      if (update === undefined) continue;
      if (update.id === id || this.#parts.table.get(id) !== undefined) this.#claim(now, update);
    }
    const member = this.#parts.table.get(id);
    if (member !== undefined) this.#heard(now, member, head);
    return id;
  }

  /** A message of the member's own: a sign of life, and the ring that it holds. */
  #heard(now: Instant, member: Member, head: GossipHead): void {
    member.heardAt = now;
    member.epoch = head.epoch;
    member.loopDelayUs = head.loopDelayUs;
    // What an earlier life has sent comes too late.
    const { batches, losses } = head;
    if (batches > 0 && head.incarnation >= member.incarnation) member.progress = { losses, batches };
    if (member.number === 0 && head.number <= 0xffff) member.number = head.number;
    const disbelieved = member.state !== MemberState.alive;
    if (disbelieved && head.incarnation > member.incarnation && head.incarnation <= incarnationMax) {
      const wasDead = member.state === MemberState.dead;
      const alive = { ...claimAbout(member, MemberState.alive, ""), incarnation: head.incarnation };
      this.#parts.verdicts.apply(now, alive, false);
      if (wasDead) this.#compareWith(now, member);
    }
    const { digest } = this.#parts.own;
    const { epoch, ringHashHigh: hashHigh, ringHashLow: hashLow } = head;
    const same = epoch === digest.epoch && hashHigh === digest.hashHigh && hashLow === digest.hashLow;
    if (epoch !== 0 && !same) this.#parts.effects.ringDigestSeen(now, member, { epoch, hashHigh, hashLow });
  }

  /** A member came back that may come from the other half of a healed split, and know all of it. One of many is enough. */
  #compareWith(now: Instant, member: Member): void {
    if (now < this.#nextComparisonAt) return;
    this.#nextComparisonAt = instant(now + comparisonGapUs);
    this.#parts.syncs.with(now, member.address);
  }

  #claim(now: Instant, update: Update): void {
    if (update.incarnation > incarnationMax) return;
    if (update.id === this.#parts.own.id) this.#claimAboutSelf(now, update);
    else this.#parts.verdicts.apply(now, update, false);
  }

  #claimAboutSelf(now: Instant, claim: Update): void {
    const own = this.#parts.own;
    if (own.leaving || claim.incarnation < own.incarnation || canary("skip-refutation")) return;
    if (claim.state === MemberState.alive) {
      // Also at its own address: a twin may have been told to bear it. Whoever gets the ping knows.
      if (claim.address !== own.meta.address || claim.incarnation > own.incarnation)
        this.#parts.clones.begin(now, claim.address, claim.incarnation);
      return;
    }
    mark("membership.refuted");
    this.#parts.counters.refuted += 1;
    this.#parts.health.refuted();
    this.#parts.raise(now, claim.incarnation + 1);
  }

  #onPing(now: Instant, from: string, ping: Ping): void {
    const sender = this.#hear(now, ping.head, ping.updates);
    if (sender === undefined || idOrNone(ping.target) !== this.#parts.own.id) return;
    if (sender === this.#parts.own.id) {
      if (ping.head?.boot === this.#parts.own.boot) return;
      this.#parts.clones.begin(now, from, 0);
    }
    this.#ack(now, { address: from, sequence: ping.sequence }, sender, ping.head);
  }

  #ack(now: Instant, to: Addressed, sender: NodeId, head: GossipHead | null): void {
    this.#parts.mailer.ack(now, to, this.#parts.table.get(sender), head?.incarnation ?? 0);
  }

  #onPingReq(now: Instant, from: string, request: PingReq): void {
    const sender = this.#hear(now, request.head, request.updates);
    const target = idOrNone(request.target);
    // A stranger gets no help: else anybody could have others pinged in this node's name.
    if (sender === undefined || target === "" || this.#parts.table.get(sender) === undefined) return;
    const asker = { address: from, sequence: request.sequence };
    if (target === this.#parts.own.id) this.#ack(now, asker, sender, request.head);
    else this.#parts.relays.begin(now, asker, this.#parts.table.get(target));
  }

  #onAck(now: Instant, from: string, ack: Ack): void {
    const sender = this.#hear(now, ack.head, ack.updates);
    const target = idOrNone(ack.target);
    if (sender === undefined || target === "") return;
    if (this.#parts.clones.proves(ack.sequence, target, ack.head?.boot ?? this.#parts.own.boot))
      this.#proveCloned(now, from);
    else if (!this.#parts.prober.onAck(now, ack.sequence, target, false))
      this.#parts.relays.onAck(now, ack.sequence, target);
  }

  /** Two nodes bear this id. This one falls silent, and leaves it to the operator. */
  #proveCloned(now: Instant, address: string): void {
    if (canary("ignore-twin")) return;
    this.#parts.cloned = true;
    this.#parts.prober.stop();
    this.#parts.rounds.stop();
    this.#parts.syncs.stop();
    mark("membership.cloned");
    this.#parts.effects.alarm(now, Alarm.cloned, this.#parts.own.id, address);
  }

  /** Whoever bears the same id must be able to prove it too; nobody else is answered any more. */
  answerTwin(now: Instant, from: string, bytes: Uint8Array): void {
    if (bytes[1] !== DatagramType.ping) return;
    const { head, sequence } = decode(Ping, bytes, datagramHeaderBytes, bytes.length);
    if (head === null || head.boot === this.#parts.own.boot || idOrNone(head.nodeId) !== this.#parts.own.id) return;
    this.#parts.answeringTwin = true;
    this.#parts.mailer.ack(now, { address: from, sequence }, undefined, 0);
    this.#parts.answeringTwin = false;
  }

  /** A ping that came over TCP: its answer, or undefined if another node is meant. */
  onTcpPing(now: Instant, ping: Ping): Fields<Ack> | undefined {
    const { own } = this.#parts;
    const sender = this.#hear(now, ping.head, ping.updates);
    if (sender === undefined || idOrNone(ping.target) !== own.id) return undefined;
    return { head: own.head(), sequence: ping.sequence, target: own.idBytes, updates: [messageOf(own.update(), true)] };
  }

  /** The answer to one sent over TCP. */
  onTcpAck(now: Instant, ack: Ack): void {
    const sender = this.#hear(now, ack.head, ack.updates);
    if (sender !== undefined && sender === idOrNone(ack.target))
      this.#parts.prober.onAck(now, ack.sequence, sender, true);
  }

  /** Takes in another node's table; false if it is none of this cluster. */
  merge(now: Instant, state: StateSync): boolean {
    const sender = state.head === null ? "" : idOrNone(state.head.nodeId);
    const foreign = state.clusterId.length !== 16 || state.clusterId.some((byte, i) => byte !== this.#parts.cluster[i]);
    if (foreign) this.#parts.counters.wrongCluster += 1;
    if (foreign || sender === "" || sender === this.#parts.own.id) return false;
    // A node that joins knows nobody yet: what is news to it is none to the others.
    const joining = this.#parts.table.reachable === 0;
    for (const message of state.members) {
      const update = updateOf(message);
      if (update === undefined || update.incarnation > incarnationMax) continue;
      if (update.id === this.#parts.own.id) this.#claimAboutSelf(now, update);
      else this.#mergeClaim(now, update, joining && update.id !== sender);
    }
    const member = this.#parts.table.get(sender);
    if (member !== undefined && state.head !== null) this.#heard(now, member, state.head);
    return true;
  }

  /**
   * A death that somebody else has seen is here a suspicion first, and the member is asked: after a split both sides hold
   * hundreds of dead who are not. Nobody else is told, so that this takes no storm.
   */
  #mergeClaim(now: Instant, update: Update, quiet: boolean): void {
    const member = this.#parts.table.get(update.id);
    if (member === undefined || !member.reachable || update.state !== MemberState.dead) {
      this.#parts.verdicts.apply(now, update, quiet);
      return;
    }
    this.#parts.verdicts.apply(now, { ...update, state: MemberState.suspect }, true);
    this.#parts.rounds.challenge(now, member);
  }
}
