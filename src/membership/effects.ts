/**
 * What membership asks of the node around it, what it is given, and what it counts. The core is `membership.ts`; these are
 * apart because its parts need them too.
 */
import type { ClusterId, NodeId } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import type { Fields } from "../wire/codec.ts";
import type { Ping, StateSync } from "../wire/gen/codecs.ts";
import type { MemberMeta, MemberState, MemberView, StoreProgress } from "./member.ts";
import type { RingDigest } from "./own-member.ts";
import type { Profile } from "./profile.ts";

/** Something an operator should hear of. */
export const Alarm = {
  /** This node's id lives at another address too: refuse to serve until the operator has chosen. */
  cloned: "cloned",
  /** The member answers over TCP and not over UDP: a firewall or a wrong address. At most once a minute for each. */
  udpBlocked: "udp-blocked",
} as const;
/** One of the alarms. */
export type Alarm = (typeof Alarm)[keyof typeof Alarm];

/** What membership asks of the node around it. None of it may call back before it returns. */
export interface MembershipEffects {
  /** `bytes` (at most 1,400) are borrowed until the call returns. May be lost, like any datagram. */
  sendDatagram(now: Instant, address: string, bytes: Uint8Array): void;
  /** Sends TCP_PING; the answer goes to `onTcpAck`, a failure nowhere. */
  pingOverTcp(now: Instant, address: string, ping: Fields<Ping>): void;
  /** Sends STATE_SYNC; `onStateSync` or `onStateSyncFailed` follows with the same token. */
  requestStateSync(now: Instant, address: string, token: number, state: Fields<StateSync>): void;
  /** A member came to be known (`before` undefined), changed its state, or renewed its address, number or flags. */
  memberChanged(now: Instant, member: MemberView, before: MemberState | undefined): void;
  /** It dies and returns too often, and should be routed around; or no longer. */
  flappingChanged(now: Instant, member: MemberView): void;
  /** A member's ring is not this node's: one of the two is behind, or two rings bear one epoch. Told with every message. */
  ringDigestSeen(now: Instant, member: MemberView, digest: RingDigest): void;
  /** Replaces the state file "members"; `onPersisted` follows with the same token. `bytes` are the file's to keep. */
  persist(now: Instant, bytes: Uint8Array, token: number): void;
  /** `id`: the member it is about. `address`: where. */
  alarm(now: Instant, alarm: Alarm, id: NodeId, address: string): void;
  /** The leave that was asked for has been told to the others. */
  left(now: Instant): void;
}

/** What a node gives its membership. */
export interface MembershipOptions {
  readonly effects: MembershipEffects;
  readonly profile: Profile;
  readonly clusterId: ClusterId;
  readonly id: NodeId;
  readonly meta: MemberMeta;
  /** Addresses to find others at, now and whenever no member answers there. The own address is passed over. */
  readonly seeds: readonly string[];
  /** The payload of the state file, or null. Throws `WireError` if it is not one. */
  readonly stored: Uint8Array | null;
  readonly rng: Rng;
  /** How far this node's store has come, all of it on its disk: told to the others, who remember it over this node's lives. */
  readonly progress: () => StoreProgress;
}

/** What is counted; all only rise. */
export interface MembershipCounters {
  datagramsIn: number;
  datagramsOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Dropped: no valid datagram. */
  malformed: number;
  /** Dropped: of another cluster. */
  wrongCluster: number;
  /** Claims against this node that it had to refute. */
  refuted: number;
  /** Times when the event loop was so late that verdicts had to wait. */
  stalls: number;
}
