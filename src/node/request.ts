/**
 * Where an op came from and therefore where its answer goes. One small object per request; the cores carry it untouched.
 */

import { type NodeNumber, noNode } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import type { GetOp } from "../coordinator/get.ts";
import type { PutOp } from "../coordinator/put.ts";
import type { ReplicaOp } from "../replica/replica.ts";
import type { Asking } from "../wire/frame.ts";
import type { MultiGetResult } from "../wire/gen/codecs.ts";
import type { Session } from "./session.ts";
import { Ticket } from "./ticket.ts";

/** A request for data, of a client or of a peer. */
export class Request extends Ticket {
  /** The node that forwarded this put here, or 0. */
  readonly forwardedBy: NodeNumber | 0;
  /** When it came: it may have stood in line since. */
  readonly arrivedAt: Instant;
  /** Bytes of the frame's body, which a put holds until it is done. */
  readonly bytes: number;
  /** A peer's read that began while this node was still receiving the partition. */
  unsynced = false;
  /** Another get that the same flight answers (flights.ts). */
  companion: GetOrigin | null = null;
  /** Of a peer's read: it takes the head of a record of more bytes; 0: it wants the record. */
  bodyMax = 0;

  constructor(arrivedAt: Instant, session: Session, asking: Asking, forwardedBy: NodeNumber | 0 = noNode, bytes = 0) {
    super(session, asking);
    this.arrivedAt = arrivedAt;
    this.forwardedBy = forwardedBy;
    this.bytes = bytes;
  }
}

/** One multi-get: answered when all its keys are. */
export class MultiGet {
  readonly request: Request;
  readonly results: MultiGetResult[];
  pending: number;
  /** Bytes of records gathered so far: what does not fit into one frame must be asked alone. */
  bytes = 0;

  constructor(request: Request, results: MultiGetResult[]) {
    this.request = request;
    this.results = results;
    this.pending = results.length;
  }
}

/** One key of a multi-get. */
export class MultiGetPart {
  readonly whole: MultiGet;
  readonly index: number;
  companion: GetOrigin | null = null;

  constructor(whole: MultiGet, index: number) {
    this.whole = whole;
    this.index = index;
  }
}

/** Where a get's answer goes. */
export type GetOrigin = Request | MultiGetPart;

/** A put or get that this node coordinates. */
export type AnyOp = PutOp<Request> | GetOp<GetOrigin>;

/** The request that a get's answer belongs to. */
export function requestOf(origin: GetOrigin): Request {
  return origin instanceof Request ? origin : origin.whole.request;
}

/** The origin of a replica op that a part asks for itself: told of its end, inside the replica, so it only takes note. */
export interface ReplicaTask {
  onReplicaDone(now: Instant, op: ReplicaOp<ReplicaOrigin>): void;
}

/** Where a replica op's result goes: to a peer's request, to the own slot of a put or get, or to a part of the node. */
export type ReplicaOrigin = Request | AnyOp | ReplicaTask;
