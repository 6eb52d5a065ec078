/**
 * One `Membership` without a world: its effects are written down, its file is on disk at once, and messages from others
 * are made here. For tests of what the core does with single messages.
 */
import { clusterId, idBytes, type NodeId, nodeId } from "../../src/base/ids.ts";
import { Rng } from "../../src/base/rng.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import type { MembershipEffects } from "../../src/membership/effects.ts";
import { MemberState, noProgress, type Update } from "../../src/membership/member.ts";
import { Membership } from "../../src/membership/membership.ts";
import { DatagramType, DatagramWriter, datagramHeaderBytes, updateBytes } from "../../src/membership/packets.ts";
import { type Profile, profiles } from "../../src/membership/profile.ts";
import { decode, type Fields } from "../../src/wire/codec.ts";
import { Ack, Gossip, Nack, Ping, PingReq, type StateSync } from "../../src/wire/gen/codecs.ts";

export const rigCluster = clusterId("c".repeat(32));

/** The id of node `n`; the rig's own is 1. */
export function rigId(n: number): NodeId {
  return nodeId(n.toString(16).padStart(32, "0"));
}

export function rigAddress(n: number): string {
  return `10.0.0.${n}:7401`;
}

/** A claim about node `n`. */
export function claim(n: number, fields: Partial<Update> = {}): Update {
  const plain = { number: n, address: rigAddress(n), versionMin: 1, versionMax: 1, flags: 0 };
  return { id: rigId(n), ...plain, incarnation: 1, state: MemberState.alive, accuser: "", ...fields };
}

type AnyMessage = Ping & PingReq & Ack & Nack & Gossip;

/** A datagram that the core has sent, decoded. */
export interface SentDatagram {
  readonly to: string;
  readonly type: number;
  readonly size: number;
  readonly message: AnyMessage;
}

const codecs = [Ping, Ping, PingReq, Ack, Nack, Gossip] as const;

export class MemberRig implements MembershipEffects {
  readonly membership: Membership;
  readonly sent: SentDatagram[] = [];
  readonly log: string[] = [];
  readonly syncs: { readonly address: string; readonly token: number; readonly state: Fields<StateSync> }[] = [];
  readonly tcpPings: { readonly address: string; readonly ping: Fields<Ping> }[] = [];
  now: Instant = instant(1_000_000);
  saved: Uint8Array | null;
  /** Writes of the file that are not on disk yet, when `slowDisk`. */
  readonly saving: { readonly bytes: Uint8Array; readonly token: number }[] = [];
  slowDisk = false;
  readonly #writer: DatagramWriter;

  constructor(
    options: {
      readonly profile?: Profile;
      readonly seeds?: readonly string[];
      readonly stored?: Uint8Array | null;
      readonly cluster?: string;
      readonly slowDisk?: boolean;
    } = {},
  ) {
    this.saved = options.stored ?? null;
    this.slowDisk = options.slowDisk ?? false;
    this.#writer = new DatagramWriter(idBytes(clusterId(options.cluster ?? rigCluster)));
    const { number, address, versionMin, versionMax, flags } = claim(1);
    this.membership = new Membership({
      effects: this,
      profile: options.profile ?? profiles.lan,
      clusterId: rigCluster,
      id: rigId(1),
      meta: { number, address, versionMin, versionMax, flags },
      seeds: options.seeds ?? [],
      stored: this.saved,
      rng: new Rng(1),
      progress: () => noProgress,
    });
    this.membership.start(this.now);
    this.sync();
  }

  sendDatagram(_now: Instant, to: string, bytes: Uint8Array): void {
    const type = bytes[1] as number;
    const message = decode(codecs[type] as typeof Ping, bytes, datagramHeaderBytes, bytes.length) as AnyMessage;
    this.sent.push({ to, type, size: bytes.length, message: structuredClone(message) });
  }
  pingOverTcp(_now: Instant, address: string, ping: Fields<Ping>): void {
    this.tcpPings.push({ address, ping });
  }
  requestStateSync(_now: Instant, address: string, token: number, state: Fields<StateSync>): void {
    this.syncs.push({ address, token, state });
  }
  memberChanged(...[, member, before]: Parameters<MembershipEffects["memberChanged"]>): void {
    this.log.push(`member ${member.number}: ${before ?? "new"} -> ${member.state} at ${member.incarnation}`);
  }
  flappingChanged(...[, member]: Parameters<MembershipEffects["flappingChanged"]>): void {
    this.log.push(`member ${member.number}: flapping ${member.flapping}`);
  }
  ringDigestSeen(...[, member, digest]: Parameters<MembershipEffects["ringDigestSeen"]>): void {
    this.log.push(`ring of ${member.number}: ${digest.epoch}`);
  }
  persist(_now: Instant, bytes: Uint8Array, token: number): void {
    this.saving.push({ bytes, token });
  }
  alarm(...[, alarm, , address]: Parameters<MembershipEffects["alarm"]>): void {
    this.log.push(`alarm ${alarm} at ${address}`);
  }
  left(): void {
    this.log.push("left");
  }

  /** The disk has written all that was handed to it. */
  sync(): void {
    if (this.slowDisk) return;
    this.flush();
  }

  flush(): void {
    for (let write = this.saving.shift(); write !== undefined; write = this.saving.shift()) {
      this.saved = write.bytes;
      this.membership.onPersisted(this.now, write.token);
    }
  }

  /** Lets time pass, tick by tick. */
  run(us: number): void {
    const until = instant(this.now + us);
    for (let due = this.membership.nextTick(); due <= until; due = this.membership.nextTick()) {
      this.now = due > this.now ? due : this.now;
      this.membership.tick(this.now);
      this.sync();
    }
    this.now = until;
  }

  /** Who speaks, as node `n`. */
  head(n: number, fields: object = {}): object {
    return { nodeId: idBytes(rigId(n)), number: n, incarnation: 1, boot: 1_000 + n, ...fields };
  }

  /** A datagram of node `n`'s arrives. */
  receive(
    n: number,
    type: keyof typeof DatagramType,
    message: object,
    updates: readonly Update[] = [],
    from: string = rigAddress(n),
  ): void {
    const codec = codecs[DatagramType[type]] as typeof Ping;
    const body = { head: this.head(n), ...message };
    const bytes = this.#writer.write(DatagramType[type], codec, body, (target, start) => {
      let at = start;
      for (const update of updates) {
        const one = updateBytes(update);
        target.set(one, at);
        at += one.length;
      }
      return at;
    });
    this.membership.onDatagram(this.now, from, bytes.slice());
    this.sync();
  }

  /** What was sent since the last call, of one type. */
  take(type: keyof typeof DatagramType): SentDatagram[] {
    const taken = this.sent.filter((one) => one.type === DatagramType[type]);
    this.sent.length = 0;
    return taken;
  }

  /** Adds node `n` as the ring would. */
  add(n: number): void {
    const { id, number, address, versionMin, versionMax, flags } = claim(n);
    this.membership.addMember(this.now, { id, number, address, versionMin, versionMax, flags });
  }
}
