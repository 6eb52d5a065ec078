/**
 * Mailer: builds this node's datagrams: who speaks, the message, and behind it as many updates as there is room for.
 * A message to a member that is not believed alive carries that belief in front of all others, so that it can refute at
 * once (Lifeguard's buddy system).
 */
import { idBytes, type NodeId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import type { Encoder, Fields } from "../wire/codec.ts";
import { Ack, Gossip, type GossipHead, Nack, Ping, type Ping as PingMessage, PingReq } from "../wire/gen/codecs.ts";
import { updatesPerDatagramMax } from "../wire/limits.ts";
import { type Member, MemberState, type Update } from "./member.ts";
import type { MemberTable } from "./member-table.ts";
import type { OwnMember } from "./own-member.ts";
import { DatagramType, DatagramWriter, messageOf, updateBytes } from "./packets.ts";
import type { Profile } from "./profile.ts";
import { retransmitLimit } from "./suspicion.ts";
import { UpdateQueue } from "./updates.ts";
import { claimAbout } from "./verdicts.ts";

/** Where datagrams go. */
export interface MailerEffects {
  /** `bytes` are borrowed until the call returns. */
  sendDatagram(now: Instant, address: string, bytes: Uint8Array): void;
}

/** Where an answer goes, and to which question. */
export interface Addressed {
  readonly address: string;
  readonly sequence: number;
}

export class Mailer {
  /** What is being passed on. */
  readonly queue: UpdateQueue = new UpdateQueue();
  readonly #writer: DatagramWriter;
  readonly #own: OwnMember;
  readonly #table: MemberTable;
  readonly #profile: Profile;
  readonly #effects: MailerEffects;
  #sequence: number;

  constructor(options: {
    readonly cluster: Uint8Array;
    readonly own: OwnMember;
    readonly table: MemberTable;
    readonly profile: Profile;
    readonly firstSequence: number;
    readonly effects: MailerEffects;
  }) {
    this.#writer = new DatagramWriter(options.cluster);
    this.#own = options.own;
    this.#table = options.table;
    this.#profile = options.profile;
    this.#effects = options.effects;
    this.#sequence = options.firstSequence;
  }

  /** A number that no other ping of this node bears for a long time. */
  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  /** Passes an update on. */
  spread(update: Update): void {
    this.queue.put(update.id, updateBytes(update));
  }

  /** What this member should hear of itself; undefined if there is nothing against it. */
  claimAgainst(member: Member): Update | undefined {
    if (!this.#profile.buddy || member.state === MemberState.alive) return undefined;
    const accuser = member.accuser === "" ? this.#own.id : member.accuser;
    return claimAbout(member, member.state, member.state === MemberState.left ? "" : accuser);
  }

  ping(now: Instant, to: Member, sequence: number): void {
    const message = { head: this.#own.head(), sequence, target: idBytes(to.id) };
    const claim = this.claimAgainst(to);
    this.#send(now, to.address, this.#write(DatagramType.ping, Ping, message, claim, this.#own.id));
  }

  /** Pings whoever is at an address and bears this id, and tells it nothing. */
  pingAt(now: Instant, to: Addressed, target: Uint8Array): void {
    const message = { head: this.#own.head(), sequence: to.sequence, target };
    this.#send(now, to.address, this.#writer.write(DatagramType.ping, Ping, message));
  }

  /** The same ping as a message, for TCP: all there is room for in a frame would be too much, so only the claim rides on it. */
  tcpPing(to: Member, sequence: number): Fields<PingMessage> {
    const claim = this.claimAgainst(to);
    const updates = claim === undefined ? [] : [messageOf(claim, true)];
    return { head: this.#own.head(), sequence, target: idBytes(to.id), updates };
  }

  pingReq(now: Instant, helper: Member, target: Member, sequence: number): void {
    const message = { head: this.#own.head(), sequence, target: idBytes(target.id) };
    const claim = this.claimAgainst(helper);
    this.#send(now, helper.address, this.#write(DatagramType.pingReq, PingReq, message, claim, undefined));
  }

  /**
   * `asker`: the member that is answered, which has said this incarnation of itself; to a stranger nothing but the ack is
   * sent, which is no larger than its ping. A member that speaks below the incarnation it is known by is told so: nobody
   * else may tell a second process that lives on a copy of its directory.
   */
  ack(now: Instant, to: Addressed, asker: Member | undefined, said: number): void {
    const message = { head: this.#own.head(), sequence: to.sequence, target: this.#own.idBytes };
    if (asker === undefined) {
      this.#send(now, to.address, this.#writer.write(DatagramType.ack, Ack, message));
      return;
    }
    const overtaken = asker.state === MemberState.alive && said < asker.incarnation;
    const claim = overtaken ? claimAbout(asker, MemberState.alive, "") : this.claimAgainst(asker);
    this.#send(now, to.address, this.#write(DatagramType.ack, Ack, message, claim, this.#own.id));
  }

  /** Passes on that a member pinged for another one has answered. */
  relayAck(now: Instant, to: Addressed, target: Member): void {
    const message = { head: this.#own.head(), sequence: to.sequence, target: idBytes(target.id) };
    this.#send(now, to.address, this.#write(DatagramType.ack, Ack, message, undefined, target.id));
  }

  nack(now: Instant, to: Addressed): void {
    const message = { head: this.#own.head(), sequence: to.sequence };
    this.#send(now, to.address, this.#writer.write(DatagramType.nack, Nack, message));
  }

  /** Nothing but updates. */
  gossip(now: Instant, to: Member): void {
    const claim = this.claimAgainst(to);
    this.#send(now, to.address, this.#write(DatagramType.gossip, Gossip, { head: this.#own.head() }, claim, undefined));
  }

  #write<T extends { readonly head: Fields<GossipHead> }>(
    type: DatagramType,
    codec: Encoder<T>,
    message: T,
    claim: Update | undefined,
    first: NodeId | undefined,
  ): Uint8Array {
    return this.#writer.write(type, codec, message, (target, start) => {
      let at = start;
      if (claim !== undefined) {
        const bytes = updateBytes(claim);
        target.set(bytes, at);
        at += bytes.length;
      }
      const limit = retransmitLimit(this.#profile, this.#table.reachable + 1);
      const countMax = updatesPerDatagramMax - (claim === undefined ? 0 : 1);
      return this.queue.take(target, at, { limit, countMax, first });
    });
  }

  #send(now: Instant, address: string, bytes: Uint8Array): void {
    this.#effects.sendDatagram(now, address, bytes);
  }
}
