/**
 * DataPath: what gets and puts need, tied together: the services that take requests, the coordinators with their way to
 * replicas and peers, and the hints that are kept meanwhile. `Node` tells it what happens and knows no more of it.
 */
import { type DurationUs, type Instant, never } from "../base/time.ts";
import { PauseKind } from "../metrics/pauses.ts";
import type { Replica } from "../replica/replica.ts";
import type { Store } from "../storage/store.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { ClientService } from "./client-service.ts";
import { Coordination } from "./coordination.ts";
import { CoordinationReplies } from "./coordination-replies.ts";
import { EpochGate } from "./epoch-gate.ts";
import { Forwarding } from "./forwarding.ts";
import { Hinting } from "./hinting.ts";
import type { Inbox } from "./inbox.ts";
import { OpWatch } from "./op-watch.ts";
import { PeerService } from "./peer-service.ts";
import type { Peer, Peers } from "./peers.ts";
import type { ReplicaOrigin } from "./request.ts";
import { Routing } from "./routing.ts";
import type { NodeState } from "./state.ts";
import type { StoreQuestions } from "./store-questions.ts";

/** A turn that went to one key and took less than this is nobody's cause. */
const keyTurnUs: DurationUs = 1_000;

export class DataPath {
  readonly epochs: EpochGate;
  readonly clientService: ClientService;
  readonly peerService: PeerService;
  readonly coordination: Coordination;
  /** Where the time of requests goes. */
  readonly watch: OpWatch;
  /** A part: the node adds it as such. */
  readonly hinting: Hinting;
  readonly #routing: Routing;
  readonly #forwarding: Forwarding;
  readonly #replies: CoordinationReplies;
  readonly #shared: NodeState;
  /** When this turn began. */
  #turnAt: Instant = never;

  constructor(shared: NodeState, peers: Peers) {
    this.#shared = shared;
    this.epochs = new EpochGate(shared);
    this.#routing = new Routing(shared, peers);
    this.watch = new OpWatch(shared);
    this.clientService = new ClientService(shared, this.#routing, this.epochs, this.watch);
    this.peerService = new PeerService(shared, this.epochs);
    const { background } = shared;
    this.hinting = new Hinting({
      shared,
      peers,
      epochs: this.epochs,
      foreground: (now) => ({ foregroundUs: background.foregroundUs(now), limitUs: background.limitUs }),
    });
    this.coordination = new Coordination({
      shared,
      peers,
      routing: this.#routing,
      answers: this.clientService,
      watch: this.watch,
      hintKept: (now, target) => this.hinting.kept(now, target),
    });
    this.#replies = new CoordinationReplies(shared, this.coordination, this.watch);
    this.#forwarding = new Forwarding(shared, peers, this.#routing, {
      onForwardOver: (request) => this.clientService.reception.leave(request.session, request.bytes),
    });
    this.clientService.attach(this.coordination, this.#forwarding);
  }

  /** The store is open; the replica is not built yet. */
  openStore(store: Store, questions: StoreQuestions): void {
    this.hinting.attach(store, questions, this.coordination);
  }

  attach(replica: Replica<ReplicaOrigin>): void {
    this.coordination.attach(replica);
    this.peerService.attach(replica);
    this.clientService.copies.attach(replica);
  }

  /** Requests in line, and puts that have not left their coordinator: what these owe to silent owners is not forgotten by stopping. */
  get busy(): boolean {
    return this.coordination.puts.inFlight > 0 || this.#inbox.waiting > 0;
  }

  get #inbox(): Inbox {
    return this.clientService.reception.inbox;
  }

  /** Something has come over a link. */
  onEvent(now: Instant): void {
    if (this.#turnAt === never) this.#turnAt = now;
  }

  /** The end of a turn: clients' requests that stand in line. Returns whether the next turn should come at once. */
  endTurn(now: Instant): boolean {
    const tookUs = Math.max(0, now - this.#turnAt);
    if (this.#shared.turnKeys.end() && tookUs >= keyTurnUs) {
      this.#shared.env.pauses.note(PauseKind.key, this.#turnAt, now);
    }
    const again = this.#inbox.endTurn(now, tookUs);
    // With more in line the loop does not rest: what is done from here on is part of the next turn.
    this.#turnAt = again ? now : never;
    if (this.#inbox.overloaded) this.#shared.background.yield();
    this.coordination.endTurn(now);
    return again;
  }

  /** Whether requests in line are due for a look although nothing has come. */
  get inLine(): boolean {
    return this.#inbox.waiting > 0;
  }

  /** A peer's reply; false: it is none of the data path's. Throws `WireError` on a malformed body. */
  onReply(now: Instant, peer: Peer, frame: Frame): boolean {
    if (frame.answers !== FrameType.FORWARD_PUT) return this.#replies.take(now, peer, frame);
    this.#forwarding.onReply(now, frame);
    return true;
  }

  onPeerKnown(peer: Peer): void {
    this.#routing.health.watch(peer.number);
  }

  onPeerGone(peer: Peer): void {
    this.#routing.health.unwatch(peer.number);
  }

  onPeerUp(now: Instant, peer: Peer): void {
    this.#routing.health.connected(now, peer.number);
  }

  onPeerAlive(now: Instant, peer: Peer): void {
    this.#routing.health.answeredLate(now, peer.number);
  }

  onPeerStopping(now: Instant, peer: Peer): void {
    this.#routing.health.stopping(now, peer.number);
  }

  onPeerLost(now: Instant, peer: Peer, wasUp: boolean): void {
    this.#routing.health.refused(now, peer.number);
    if (!wasUp) return;
    this.coordination.onPeerLost(now, peer.number);
    this.#forwarding.onPeerLost(now, peer.number);
  }

  /** The node obeys another ring. */
  onRing(now: Instant): void {
    this.#forwarding.onRing(now);
    this.epochs.onRing(now);
  }

  expire(now: Instant): void {
    this.coordination.expire(now);
    this.#forwarding.expire(now);
    this.epochs.expire(now);
  }

  nextDeadline(now: Instant): Instant {
    const requests = Math.min(this.coordination.nextDeadline(), this.#forwarding.nextDeadline());
    return Math.min(requests, this.epochs.nextDeadline(), this.#inbox.nextTick(now)) as Instant;
  }
}
