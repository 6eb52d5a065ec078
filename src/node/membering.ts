/**
 * Membering: membership (`membership/membership.ts`) in a node: datagrams and the peers' links for it to speak through, a
 * file, the event loop's delay, and what follows from its verdicts. Liveness is not ownership: nothing here changes the
 * ring, and requests are routed by what the data path sees itself.
 *
 * It begins with the first ring, for a node without one belongs to no cluster. Verdicts come from inside the core, so they
 * wait for `settle` before anybody is told.
 */
import { statusOk, wireOf } from "../base/errors.ts";
import type { ClusterId, NodeId, NodeNumber } from "../base/ids.ts";
import { emptyList } from "../base/one-shape.ts";
import { Rng } from "../base/rng.ts";
import { after, type Instant, instant, never } from "../base/time.ts";
import { Alarm, type MembershipEffects } from "../membership/effects.ts";
import { flagReadOnly, type MemberMeta, MemberState, type MemberView, stateName } from "../membership/member.ts";
import { Membership } from "../membership/membership.ts";
import type { RingDigest } from "../membership/own-member.ts";
import { profiles } from "../membership/profile.ts";
import { DiskRoom } from "../replica/replica-options.ts";
import type { Ring } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { Ack, Ping, StateSync } from "../wire/gen/codecs.ts";
import { protocolVersions } from "../wire/hello.ts";
import { loadMembers, membersBytes } from "./node-files.ts";
import { Part, type Route } from "./part.ts";
import type { Peer, Peers } from "./peers.ts";
import { seedOf } from "./random.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

/** Between two readings of the event loop's delay: half a probe's timeout. */
const loopDelayEveryUs = 100_000;
/** Who stopped of itself is back by then, or is not to be waited for. */
const restartUs = 30_000_000;
const silent = "this node does not speak as a member now";

/** What membership causes in the rest of the node; called when it is not on the stack. */
export interface MemberingEffects {
  /** A member's ring is not this node's. */
  ringDigestSeen(now: Instant, from: NodeNumber, digest: RingDigest): void;
  /** This node must not serve any more. */
  fence(now: Instant, reason: string): void;
  settle(now: Instant): void;
}

interface Change {
  readonly member: MemberView;
  readonly before: MemberState | undefined;
  readonly state: MemberState;
}

interface Seen {
  readonly from: NodeNumber;
  readonly digest: RingDigest;
}

export class Membering extends Part implements MembershipEffects {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #effects: MemberingEffects;
  #membership: Membership | undefined = undefined;
  readonly #changes: Change[] = emptyList();
  readonly #seen: Seen[] = emptyList();
  /** State syncs that were asked for, by token. */
  readonly #syncs: Map<number, NodeNumber> = new Map();
  readonly #failedSyncs: number[] = [];
  #twin = "";
  #tickedAt: Instant = instant(0);
  #loopDelayAt: Instant = never;
  /** What the others have been told of this node's disk. */
  #toldReadOnly = false;
  #leaving = false;
  #left = false;

  constructor(shared: NodeState, peers: Peers, effects: MemberingEffects) {
    super();
    this.#shared = shared;
    this.#peers = peers;
    this.#effects = effects;
    shared.isDead = (number) => this.#isDead(number);
    shared.isReachable = (number) => number === shared.number || this.#memberOf(number)?.reachable === true;
    shared.everyMemberAt = (epoch) => this.#everyMemberAt(epoch);
    shared.memberAt = (number, epoch) => this.#memberAt(number, epoch);
    shared.ringMaker = () => this.#ringMaker();
    shared.env.datagrams.attach({
      onDatagram: (now, from, bytes) => {
        if (this.#membership === undefined || this.#left) return;
        this.#membership.onDatagram(now, from, bytes);
        effects.settle(now);
      },
    });
  }

  override get routes(): readonly Route[] {
    return [
      { type: FrameType.STATE_SYNC, roles: ["node"] },
      { type: FrameType.TCP_PING, roles: ["node"] },
    ];
  }

  override get asks(): readonly number[] {
    return [FrameType.STATE_SYNC, FrameType.TCP_PING];
  }

  /** Goes on telling the others that this node leaves; over within three seconds. */
  override get busy(): boolean {
    return this.#leaving && !this.#left;
  }

  /** What is known of a member besides the ring's word; undefined for this node itself, and before the first ring. */
  memberOf(id: NodeId): MemberView | undefined {
    return this.#membership?.member(id);
  }

  /** This node's own incarnation; 0 while it has none. */
  get incarnation(): number {
    return this.#membership?.incarnation ?? 0;
  }

  #memberOf(number: NodeNumber): MemberView | undefined {
    const member = this.#shared.ringOrNone?.member(number);
    return member === undefined ? undefined : this.#membership?.member(member.id);
  }

  /** One that said goodbye is mostly being restarted; but it may never come back, and then it can be given up as well. */
  #isDead(number: NodeNumber): boolean {
    const member = this.#memberOf(number);
    if (member?.state === MemberState.left) return this.#tickedAt >= after(member.changedAt, restartUs);
    return member?.state === MemberState.dead;
  }

  #everyMemberAt(epoch: number): boolean {
    return this.#shared.ring.members.every(({ number }) => this.#memberAt(number, epoch));
  }

  /** A hello, a ring's message and every datagram tell the epoch of their sender's ring. Who has left counts as told. */
  #memberAt(number: NodeNumber, epoch: number): boolean {
    if (number === this.#shared.number) return this.#shared.epoch >= epoch;
    const member = this.#shared.ring.member(number);
    if (member === undefined || member.status === "left") return true;
    const told = Math.max(this.#peers.of(number)?.epoch ?? 0, this.#membership?.member(member.id)?.epoch ?? 0);
    return told >= epoch;
  }

  #ringMaker(): NodeNumber {
    const { ring, number: self, isReachable } = this.#shared;
    const maker = ring.members.find(({ number, status }) => status !== "left" && isReachable(number));
    return maker?.number ?? self;
  }

  override onRing(now: Instant, ring: Ring): void {
    const membership = this.#membership ?? this.#begin(now, ring.clusterId);
    const { epoch } = ring;
    membership.setRingDigest({ epoch, hashHigh: this.#shared.ringHash.high, hashLow: this.#shared.ringHash.low });
    const { min: versionMin, max: versionMax } = protocolVersions;
    for (const { id, number, address, status } of ring.members) {
      if (id === this.#shared.nodeId) continue;
      if (status === "left") membership.removeMember(now, id);
      else membership.addMember(now, { id, number, address, versionMin, versionMax, flags: 0 });
    }
  }

  #begin(now: Instant, clusterId: ClusterId): Membership {
    const { env, config, nodeId } = this.#shared;
    const membership = new Membership({
      effects: this,
      profile: profiles[config.profile],
      clusterId,
      id: nodeId,
      meta: this.#meta(),
      seeds: config.seedNodes,
      stored: loadMembers(env.stateFiles),
      rng: new Rng(seedOf(env.randomBytes(4))),
      progress: () => this.#shared.progress(),
    });
    this.#membership = membership;
    this.#shared.membership = membership;
    this.#loopDelayAt = after(now, loopDelayEveryUs);
    membership.start(now);
    return membership;
  }

  #meta(): MemberMeta {
    const { config, number, diskRoom } = this.#shared;
    const readOnly = diskRoom !== DiskRoom.enough;
    const { min: versionMin, max: versionMax } = protocolVersions;
    this.#toldReadOnly = readOnly;
    return { number, address: config.advertise, versionMin, versionMax, flags: readOnly ? flagReadOnly : 0 };
  }

  override onPeerUp(now: Instant, number: NodeNumber): void {
    // A link proves that the node lives; membership must hear it from the node itself.
    const member = this.#memberOf(number);
    if (member !== undefined && !member.reachable) this.#membership?.probeNow(now, member.id);
  }

  override onPeerLost(now: Instant, number: NodeNumber): void {
    for (const [token, asked] of this.#syncs) if (asked === number) this.#failedSyncs.push(token);
    const member = this.#memberOf(number);
    if (member?.reachable === true) this.#membership?.probeNow(now, member.id);
  }

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    if (frame.type === FrameType.TCP_PING) {
      const ack = this.#membership?.onTcpPing(now, frame.decode(Ping));
      if (ack === undefined) session.fail(frame, wireOf("OVERLOADED"), silent);
      else session.answer(frame, Ack, ack);
      return;
    }
    const state = this.#membership?.onStateSyncRequest(now, frame.decode(StateSync));
    if (state === undefined) session.fail(frame, wireOf("OVERLOADED"), silent);
    else session.answer(frame, StateSync, state);
  }

  override onReply(now: Instant, _peer: Peer, frame: Frame): void {
    const membership = this.#membership as Membership;
    if (frame.answers === FrameType.TCP_PING) {
      if (frame.status === statusOk) membership.onTcpAck(now, frame.decode(Ack));
      return;
    }
    const { frameId } = frame;
    if (!this.#syncs.delete(frameId)) return;
    if (frame.status === statusOk) membership.onStateSync(now, frameId, frame.decode(StateSync));
    else membership.onStateSyncFailed(now, frameId);
  }

  override tick(now: Instant): void {
    this.#tickedAt = now;
    if (this.#membership === undefined || this.#left) return;
    if (this.#loopDelayAt <= now) {
      this.#membership.onLoopDelay(now, now - this.#loopDelayAt);
      this.#loopDelayAt = after(now, loopDelayEveryUs);
    }
    if ((this.#shared.diskRoom !== DiskRoom.enough) !== this.#toldReadOnly) this.#membership.setMeta(now, this.#meta());
    this.#membership.tick(now);
  }

  override nextTick(): Instant {
    if (this.#membership === undefined || this.#left) return never;
    return instant(Math.min(this.#loopDelayAt, this.#membership.nextTick()));
  }

  override settle(now: Instant): void {
    for (let token = this.#failedSyncs.shift(); token !== undefined; token = this.#failedSyncs.shift()) {
      if (this.#syncs.delete(token)) this.#membership?.onStateSyncFailed(now, token);
    }
    for (let seen = this.#seen.shift(); seen !== undefined; seen = this.#seen.shift())
      this.#effects.ringDigestSeen(now, seen.from, seen.digest);
    for (let change = this.#changes.shift(); change !== undefined; change = this.#changes.shift())
      this.#tell(now, change);
    if (this.#twin === "") return;
    const twin = this.#twin;
    this.#twin = "";
    this.#effects.fence(now, `another node at ${twin} has this node's id: one directory was copied; stop one of them`);
  }

  #tell(now: Instant, { member, before, state }: Change): void {
    const known = this.#shared.ringOrNone?.members.find(({ id }) => id === member.id);
    if (known === undefined) return;
    this.#shared.onReadOnly(known.number, (member.flags & flagReadOnly) !== 0);
    if (before === state) return;
    const reachable = state <= MemberState.suspect;
    if (before !== undefined) {
      const was = stateName(before);
      this.#shared.journal.note("member", `${known.name} (node ${known.number}) is ${stateName(state)}, was ${was}`);
    }
    if (reachable && state === MemberState.alive) this.#peers.of(known.number)?.dialSoon(now);
    if (before !== undefined && reachable === before <= MemberState.suspect) return;
    for (const listener of this.#shared.onMemberChanged) listener(now, known.number, reachable);
  }

  override stop(now: Instant): void {
    if (this.#membership === undefined || this.#leaving) return;
    this.#leaving = true;
    this.#membership.leave(now);
  }

  // What membership asks for.

  sendDatagram(_now: Instant, address: string, bytes: Uint8Array): void {
    this.#shared.env.datagrams.send(address, bytes);
  }

  #peerAt(address: string): Peer | undefined {
    return this.#peers.list.find((peer) => peer.member.address === address && peer.state === "ok");
  }

  pingOverTcp(_now: Instant, address: string, ping: Fields<Ping>): void {
    this.#peerAt(address)?.send(FrameType.TCP_PING, 0, Ping, ping);
  }

  requestStateSync(_now: Instant, address: string, token: number, state: Fields<StateSync>): void {
    const peer = this.#peerAt(address);
    this.#syncs.set(token, peer?.number ?? this.#shared.number);
    if (peer?.send(FrameType.STATE_SYNC, token, StateSync, state) !== true) this.#failedSyncs.push(token);
  }

  memberChanged(now: Instant, member: MemberView, before: MemberState | undefined): void {
    this.#shared.watchMembers(now, member, before);
    this.#changes.push({ member, before, state: member.state });
  }

  flappingChanged(_now: Instant, { number, flapping }: MemberView): void {
    const text = flapping ? "dies and returns too often: it is routed around" : "is steady again";
    this.#shared.journal.note("member", `node ${number} ${text}`);
  }

  ringDigestSeen(_now: Instant, member: MemberView, digest: RingDigest): void {
    const known = this.#shared.ringOrNone?.members.find(({ id }) => id === member.id);
    if (known !== undefined) this.#seen.push({ from: known.number, digest });
  }

  persist(_now: Instant, bytes: Uint8Array, token: number): void {
    this.#shared.saves.save("members", membersBytes(bytes), (now) => this.#membership?.onPersisted(now, token));
  }

  alarm(_now: Instant, alarm: Alarm, id: NodeId, address: string): void {
    if (alarm === Alarm.cloned) this.#twin = address;
    else {
      const text = "answers over TCP and not over UDP: a firewall, or a wrong address";
      this.#shared.env.log.warn("a member answers over TCP and not over UDP", { id, address });
      this.#shared.journal.note("member", `the node at ${address} ${text}`);
    }
  }

  left(): void {
    this.#left = true;
  }
}
