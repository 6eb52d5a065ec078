/**
 * Forwarding: a put that reached a node which may not coordinate it goes to an owner, one hop, with its request id and
 * what is left of its time: the best of those that can be reached, else a fallback. The request id makes it safe to try
 * another one when the first one's link breaks: whichever of them took it, it is one write. One that says its ring is
 * newer and it is no owner is believed: that ring is awaited, and the put sent once more.
 */

import { DeadlineQueue } from "../base/deadlines.ts";
import { codeOf, statusOk, wireOf } from "../base/errors.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import type { Quorum } from "../coordinator/quorum.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { ErrorReply, PutReply, PutRequest } from "../wire/gen/codecs.ts";
import type { Peers } from "./peers.ts";
import type { Request } from "./request.ts";
import type { Routing } from "./routing.ts";
import type { NodeState } from "./state.ts";
import { bestOf, slotOf } from "./targets.ts";

const marginUs = 2_000;
const attemptsMax = 3;
const nobody = "no owner of the key is reachable from this node";
const noTargets = new Uint16Array(0);

class Forward {
  readonly request: Request;
  readonly put: PutRequest;
  readonly partition: PartitionId;
  readonly bucketN: number;
  /** How many owners there are to go to: the n of the request. */
  readonly n: number;
  readonly deadline: Instant;
  /** The preference list: owners, then fallbacks. */
  targets: Uint16Array;
  target: NodeNumber | 0 = 0;
  /** Places in the list that were tried, or are this node's. */
  tried = 0;
  attempts = 0;
  /** Somebody has refused the put although it may have taken effect: whatever the last one asked says. */
  inDoubt = false;
  /** The ring that is awaited before the last attempt; 0: none. */
  awaits = 0;
  again = false;

  constructor(request: Request, put: PutRequest, partition: PartitionId, quorum: Quorum, deadline: Instant) {
    this.request = request;
    this.put = put;
    this.partition = partition;
    this.bucketN = quorum.bucketN;
    this.n = quorum.n;
    this.deadline = deadline;
    this.targets = noTargets;
  }
}

/** Told when a forwarded request is over, so that admission counts it out. */
export interface ForwardingEvents {
  onForwardOver(request: Request): void;
}

export class Forwarding {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #routing: Routing;
  readonly #events: ForwardingEvents;
  readonly #forwards: Slab<Forward>;
  readonly #deadlines: DeadlineQueue = new DeadlineQueue();
  readonly #count;

  constructor(shared: NodeState, peers: Peers, routing: Routing, events: ForwardingEvents) {
    this.#shared = shared;
    this.#peers = peers;
    this.#routing = routing;
    this.#events = events;
    this.#forwards = new Slab(shared.config.inFlightMax);
    this.#count = shared.metrics.counter("puts_forwarded");
  }

  get inFlight(): number {
    return this.#forwards.size;
  }

  /** Sends the put on; false if it was answered with an error already. */
  forward(
    now: Instant,
    request: Request,
    put: PutRequest,
    partition: PartitionId,
    quorum: Quorum,
    timeoutUs: number,
  ): boolean {
    if (this.#forwards.full) {
      request.fail(wireOf("OVERLOADED"), "");
      return false;
    }
    const forward = new Forward(request, put, partition, quorum, after(now, timeoutUs));
    this.#aim(forward);
    const id = this.#forwards.add(forward);
    if (!this.#send(now, id, forward)) {
      this.#forwards.remove(id);
      request.fail(wireOf("QUORUM_NOT_MET"), nobody);
      return false;
    }
    this.#count.value += 1;
    // What a later attempt sends must outlive this turn; the frame's bytes do not.
    put.bucket = put.bucket.slice();
    put.key = put.key.slice();
    put.value = put.value.slice();
    put.context = put.context.slice();
    put.requestId = put.requestId.slice();
    this.#deadlines.push(now, id, timeoutUs);
    return true;
  }

  #aim(forward: Forward): void {
    const { ring, number } = this.#shared;
    forward.targets = ring.preferenceList(forward.partition, forward.bucketN);
    const self = slotOf(forward.targets, forward.targets.length, number);
    forward.tried = self < 0 ? 0 : 1 << self;
  }

  #send(now: Instant, id: number, forward: Forward): boolean {
    if (forward.attempts >= attemptsMax) return false;
    forward.put.epoch = this.#shared.epoch;
    forward.put.timeoutUs = Math.max(1, forward.deadline - now - marginUs);
    for (let at = this.#next(forward); at >= 0; at = this.#next(forward)) {
      const number = forward.targets[at] as NodeNumber;
      forward.tried |= 1 << at;
      if (this.#peers.of(number)?.send(FrameType.FORWARD_PUT, id * 8, PutRequest, forward.put) === true) {
        forward.target = number;
        forward.attempts += 1;
        return true;
      }
    }
    return false;
  }

  /** The place in the list of whom to ask next: the best owner, else the first fallback that can be reached; -1: none. */
  #next({ targets, n, tried }: Forward): number {
    const { health } = this.#routing;
    const owner = bestOf(targets, Math.min(n, targets.length), tried, health);
    if (owner >= 0) return owner;
    for (let at = n; at < targets.length; at += 1) {
      if ((tried & (1 << at)) === 0 && health.reachable(targets[at] as number)) return at;
    }
    return -1;
  }

  /** An owner's answer; relayed as it is, but for who forwarded it. */
  onReply(now: Instant, frame: Frame): void {
    const { status } = frame;
    const id = frame.frameId >>> 3;
    const forward = this.#forwards.get(id);
    if (forward === undefined) return;
    if (status === statusOk) {
      const reply = frame.decode(PutReply);
      reply.forwardedBy = this.#shared.number;
      this.#over(id, forward);
      forward.request.answer(PutReply, reply);
      return;
    }
    const code = codeOf(status);
    const reply = frame.decode(ErrorReply);
    forward.inDoubt ||= reply.inDoubt;
    if (code === "WRONG_OWNER" && this.#awaitsRing(now, forward, reply.epoch)) return;
    const elsewhere = code === "WRONG_OWNER" || code === "NODE_STOPPING" || code === "OVERLOADED";
    if (elsewhere && this.#send(now, id, forward)) return;
    this.#over(id, forward);
    forward.request.fail(status, reply.message, reply.retryAfterUs, forward.inDoubt);
  }

  /** Whether it is worth to wait for the ring of that epoch: once. */
  #awaitsRing(now: Instant, forward: Forward, epoch: number): boolean {
    if (epoch <= this.#shared.epoch || forward.again) return false;
    mark("forward.stale-ring");
    forward.again = true;
    forward.awaits = epoch;
    if (forward.target !== 0) this.#shared.onNewerEpoch(now, forward.target, epoch);
    forward.target = 0;
    return true;
  }

  /** There is another ring: what has waited for it is sent to the owners that it names. */
  onRing(now: Instant): void {
    this.#forwards.forEach((forward, id) => {
      if (forward.awaits === 0 || forward.awaits > this.#shared.epoch) return;
      forward.awaits = 0;
      forward.attempts = 0;
      this.#aim(forward);
      if (this.#send(now, id, forward)) return;
      this.#over(id, forward);
      forward.request.fail(wireOf("QUORUM_NOT_MET"), nobody);
    });
  }

  /** That peer's link broke: what it was working on is tried at another owner. */
  onPeerLost(now: Instant, number: NodeNumber): void {
    this.#forwards.forEach((forward, id) => {
      if (forward.target !== number || this.#send(now, id, forward)) return;
      this.#over(id, forward);
      forward.request.fail(
        wireOf("CONNECTION_LOST"),
        `node ${number}, to which the put was forwarded, was lost; the put may still have happened`,
      );
    });
  }

  expire(now: Instant): void {
    for (let id = this.#deadlines.expired(now); id >= 0; id = this.#deadlines.expired(now)) {
      const forward = this.#forwards.get(id);
      if (forward === undefined) continue;
      this.#over(id, forward);
      forward.request.fail(
        wireOf("DEADLINE_EXCEEDED"),
        "the owner did not answer in time; the put may still have happened",
      );
    }
  }

  nextDeadline(): Instant {
    return this.#deadlines.next();
  }

  #over(id: number, forward: Forward): void {
    this.#forwards.remove(id);
    this.#events.onForwardOver(forward.request);
  }
}
