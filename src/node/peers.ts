/**
 * Peers: one outgoing link to every other member of the ring, and what the data path knows of each: `ok`, `connecting`
 * or `down`. A request to a peer that is not `ok` fails at once; requests under way when a link breaks fail with it.
 *
 * A peer is `down` when its link is refused, reset or broken, its hello does not come in time, or a ping stays
 * unanswered (a half-open TCP connection looks alive to the kernel for minutes). One that says it is stopping stays `ok`
 * until its link ends: it answers what it was asked. A peer that is down is dialled again after 250 ms,
 * doubling to 5 s, and at once when the peer itself says hello here. Not here: membership; this is routing only.
 */

import { hexOf } from "../base/bytes.ts";
import { statusOk } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { after, type Instant, never } from "../base/time.ts";
import type { StoreProgress } from "../membership/member.ts";
import type { Member, Ring } from "../ring/ring.ts";
import type { Encoder } from "../wire/codec.ts";
import { type Frame, FrameReader, type FrameSink, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, Hello } from "../wire/gen/codecs.ts";
import { frameBytesMax } from "../wire/limits.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { WireError } from "../wire/wire-error.ts";
import type { NodeState } from "./state.ts";

/** What the data path knows of a peer. */
export type PeerState = "connecting" | "ok" | "down";

const helloTimeoutUs = 3_000_000;
const retryFirstUs = 250_000;
const retryMaxUs = 5_000_000;
const pingAfterUs = 1_000_000;
const pingTimeoutUs = 3_000_000;
const mebibyte = 1024 * 1024;

/** What the links report; `Node` binds it. */
export interface PeerEvents {
  /** The answer to a request of ours, borrowed until return. May throw `WireError`. */
  onReply(now: Instant, peer: Peer, frame: Frame): void;
  /** The peer's hello came: it can be asked. `seen`: what this node last told the peer of its store. */
  onPeerUp(now: Instant, peer: Peer, seen: StoreProgress): void;
  /** The link broke, could not be made, or was refused: whatever was asked of the peer and not answered has failed. */
  onPeerLost(now: Instant, peer: Peer, wasUp: boolean): void;
  /** The peer takes no new work: it is about to stop. What it was asked it still answers. */
  onPeerStopping(now: Instant, peer: Peer): void;
  /** The peer has answered a ping. */
  onPeerAlive(now: Instant, peer: Peer): void;
  /** The ring names a peer that it did not name before; or it has left, and its link is gone. */
  onPeerKnown(peer: Peer): void;
  onPeerGone(peer: Peer): void;
  /** This node's hello. */
  describe(): Hello;
  wantFlush(writer: FrameWriter): void;
  settle(now: Instant): void;
}

/** The outgoing link to one member, over all its reconnections. */
export class Peer implements LinkEvents, FrameSink {
  readonly member: Member;
  state: PeerState = "connecting";
  /** Whether a first attempt to reach it has ended, well or not. */
  tried = false;
  /** The highest epoch that it has told, by hello or about a ring: what it obeys, or a later one. */
  epoch = 0;
  readonly #shared: NodeState;
  readonly #events: PeerEvents;
  #link: Link | undefined = undefined;
  #reader: FrameReader | undefined = undefined;
  #writer: FrameWriter | undefined = undefined;
  #retryUs = retryFirstUs;
  /** When something must happen unless an event comes first: dial again, give up a hello, ping, give up a ping. */
  #due: Instant = never;
  #pinged = false;
  #heard = false;

  constructor(member: Member, shared: NodeState, events: PeerEvents) {
    this.member = member;
    this.#shared = shared;
    this.#events = events;
  }

  get number(): NodeNumber {
    return this.member.number;
  }

  get due(): Instant {
    return this.#due;
  }

  dial(now: Instant): void {
    if (this.#link !== undefined) return;
    this.state = "connecting";
    this.#due = after(now, helloTimeoutUs);
    this.#link = this.#shared.env.transport.connect(this.member.address, this);
  }

  /** The peer is known to be up: do not wait for the back-off. */
  dialSoon(now: Instant): void {
    this.#retryUs = retryFirstUs;
    if (this.#link === undefined) this.dial(now);
  }

  /** Asks for a sign of life now, if there is a link; without one it is being dialled, or will be. */
  ping(): void {
    if (this.state === "ok") this.#writer?.sendEmpty(FrameType.PING, 0, 0);
  }

  /** Sends a request; false if the peer is not `ok` or its queue is full: nothing was sent. */
  send<T>(type: number, frameId: number, codec: Encoder<T>, message: T): boolean {
    if (this.state !== "ok" || this.#writer === undefined) return false;
    return this.#writer.send(type, 0, frameId, codec, message);
  }

  onOpen(): void {
    const link = this.#link as Link;
    const queuedBytesMax = this.#shared.config.queuedMiBPerConnectionMax * mebibyte;
    const writer: FrameWriter = new FrameWriter(link, { queuedBytesMax }, () => this.#events.wantFlush(writer));
    this.#reader = new FrameReader(this, frameBytesMax);
    this.#writer = writer;
    writer.send(FrameType.HELLO, 0, 0, Hello, this.#events.describe());
    writer.flush();
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    this.#heard = true;
    this.#shared.onRead(now);
    this.#reader?.feed(now, chunk);
    this.#events.settle(now);
  }

  onWritable(now: Instant): void {
    this.#writer?.onWritable();
    this.#events.settle(now);
  }

  onFrame(now: Instant, frame: Frame): void {
    const { type } = frame;
    try {
      if (type === (FrameType.HELLO | REPLY_BIT)) this.#onHello(now, frame);
      else if (type === (FrameType.PING | REPLY_BIT)) this.#events.onPeerAlive(now, this);
      else if (type === (FrameType.GOAWAY | REPLY_BIT)) this.#onRefused(frame);
      else if (type === FrameType.GOAWAY) this.#onGoAway(now);
      else this.#events.onReply(now, this, frame);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#shared.env.log.error("peer sent a malformed answer", { peer: this.member.address, reason: error.message });
      this.#link?.destroy();
    }
  }

  onBadFrame(_now: Instant, reason: string): void {
    this.#shared.env.log.error("peer sent bytes that are no frame", { peer: this.member.address, reason });
    this.#link?.destroy();
  }

  #onHello(now: Instant, frame: Frame): void {
    if (frame.status !== statusOk) {
      this.#onRefused(frame);
      return;
    }
    const hello = frame.decode(Hello);
    if (hexOf(hello.nodeId) !== this.member.id) {
      this.#shared.env.log.warn("another node answers at a peer's address: it may be there to replace it", {
        address: this.member.address,
        expected: this.member.id,
        found: hexOf(hello.nodeId),
      });
      this.#link?.destroy();
      return;
    }
    this.epoch = Math.max(this.epoch, hello.epoch);
    this.state = "ok";
    this.tried = true;
    this.#retryUs = retryFirstUs;
    this.#pinged = false;
    this.#due = after(now, pingAfterUs);
    this.#shared.env.log.info("peer reached", { peer: this.member.name, address: this.member.address });
    this.#events.onPeerUp(now, this, { losses: hello.seenLosses, batches: hello.seenBatches });
  }

  #onGoAway(now: Instant): void {
    this.#shared.env.log.info("peer is stopping", { peer: this.member.name, address: this.member.address });
    this.#events.onPeerStopping(now, this);
  }

  #onRefused(frame: Frame): void {
    const reason = frame.size > 0 ? frame.decode(ErrorReply).message : `status ${frame.status}`;
    this.#shared.env.log.warn("peer refused the connection", { peer: this.member.address, reason });
    this.#link?.destroy();
  }

  onClosed(now: Instant, reason: string): void {
    const wasOk = this.state === "ok";
    this.state = "down";
    this.tried = true;
    this.#link = undefined;
    this.#reader?.stop();
    this.#reader = undefined;
    this.#writer?.close();
    this.#writer = undefined;
    this.#due = after(now, this.#retryUs);
    this.#retryUs = Math.min(this.#retryUs * 2, retryMaxUs);
    if (wasOk) {
      this.#shared.env.log.warn("peer lost", { peer: this.member.name, address: this.member.address, reason });
    }
    this.#events.onPeerLost(now, this, wasOk);
    this.#events.settle(now);
  }

  tick(now: Instant): void {
    if (this.#due > now) return;
    if (this.#link === undefined) this.dial(now);
    else if (this.state === "connecting" || (this.#pinged && !this.#heard)) {
      this.#due = never;
      this.#link.destroy();
    } else if (this.#heard) {
      this.#heard = false;
      this.#pinged = false;
      this.#due = after(now, pingAfterUs);
    } else {
      this.#pinged = true;
      this.#writer?.sendEmpty(FrameType.PING, 0, 0);
      this.#due = after(now, pingTimeoutUs);
    }
  }

  close(): void {
    this.#due = never;
    this.#writer?.flush();
    this.#link?.close();
  }
}

/** All peers, by node number. */
export class Peers {
  readonly #shared: NodeState;
  readonly #events: PeerEvents;
  readonly #byNumber: (Peer | undefined)[] = [];
  readonly #list: Peer[] = [];
  #joined = false;
  #stopped = false;

  constructor(shared: NodeState, events: PeerEvents) {
    this.#shared = shared;
    this.#events = events;
  }

  /** Dials every member of the ring but this node, and parts with those that left. */
  join(now: Instant, ring: Ring): void {
    this.#joined = true;
    for (const member of ring.members) {
      if (member.status === "left") this.#part(member.number);
      if (member.status === "left" || member.number === this.#shared.number) continue;
      if (this.#byNumber[member.number] !== undefined) continue;
      const peer = new Peer(member, this.#shared, this.#events);
      this.#byNumber[member.number] = peer;
      this.#list.push(peer);
      this.#events.onPeerKnown(peer);
      peer.dial(now);
    }
  }

  #part(number: NodeNumber): void {
    const peer = this.#byNumber[number];
    if (peer === undefined) return;
    peer.close();
    this.#byNumber[number] = undefined;
    this.#list.splice(this.#list.indexOf(peer), 1);
    this.#events.onPeerGone(peer);
  }

  /** Whether members can be told from strangers: a node that starts has its ring for a while before it knows its peers. */
  get joined(): boolean {
    return this.#joined;
  }

  get list(): readonly Peer[] {
    return this.#list;
  }

  /** The peer of that number; undefined for this node itself and for strangers. */
  of(number: number): Peer | undefined {
    return this.#byNumber[number];
  }

  /** Whether a peer that can be reached has told an epoch above this one. */
  isAhead(epoch: number): boolean {
    for (const peer of this.#list) if (peer.state === "ok" && peer.epoch > epoch) return true;
    return false;
  }

  /** Whether a first attempt to reach each peer has ended. */
  get allTried(): boolean {
    for (const peer of this.#list) if (!peer.tried) return false;
    return true;
  }

  tick(now: Instant): void {
    if (this.#stopped) return;
    for (const peer of this.#list) peer.tick(now);
  }

  nextTick(): Instant {
    let next: Instant = never;
    if (this.#stopped) return next;
    for (const peer of this.#list) if (peer.due < next) next = peer.due;
    return next;
  }

  close(): void {
    this.#stopped = true;
    for (const peer of this.#list) peer.close();
  }
}
