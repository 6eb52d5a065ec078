/**
 * Forwarding: a put that reached a node which does not own the key goes to an owner, one hop, with its request id and
 * what is left of its time (mechanisms.md 3.2). The request id makes it safe to try another owner when the first one's
 * link breaks: whichever of them took it, it is one write.
 */

import { DeadlineQueue } from "../base/deadlines.ts";
import { codeOf, type Status, wireOf } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import { decode, ErrorReply, PutReply, PutRequest } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { Peers } from "./peers.ts";
import type { Request } from "./request.ts";
import type { NodeState } from "./state.ts";

const marginUs = 2_000;
const attemptsMax = 3;

class Forward {
  readonly request: Request;
  readonly put: PutRequest;
  readonly targets: Uint16Array;
  readonly n: number;
  readonly deadline: Instant;
  target: NodeNumber | 0 = 0;
  /** Slots that were tried. */
  tried = 0;
  attempts = 0;

  constructor(request: Request, put: PutRequest, targets: Uint16Array, n: number, deadline: Instant) {
    this.request = request;
    this.put = put;
    this.targets = targets;
    this.n = n;
    this.deadline = deadline;
  }
}

/** Told when a forwarded request is over, so that admission counts it out. */
export interface ForwardingEvents {
  onForwardOver(request: Request): void;
}

export class Forwarding {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #events: ForwardingEvents;
  readonly #forwards: Slab<Forward>;
  readonly #deadlines: DeadlineQueue = new DeadlineQueue();
  readonly #count;

  constructor(shared: NodeState, peers: Peers, events: ForwardingEvents) {
    this.#shared = shared;
    this.#peers = peers;
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
    targets: Uint16Array,
    n: number,
    timeoutUs: number,
  ): boolean {
    if (this.#forwards.full) {
      request.session.fail(request.type, request.frameId, wireOf("OVERLOADED"), "");
      return false;
    }
    const forward = new Forward(request, put, targets, n, after(now, timeoutUs));
    const id = this.#forwards.add(forward);
    if (!this.#send(now, id, forward)) {
      this.#forwards.remove(id);
      request.session.fail(
        request.type,
        request.frameId,
        wireOf("QUORUM_NOT_MET"),
        "no owner of the key is reachable from this node",
      );
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

  #send(now: Instant, id: number, forward: Forward): boolean {
    if (forward.attempts >= attemptsMax) return false;
    forward.put.epoch = this.#shared.epoch;
    forward.put.timeoutUs = Math.max(1, forward.deadline - now - marginUs);
    for (let slot = 0; slot < forward.n; slot += 1) {
      if (((forward.tried >>> slot) & 1) === 1) continue;
      const number = forward.targets[slot] as NodeNumber;
      forward.tried |= 1 << slot;
      if (this.#peers.of(number)?.send(FrameType.FORWARD_PUT, id * 8, PutRequest, forward.put) === true) {
        forward.target = number;
        forward.attempts += 1;
        return true;
      }
    }
    return false;
  }

  /** An owner's answer; relayed as it is, but for who forwarded it. */
  onReply(now: Instant, status: Status, frameId: number, bytes: Uint8Array, start: number, end: number): void {
    const id = frameId >>> 3;
    const forward = this.#forwards.get(id);
    if (forward === undefined) return;
    const { session, type, frameId: clientFrameId } = forward.request;
    if (status === 0) {
      const reply = decode(PutReply, bytes, start, end);
      reply.forwardedBy = this.#shared.number;
      this.#over(id, forward);
      session.answer(type, clientFrameId, PutReply, reply);
      return;
    }
    const code = codeOf(status);
    const elsewhere = code === "WRONG_OWNER" || code === "NODE_STOPPING" || code === "OVERLOADED";
    if (elsewhere && this.#send(now, id, forward)) return;
    const reply = decode(ErrorReply, bytes, start, end);
    this.#over(id, forward);
    session.fail(type, clientFrameId, status, reply.message, reply.retryAfterUs);
  }

  /** That peer's link broke: what it was working on is tried at another owner. */
  onPeerLost(now: Instant, number: NodeNumber): void {
    this.#forwards.forEach((forward, id) => {
      if (forward.target !== number || this.#send(now, id, forward)) return;
      this.#over(id, forward);
      const { session, type, frameId } = forward.request;
      session.fail(
        type,
        frameId,
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
      const { session, type, frameId } = forward.request;
      session.fail(
        type,
        frameId,
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
