/**
 * Part: what lives in a node beside the data path: membership, ring changes, hints, transfers, repair. Each is one or more
 * cores with their effects bound to this node; `Node` knows them only as parts, tells all of them what happens, and hands
 * each the frames of its types. A part never calls another; what one needs of the others it is given as functions.
 *
 * Cores must not be called from inside their own effects: what an effect causes at once waits in the part until `settle`.
 */
import type { NodeNumber } from "../base/ids.ts";
import { type Instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { Frame } from "../wire/frame.ts";
import type { Peer } from "./peers.ts";
import type { Session, SessionRole } from "./session.ts";

/** A request type and who may send it. */
export interface Route {
  readonly type: number;
  readonly roles: readonly SessionRole[];
}

/** Everything a part may be told; it overrides what concerns it. */
export abstract class Part {
  /** The request types it serves. */
  get routes(): readonly Route[] {
    return [];
  }

  /** The types of requests that it sends to peers: their replies come to it. */
  get asks(): readonly number[] {
    return [];
  }

  /** A request of one of its `routes`, borrowed. Throws `WireError` or `RingtailError` on bad input. */
  onRequest(_now: Instant, _session: Session, _frame: Frame): void {}

  /** The reply to a request of one of its `asks`, borrowed. Throws `WireError`. */
  onReply(_now: Instant, _peer: Peer, _frame: Frame): void {}

  /** The node obeys another ring from now on; also called for its first one. */
  onRing(_now: Instant, _ring: Ring): void {}

  /** Store and replica are there; the ring came before. */
  onStarted(_now: Instant): void {}

  /** The link to a peer is up: its hello came. */
  onPeerUp(_now: Instant, _number: NodeNumber): void {}

  /** The link to a peer broke: what was asked of it and not answered has failed. */
  onPeerLost(_now: Instant, _number: NodeNumber): void {}

  /** Whether something must still end before the node may stop; looked at once `stop` was called. */
  get busy(): boolean {
    return false;
  }

  tick(_now: Instant): void {}

  nextTick(): Instant {
    return never;
  }

  /** Last in every event, when no core is on the stack: does what effects left behind. */
  settle(_now: Instant): void {}

  /** The node begins to stop: begin nothing new. */
  stop(_now: Instant): void {}
}
