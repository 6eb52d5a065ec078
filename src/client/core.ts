/**
 * ClientCore: the client's thinking, without promises, clocks or sockets: from a request to a node, to its answer or to
 * another attempt, until its deadline. `client.ts` puts promises around it, the load generator drives it as it is, and
 * the simulator runs it on a made-up world.
 *
 * A request is in one of three places: waiting at a node (no connection yet, or no place free), sent, or delayed until
 * its next attempt. Deadlines of all of them are drained from one tick (architecture.md 1).
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { codeOf, type ErrorCode, RingtailError, type Status, statusOk } from "../base/errors.ts";
import { type ClusterId, idBytes } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import { decode, ErrorReply } from "../wire/codec.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { Bootstrap } from "./bootstrap.ts";
import type { Connection } from "./connection.ts";
import type { ClientEnvironment } from "./environment.ts";
import { failureOf, leavesDoubt } from "./failures.ts";
import { frameTypeOf } from "./frames.ts";
import type { KnownNode } from "./known-node.ts";
import { Ledger } from "./ledger.ts";
import { Pool, type PoolEvents } from "./pool.ts";
import { type AnyReply, type Request, RequestState } from "./request.ts";
import { RetryBudget, retryDelay } from "./retry.ts";
import { RingKeeper } from "./ring-keeper.ts";
import { type RouteQuery, Router } from "./router.ts";

/** How the core is set up. */
export interface CoreOptions {
  /** At least one, "host:port". */
  readonly seedNodes: readonly string[];
  /** Undefined: the cluster of the first seed node that answers. */
  readonly clusterId: ClusterId | undefined;
  readonly connectTimeoutUs: DurationUs;
  readonly connectionsPerNode: number;
  /** Requests at once; more are refused with `OVERLOADED`. At most 65,536. */
  readonly inFlightMax: number;
}

/** The life of the client itself. */
export interface CoreEvents {
  /** The ring is here: requests may begin. */
  onOpen(now: Instant): void;
  /** No seed node gave a ring; the core is closed. */
  onOpenFailed(now: Instant, error: RingtailError): void;
  /** After `close`: no connection is left. */
  onClosed(now: Instant): void;
}

/** A node that said it is stopping is not asked again for this long, unless it is the only one. */
const stoppingUs: DurationUs = 1_000_000;
/** A node that left a request unanswered for half of its time is not the first choice for this long. */
const silentUs: DurationUs = 1_000_000;

export class ClientCore implements PoolEvents {
  readonly #env: ClientEnvironment;
  readonly #events: CoreEvents;
  readonly #pool: Pool;
  readonly #router: Router;
  readonly #budget = new RetryBudget();
  readonly #ledger: Ledger;
  #bootstrap: Bootstrap | undefined = undefined;
  #keeper: RingKeeper | undefined = undefined;
  #alarmAt: Instant = never;
  #phase: "opening" | "open" | "closing" | "closed" = "opening";

  constructor(env: ClientEnvironment, options: CoreOptions, events: CoreEvents) {
    this.#env = env;
    this.#events = events;
    const clusterId = options.clusterId === undefined ? noBytes : idBytes(options.clusterId);
    const { connectionsPerNode } = options;
    this.#pool = new Pool({ transport: env.transport, events: this, connectionsPerNode, clusterId });
    this.#router = new Router(env.rng, this.#pool);
    this.#ledger = new Ledger(options.inFlightMax);
    this.#bootstrap = new Bootstrap(env.now(), options.seedNodes, options.connectTimeoutUs, {
      dialSeed: (now, address) => this.#pool.dialSeed(now, address),
      onRing: (now, ring, connection) => this.#onFirstRing(now, ring, connection),
      onFailure: (now, error) => this.#onNoRing(now, error),
    });
  }

  /** Dials the first seed node; `onOpen` or `onOpenFailed` follows. */
  start(now: Instant): void {
    this.#bootstrap?.start(now);
    this.#setAlarm();
  }

  /** The ring in use; the client must be open. */
  get ring(): Ring {
    assert(this.#keeper !== undefined, "the client has no ring yet");
    return this.#keeper.ring;
  }

  /** Whether requests may begin. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Requests that have not ended. */
  get inFlight(): number {
    return this.#ledger.size;
  }

  /** Begins a request whose arguments were checked; its events follow. An error: refused, and no event follows. */
  begin(now: Instant, request: Request<AnyReply>): RingtailError | null {
    if (this.#phase !== "open") return new RingtailError("CLIENT_CLOSED");
    if (this.#ledger.full) {
      const text = `${this.#ledger.size} requests are in flight, which is this client's limit (inFlightMax)`;
      return new RingtailError("OVERLOADED", text);
    }
    this.#budget.count(now);
    this.#keeper?.use(now);
    this.#ledger.add(now, request);
    this.#wantTick(request.deadline);
    this.#dispatch(now, request);
    return null;
  }

  /** Whether the budget allows one more retry; takes it. For those who try again by themselves, such as `getMany`. */
  takeRetry(now: Instant): boolean {
    return this.#budget.take(now);
  }

  /** The number of the node that a request would go to now. */
  nodeFor(now: Instant, query: RouteQuery): number {
    return this.#router.pick(now, this.ring, query).number;
  }

  /** Gives up a request: no event follows. A write that was sent may still happen. */
  cancel(now: Instant, request: Request<AnyReply>): void {
    if (request.state === RequestState.ended) return;
    const node = this.#withdraw(request);
    this.#ledger.end(request);
    if (node !== undefined) this.#pump(now, node);
  }

  /** Picks a node and sends the request, or lets it wait there. */
  #dispatch(now: Instant, request: Request<AnyReply>): void {
    const node = this.#router.pick(now, this.ring, request);
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
    if (!connection.send(this.#ledger.frameIdOf(request), request, this.ring.epoch, remaining)) return false;
    request.state = RequestState.sent;
    request.node = node.number;
    request.connection = connection.id;
    request.attempts += 1;
    request.sentAt = now;
    node.inFlight += request.weight;
    return true;
  }

  /** Sends what waits at this node, as far as there is room. */
  #pump(now: Instant, node: KnownNode): void {
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
  #reroute(now: Instant, node: KnownNode): void {
    for (let left = node.waiting.size; left > 0; left -= 1) {
      const request = node.waiting.peek() as Request<AnyReply>;
      node.waiting.remove(request);
      this.#dispatch(now, request);
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
        if (node !== undefined) node.inFlight -= request.weight;
        this.#pool.connection(request.connection)?.release(request.weight);
        request.connection = 0;
        return node;
      default:
        return undefined;
    }
  }

  onReply(
    now: Instant,
    connection: Connection,
    type: number,
    status: Status,
    frameId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (type === (FrameType.FETCH_RING | REPLY_BIT)) {
      this.#bootstrap?.onReply(now, connection, status, bytes, start, end);
      this.#keeper?.onReply(now, connection, status, frameId, bytes, start, end);
      this.#setAlarm();
      return;
    }
    const request = this.#ledger.find(frameId, connection.id);
    if (request === undefined || type !== (frameTypeOf(request.kind) | REPLY_BIT)) mark("client.late-reply");
    else if (status === statusOk) this.#onAnswer(now, connection, request, decode(request.codec, bytes, start, end));
    else this.#onRefusal(now, connection, request, status, decode(ErrorReply, bytes, start, end));
  }

  #onAnswer(now: Instant, connection: Connection, request: Request<AnyReply>, reply: AnyReply): void {
    const node = this.#withdraw(request);
    node?.sample(now, now - request.sentAt);
    this.#ledger.end(request);
    this.#keeper?.learn(now, reply.epoch, connection.number);
    request.events.onReply(now, request, reply);
    if (node !== undefined) this.#pump(now, node);
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
    if (code === "NODE_STOPPING") node?.avoid(after(now, stoppingUs));
    else if (code === "OVERLOADED") node?.avoid(after(now, reply.retryAfterUs));
    else node?.sample(now, now - request.sentAt);
    this.#keeper?.learn(now, reply.epoch, connection.number);
    if (code === "WRONG_OWNER") this.#keeper?.doubt(now, connection.number);
    if (leavesDoubt(code) || reply.inDoubt) request.uncertain = code;
    const where = node === undefined ? connection.address : labelOf(node);
    this.#onFailedAttempt(now, request, code, reply.message, where, reply.retryAfterUs);
    if (node !== undefined) this.#pump(now, node);
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
    request.failedAt = request.node;
    const remainingUs = request.deadline - now;
    const delay = retryDelay({ code, attempts: request.attempts, retryAfterUs, remainingUs }, this.#env.rng);
    if (delay < 0 || !this.#budget.take(now)) {
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

  onReady(now: Instant, connection: Connection, node: KnownNode | undefined): void {
    if (node === undefined) this.#bootstrap?.onReady(now, connection);
    else this.#onNodeUp(now, node);
    this.#setAlarm();
  }

  #onNodeUp(now: Instant, node: KnownNode): void {
    this.#pump(now, node);
    for (const other of this.#pool.nodes) if (other.waiting.size > 0 && !other.isUp) this.#reroute(now, other);
  }

  onRoom(now: Instant, node: KnownNode): void {
    this.#pump(now, node);
  }

  onDraining(now: Instant, node: KnownNode): void {
    mark("client.draining");
    this.#reroute(now, node);
  }

  onDown(now: Instant, connection: Connection, node: KnownNode | undefined, code: ErrorCode, reason: string): void {
    if (this.#phase === "closing") {
      if (this.#pool.open === 0) this.#onAllDown(now);
      return;
    }
    if (node === undefined) this.#bootstrap?.onDown(now, connection, code, reason);
    this.#keeper?.onDown(now, connection);
    // Another node at a known address means that our ring is old.
    if (node?.isDown && connection.readyAt === never) this.#keeper?.doubt(now, 0);
    for (const request of this.#ledger.sentOn(connection.id)) this.#onLost(now, request, node, reason);
    if (node !== undefined && !node.isUp) this.#reroute(now, node);
    this.#setAlarm();
  }

  #onLost(now: Instant, request: Request<AnyReply>, node: KnownNode | undefined, reason: string): void {
    if (node !== undefined) node.inFlight -= request.weight;
    request.connection = 0;
    request.uncertain = "CONNECTION_LOST";
    this.#onFailedAttempt(now, request, "CONNECTION_LOST", reason, node?.name ?? "", 0);
  }

  wantTurnEnd(): void {
    this.#env.wantTurnEnd();
  }

  #onFirstRing(now: Instant, ring: Ring, connection: Connection): void {
    this.#bootstrap = undefined;
    this.#keeper = new RingKeeper(now, ring, this.#env.rng, {
      anyReady: (preferred) => this.#pool.anyReady(preferred, (count) => this.#env.rng.below(count)),
      useRing: (at, newer) => this.#onNewRing(at, newer),
      wantTick: (at) => this.#wantTick(at),
    });
    this.#pool.useRing(ring);
    this.#pool.adopt(now, connection);
    this.#phase = "open";
    this.#events.onOpen(now);
  }

  #onNewRing(now: Instant, ring: Ring): void {
    mark("client.new-ring");
    this.#pool.useRing(ring);
    for (const node of this.#pool.nodes) if (!node.isUp) this.#reroute(now, node);
    this.#pool.dropStrangers();
  }

  #onNoRing(now: Instant, error: RingtailError): void {
    this.#bootstrap = undefined;
    this.#phase = "closing";
    this.#events.onOpenFailed(now, error);
    this.#shut(now);
  }

  /** The host's alarm rang. */
  tick(now: Instant): void {
    this.#alarmAt = never;
    if (this.#phase === "closed") return;
    this.#bootstrap?.tick(now);
    this.#keeper?.tick(now);
    this.#pool.tick(now);
    for (let due = this.#ledger.takeDue(now); due !== undefined; due = this.#ledger.takeDue(now)) {
      this.#dispatch(now, due);
    }
    for (let slow = this.#ledger.nextSlow(now); slow !== undefined; slow = this.#ledger.nextSlow(now)) {
      this.#hurry(now, slow);
    }
    for (let late = this.#ledger.nextExpired(now); late !== undefined; late = this.#ledger.nextExpired(now)) {
      this.#expire(now, late);
    }
    // Only now, so that no place goes to a request whose own time is over.
    for (const node of this.#pool.nodes) this.#pump(now, node);
    this.#setAlarm();
  }

  /**
   * Half of the time is over and the node says nothing: it may be frozen. Another one gets the rest of the time, if there
   * is one and the budget allows it; a put stays one write by its request id.
   */
  #hurry(now: Instant, request: Request<AnyReply>): void {
    const silent = this.#pool.known(request.node);
    const before = request.failedAt;
    request.failedAt = request.node;
    silent?.avoid(after(now, silentUs));
    if (this.#router.pick(now, this.ring, request) === silent || !this.#budget.take(now)) {
      request.failedAt = before;
      return;
    }
    mark("client.hurry");
    const connection = this.#pool.connection(request.connection);
    if (connection !== undefined && connection.heardAt <= request.sentAt) connection.probe(now);
    silent?.sample(now, now - request.sentAt);
    this.#withdraw(request);
    request.uncertain = "DEADLINE_EXCEEDED";
    this.#dispatch(now, request);
  }

  #expire(now: Instant, request: Request<AnyReply>): void {
    const { state, sentAt } = request;
    const connection = this.#pool.connection(request.connection);
    const known = this.#pool.known(request.node);
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

  /** After the callbacks of a turn: everything queued is written. */
  endTurn(_now: Instant): void {
    this.#pool.endTurn();
  }

  /** Ends everything: requests in flight fail with `CLIENT_CLOSED`, and `onClosed` follows. */
  close(now: Instant): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (this.#phase === "opening") this.#events.onOpenFailed(now, new RingtailError("CLIENT_CLOSED"));
    this.#phase = "closing";
    this.#bootstrap = undefined;
    for (const request of this.#ledger.all()) {
      if (request.state === RequestState.sent) request.uncertain = "CONNECTION_LOST";
      this.#withdraw(request);
      this.#fail(now, request, "CLIENT_CLOSED", "the client was closed before the answer came", "", 0);
    }
    this.#shut(now);
  }

  #shut(now: Instant): void {
    this.#pool.close();
    if (this.#pool.open === 0) this.#onAllDown(now);
  }

  #onAllDown(now: Instant): void {
    this.#phase = "closed";
    this.#env.setAlarm(never);
    this.#events.onClosed(now);
  }

  #wantTick(at: Instant): void {
    if (at >= this.#alarmAt || this.#phase === "closed") return;
    this.#alarmAt = at;
    this.#env.setAlarm(at);
  }

  #setAlarm(): void {
    let at = Math.min(this.#ledger.nextTick(), this.#pool.nextTick());
    if (this.#bootstrap !== undefined) at = Math.min(at, this.#bootstrap.nextTick());
    if (this.#keeper !== undefined) at = Math.min(at, this.#keeper.nextTick());
    if (this.#phase !== "closed" && at !== never) this.#wantTick(instant(at));
  }
}

function labelOf(node: KnownNode): string {
  return node.name === "" ? node.address : `${node.name} at ${node.address}`;
}
