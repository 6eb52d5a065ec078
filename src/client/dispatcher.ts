/**
 * Dispatcher: where each request is, from its beginning to its end: waiting at a node (no connection yet, or no place
 * free), sent, or delayed until its next attempt; and what follows from an answer, a refusal, a lost connection or a
 * silence. How the client itself comes and goes, and by which ring, is core.ts's.
 */
import { codeOf, type ErrorCode, RingtailError, type Status, statusOk } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import type { Frame } from "../wire/frame.ts";
import { REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, GetReply } from "../wire/gen/codecs.ts";
import type { Connection } from "./connection.ts";
import { failureOf, leavesDoubt } from "./failures.ts";
import { frameTypeOf } from "./frames.ts";
import { Hedging } from "./hedging.ts";
import type { KnownNode } from "./known-node.ts";
import { LateAttempts } from "./late-attempts.ts";
import { attemptOf, Ledger } from "./ledger.ts";
import type { Pool } from "./pool.ts";
import { type AnyReply, type Attempt, type Request, RequestKind, RequestState } from "./request.ts";
import { RetryBudget, retryDelay } from "./retry.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import { type RouteQuery, Router } from "./router.ts";
import { Throttle } from "./throttle.ts";

/** A node that said it is stopping is not asked again for this long, unless it is the only one. */
const stoppingUs: DurationUs = 1_000_000;
/** A node that left a request unanswered for half of its time is not the first choice for this long. */
const silentUs: DurationUs = 1_000_000;

const getReplyType = frameTypeOf(RequestKind.get) | REPLY_BIT;

/** What a `Dispatcher` is made of, once the client has a ring. */
export interface DispatcherOptions {
  readonly pool: Pool;
  readonly keeper: RingKeeper;
  readonly rng: Rng;
  /** Requests at once; more are refused with `OVERLOADED`. */
  readonly inFlightMax: number;
  /** What nearly every get should take at the most; 0: no get is asked of two nodes. */
  readonly latencyTargetUs: DurationUs;
  /** `tick` is to be called at this instant, or before. */
  readonly wantTick: (at: Instant) => void;
}

/** The requests of one open client. */
export class Dispatcher {
  readonly #pool: Pool;
  readonly #keeper: RingKeeper;
  readonly #rng: Rng;
  readonly #router: Router;
  readonly #budget = new RetryBudget();
  readonly #throttle = new Throttle();
  readonly #ledger: Ledger;
  readonly #hedging: Hedging;
  readonly #late = new LateAttempts();
  readonly #wantTick: (at: Instant) => void;

  constructor(options: DispatcherOptions) {
    this.#pool = options.pool;
    this.#keeper = options.keeper;
    this.#rng = options.rng;
    this.#router = new Router(options.rng, options.pool);
    this.#ledger = new Ledger(options.inFlightMax);
    this.#hedging = new Hedging(options.latencyTargetUs, () => options.pool.nodes);
    this.#wantTick = options.wantTick;
  }

  /** Requests that have not ended. */
  get size(): number {
    return this.#ledger.size;
  }

  /** Begins a request whose arguments were checked; its events follow. An error: refused, and no event follows. */
  begin(now: Instant, request: Request<AnyReply>): RingtailError | null {
    if (this.#ledger.full) {
      const text = `${this.#ledger.size} requests are in flight, which is this client's limit (inFlightMax)`;
      return new RingtailError("OVERLOADED", text);
    }
    if (this.#throttle.holdsBack(now, this.#rng)) {
      mark("client.holds-back");
      return new RingtailError("OVERLOADED", "not sent: nodes have refused most requests of the last second");
    }
    this.#budget.count(now);
    this.#keeper.use(now);
    this.#ledger.add(now, request);
    this.#wantTick(request.isPinned ? this.#ledger.nextTick() : request.deadline);
    this.#dispatch(now, request);
    if (request.kind === RequestKind.get) this.#planHedge(now, request);
    return null;
  }

  /**
   * A get is asked of a second node if it is late; and at once if an owner is held for slow, so that this is found out to
   * be over and nobody waits for it.
   */
  #planHedge(now: Instant, request: Request<AnyReply>): void {
    const delay = this.#hedging.begin(now);
    if (delay === 0) return;
    const slow = this.#router.toTryAgain(now);
    if (slow !== undefined && request.state === RequestState.sent) this.#askToo(now, request, slow);
    if (request.other !== null) return;
    this.#ledger.hedgeAfter(now, request, delay);
    this.#wantTick(this.#ledger.nextTick());
  }

  /** Gets that were asked of a second node because the first was late. */
  get hedges(): number {
    return this.#hedging.count;
  }

  /** Whether the budget allows one more retry; takes it. */
  takeRetry(now: Instant): boolean {
    return this.#budget.take(now);
  }

  /** The node that a request would go to now. */
  nodeFor(now: Instant, query: RouteQuery & { readonly isPinned?: boolean }): KnownNode {
    const only = query.isPinned === true ? this.#pool.known(query.prefer) : undefined;
    if (only !== undefined) return only;
    return this.#router.pick(now, this.#keeper.ring, query);
  }

  /** Gives up a request: no event follows. A write that was sent may still happen. */
  cancel(now: Instant, request: Request<AnyReply>): void {
    if (request.state === RequestState.ended) return;
    this.#dropOther(now, request);
    const node = this.#withdraw(request);
    this.#ledger.end(request);
    if (node !== undefined) this.pump(now, node);
  }

  /** Picks a node and sends the request, or lets it wait there. */
  #dispatch(now: Instant, request: Request<AnyReply>): void {
    const node = this.nodeFor(now, request);
    const connection = node.waiting.size === 0 ? node.freeConnection(request.weight) : undefined;
    if (connection !== undefined && this.#send(now, node, connection, request)) return;
    request.state = RequestState.waiting;
    request.node = node.number;
    node.waiting.push(request);
    this.#pool.warm(now, node);
    this.#wantTick(node.connections.length === 0 ? node.probeAt : this.#pool.nextTick());
  }

  #send(now: Instant, node: KnownNode, connection: Connection, request: Request<AnyReply>): boolean {
    const remaining = Math.max(1, request.deadline - now);
    if (
      !connection.send(this.#ledger.frameIdOf(request, request.attempts), request, this.#keeper.ring.epoch, remaining)
    )
      return false;
    request.state = RequestState.sent;
    request.node = node.number;
    request.connection = connection.id;
    request.attempt = request.attempts;
    request.attempts += 1;
    request.sentAt = now;
    node.askedAt = now;
    node.inFlight += request.weight;
    return true;
  }

  /** Sends what waits at this node, as far as there is room. */
  pump(now: Instant, node: KnownNode): void {
    for (let request = node.waiting.peek(); request !== undefined; request = node.waiting.peek()) {
      const connection = node.freeConnection(request.weight);
      if (connection === undefined) return;
      node.waiting.remove(request);
      if (this.#send(now, node, connection, request)) continue;
      this.#dispatch(now, request);
      return;
    }
  }

  /** Requests that wait at a node that is not up choose again: another may have become better. */
  reroute(now: Instant, node: KnownNode): void {
    for (let left = node.waiting.size; left > 0; left -= 1) {
      const request = node.waiting.peek() as Request<AnyReply>;
      node.waiting.remove(request);
      if (request.isPinned) this.#fail(now, request, "CONNECTION_LOST", node.reason, labelOf(node), 0);
      else this.#dispatch(now, request);
    }
  }

  /** Takes the request out of wherever it is; returns the node that has a place free now. */
  #withdraw(request: Request<AnyReply>): KnownNode | undefined {
    const node = this.#pool.known(request.node);
    switch (request.state) {
      case RequestState.waiting:
        node?.waiting.remove(request);
        return undefined;
      case RequestState.delayed:
        this.#ledger.undelay(request);
        return undefined;
      case RequestState.sent:
        this.#free(request.connection, request.node, request.weight);
        request.connection = 0;
        return node;
      default:
        return undefined;
    }
  }

  /** The answer of a node, of whatever type and to whomever. */
  onReply(now: Instant, connection: Connection, frame: Frame): void {
    const request = this.#ledger.find(frame.frameId, connection.id);
    if (request === undefined || frame.type !== (frameTypeOf(request.kind) | REPLY_BIT)) {
      mark("client.late-reply");
      const late = this.#late.answered(frame.frameId, connection.id);
      if (late === undefined) return;
      // Only gets are asked twice.
      const isAnswer = frame.type === getReplyType && frame.status === statusOk;
      if (isAnswer) this.#pool.known(late.node)?.told(now, frame.decode(GetReply));
      this.#onLate(now, late);
    } else if (frame.status === statusOk) this.#onAnswer(now, connection, request, frame.decode(request.codec));
    else this.#onRefusal(now, connection, request, frame.status, frame.decode(ErrorReply));
  }

  #onAnswer(now: Instant, connection: Connection, request: Request<AnyReply>, reply: AnyReply): void {
    this.#dropOther(now, request);
    const node = this.#withdraw(request);
    node?.sample(now, now - request.sentAt);
    this.#throttle.onAnswer(now);
    node?.told(now, reply);
    this.#ledger.end(request);
    this.#keeper.learn(now, reply.epoch, connection.number);
    request.events.onReply(now, request, reply);
    if (node !== undefined) this.pump(now, node);
  }

  /** The places of an attempt that is under way no more; returns its node. */
  #free(connection: number, number: number, weight: number): KnownNode | undefined {
    const node = this.#pool.known(number);
    if (node !== undefined) node.inFlight -= weight;
    this.#pool.connection(connection)?.release(weight);
    return node;
  }

  /** The get needs its other attempt no more: only how long that takes is of interest. */
  #dropOther(now: Instant, request: Request<AnyReply>): void {
    const { other } = request;
    if (other === null) return;
    request.other = null;
    const frameId = this.#ledger.frameIdOf(request, other.number);
    if (!this.#late.add(now, frameId, other, request.deadline - now)) this.#onLate(now, other);
  }

  /** An attempt that nobody waits for has ended, or will not be answered. */
  #onLate(now: Instant, { connection, node: number, sentAt }: Attempt): void {
    const node = this.#free(connection, number, 1);
    if (node === undefined) return;
    node.sample(now, now - sentAt);
    this.pump(now, node);
  }

  #onRefusal(
    now: Instant,
    connection: Connection,
    request: Request<AnyReply>,
    status: Status,
    reply: {
      readonly message: string;
      readonly epoch: number;
      readonly retryAfterUs: number;
      readonly inDoubt: boolean;
    },
  ): void {
    const node = this.#withdraw(request);
    const code = codeOf(status);
    if (code === "OVERLOADED") this.#throttle.onOverloaded(now);
    else this.#throttle.onAnswer(now);
    if (code === "NODE_STOPPING") node?.avoid(after(now, stoppingUs));
    // A refusal is as good as an answer that takes so long: the more of them, the more go elsewhere, and never all at once.
    else node?.sample(now, code === "OVERLOADED" ? reply.retryAfterUs : now - request.sentAt);
    this.#keeper.learn(now, reply.epoch, connection.number);
    if (code === "WRONG_OWNER") this.#keeper.doubt(now, connection.number);
    if (leavesDoubt(code) || reply.inDoubt) request.uncertain = code;
    const where = node === undefined ? connection.address : labelOf(node);
    this.#onFailedAttempt(now, request, code, reply.message, where, reply.retryAfterUs);
    if (node !== undefined) this.pump(now, node);
  }

  /** An attempt has failed and the request is nowhere: another attempt, now or later, or the end. */
  #onFailedAttempt(
    now: Instant,
    request: Request<AnyReply>,
    code: ErrorCode,
    message: string,
    where: string,
    retryAfterUs: DurationUs,
  ): void {
    if (request.other !== null) {
      this.#ledger.useOther(request);
      return;
    }
    request.failedAt = request.node;
    const remainingUs = request.deadline - now;
    const delay = retryDelay({ code, attempts: request.attempts, retryAfterUs, remainingUs }, this.#rng);
    if (request.isPinned || delay < 0 || !this.#budget.take(now)) {
      this.#fail(now, request, code, message, where, retryAfterUs);
      return;
    }
    mark("client.retry");
    if (delay === 0) {
      this.#dispatch(now, request);
      return;
    }
    this.#ledger.delay(request, after(now, delay));
    this.#wantTick(request.dueAt);
  }

  #fail(
    now: Instant,
    request: Request<AnyReply>,
    code: ErrorCode,
    message: string,
    where: string,
    retryAfterUs: DurationUs,
  ): void {
    this.#ledger.end(request);
    request.events.onFailure(now, request, failureOf(request, code, message, where, retryAfterUs));
  }

  /** The node takes requests: those that wait at it, and those that wait at one that is not up. */
  onNodeUp(now: Instant, node: KnownNode): void {
    this.pump(now, node);
    for (const other of this.#pool.nodes) if (other.waiting.size > 0 && !other.isUp) this.reroute(now, other);
  }

  /** A connection broke: what was sent on it is tried again, or fails. */
  onConnectionLost(now: Instant, connection: Connection, node: KnownNode | undefined, reason: string): void {
    for (const late of this.#late.takeOn(connection.id)) this.#onLate(now, late);
    for (const request of this.#ledger.sentOn(connection.id)) this.#onLost(now, request, node, reason);
    if (node !== undefined && !node.isUp) this.reroute(now, node);
  }

  #onLost(now: Instant, request: Request<AnyReply>, node: KnownNode | undefined, reason: string): void {
    if (node !== undefined) node.inFlight -= request.weight;
    request.connection = 0;
    request.uncertain = "CONNECTION_LOST";
    this.#onFailedAttempt(now, request, "CONNECTION_LOST", reason, node?.name ?? "", 0);
  }

  /** Begins attempts that are due, hurries or ends requests whose time is over, and fills places that became free. */
  tick(now: Instant): void {
    for (let due = this.#ledger.takeDue(now); due !== undefined; due = this.#ledger.takeDue(now)) {
      this.#dispatch(now, due);
    }
    for (let late = this.#ledger.nextLate(now); late !== undefined; late = this.#ledger.nextLate(now)) {
      this.#askToo(now, late, this.#elsewhere(now, late));
    }
    for (let slow = this.#ledger.nextSlow(now); slow !== undefined; slow = this.#ledger.nextSlow(now)) {
      this.#hurry(now, slow);
    }
    for (let late = this.#ledger.nextExpired(now); late !== undefined; late = this.#ledger.nextExpired(now)) {
      this.#expire(now, late);
    }
    for (let late = this.#late.nextExpired(now); late !== undefined; late = this.#late.nextExpired(now)) {
      this.#onLate(now, late);
    }
    // Only now, so that no place goes to a request whose own time is over.
    for (const node of this.#pool.nodes) this.pump(now, node);
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    return Math.min(this.#ledger.nextTick(), this.#late.nextTick()) as Instant;
  }

  /** The node that the request would go to if the one that it went to had failed. */
  #elsewhere(now: Instant, request: Request<AnyReply>): KnownNode {
    const before = request.failedAt;
    request.failedAt = request.node;
    const node = this.#router.pick(now, this.#keeper.ring, request);
    request.failedAt = before;
    return node;
  }

  /** The node is asked, too, if it is another one and ready, and the budget allows it. Whoever answers first counts. */
  #askToo(now: Instant, request: Request<AnyReply>, node: KnownNode): void {
    const connection = node.waiting.size === 0 ? node.freeConnection(request.weight) : undefined;
    if (node.number === request.node || connection === undefined || !this.#hedging.take()) return;
    mark("client.hedge");
    const other = attemptOf(request);
    if (!this.#send(now, node, connection, request)) return;
    request.other = other;
    request.hedged = true;
  }

  /**
   * Half of the time is over and the node says nothing: it may be frozen. Another one gets the rest of the time, if there
   * is one and the budget allows it; a put stays one write by its request id.
   */
  #hurry(now: Instant, request: Request<AnyReply>): void {
    const silent = this.#pool.known(request.node);
    silent?.avoid(after(now, silentUs));
    if (request.isPinned) {
      this.#giveUp(now, request);
      return;
    }
    if (this.#elsewhere(now, request) === silent || !this.#budget.take(now)) return;
    request.failedAt = request.node;
    mark("client.hurry");
    const connection = this.#pool.connection(request.connection);
    if (connection !== undefined && connection.heardAt <= request.sentAt) connection.probe(now);
    silent?.sample(now, now - request.sentAt);
    this.#withdraw(request);
    request.uncertain = "DEADLINE_EXCEEDED";
    this.#dispatch(now, request);
  }

  /** The one node that could answer has said nothing for half of the time: whoever asked has the rest for another way. */
  #giveUp(now: Instant, request: Request<AnyReply>): void {
    this.#withdraw(request);
    this.#fail(now, request, "DEADLINE_EXCEEDED", "no answer within half of the time", "", 0);
  }

  #expire(now: Instant, request: Request<AnyReply>): void {
    const { state, sentAt } = request;
    const connection = this.#pool.connection(request.connection);
    const known = this.#pool.known(request.node);
    this.#dropOther(now, request);
    this.#withdraw(request);
    if (state === RequestState.sent) {
      request.uncertain = "DEADLINE_EXCEEDED";
      known?.sample(now, now - sentAt);
      if (connection !== undefined && connection.heardAt <= sentAt) connection.probe(now);
    }
    const timeoutMs = Math.ceil(request.options.timeoutUs / 1000);
    if (state === RequestState.waiting && known !== undefined && !known.isUp) {
      const why = known.reason === "" ? `${known.address} is being dialled` : known.reason;
      const text = `no node that could serve this was reachable within ${timeoutMs} ms: ${why}`;
      this.#fail(now, request, "CONNECTION_LOST", text, "", 0);
    } else {
      const what =
        request.attempts === 0 ? `no node took the request within ${timeoutMs} ms` : `no answer within ${timeoutMs} ms`;
      this.#fail(now, request, "DEADLINE_EXCEEDED", what, known === undefined ? "" : labelOf(known), 0);
    }
  }

  /** The client is closed: every request fails. */
  failAll(now: Instant): void {
    for (const request of this.#ledger.all()) {
      if (request.state === RequestState.sent) request.uncertain = "CONNECTION_LOST";
      this.#withdraw(request);
      this.#fail(now, request, "CLIENT_CLOSED", "the client was closed before the answer came", "", 0);
    }
  }
}

function labelOf(node: KnownNode): string {
  return node.name === "" ? node.address : `${node.name} at ${node.address}`;
}
