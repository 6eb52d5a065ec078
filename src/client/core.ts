/**
 * ClientCore: the client's thinking, without promises, clocks or sockets: its life from the first seed node to the last
 * connection, the ring it goes by, and the one alarm that all its deadlines are drained from. What
 * becomes of each request is dispatcher.ts's. `client.ts` puts promises around it, the load generator drives it as it
 * is, and the simulator runs it on a made-up world.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { type ErrorCode, RingtailError } from "../base/errors.ts";
import { type ClusterId, idBytes } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import type { GetReply } from "../wire/gen/codecs.ts";
import { Bootstrap } from "./bootstrap.ts";
import type { Connection } from "./connection.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { ClientEnvironment } from "./environment.ts";
import type { KnownNode } from "./known-node.ts";
import { type Coordination, OwnCoordination } from "./own-coordination.ts";
import { Pool, type PoolEvents } from "./pool.ts";
import { type AnyReply, type Request, RequestKind } from "./request.ts";
import { RingKeeper } from "./ring-keeper.ts";
import type { RouteQuery } from "./router.ts";

const idBytesCount = 16;

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
  /** Who coordinates gets of single keys: a node, or this client. */
  readonly coordination: Coordination;
  /** What nearly every get should take at the most; 0: no get is asked of two nodes. */
  readonly latencyTargetUs: DurationUs;
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

export class ClientCore implements PoolEvents {
  readonly #env: ClientEnvironment;
  readonly #events: CoreEvents;
  readonly #pool: Pool;
  readonly #inFlightMax: number;
  readonly #own: OwnCoordination | undefined;
  readonly #latencyTargetUs: DurationUs;
  #bootstrap: Bootstrap | undefined = undefined;
  #keeper: RingKeeper | undefined = undefined;
  /** The requests; none begin before there is a ring. */
  #dispatcher: Dispatcher | undefined = undefined;
  #alarmAt: Instant = never;
  #phase: "opening" | "open" | "closing" | "closed" = "opening";

  constructor(env: ClientEnvironment, options: CoreOptions, events: CoreEvents) {
    this.#env = env;
    this.#events = events;
    const clusterId = options.clusterId === undefined ? noBytes : idBytes(options.clusterId);
    const { connectionsPerNode } = options;
    const clientId = env.randomBytes(idBytesCount);
    this.#pool = new Pool({ transport: env.transport, events: this, connectionsPerNode, clusterId, clientId });
    this.#inFlightMax = options.inFlightMax;
    this.#own = options.coordination === "client" ? new OwnCoordination(this) : undefined;
    this.#latencyTargetUs = options.latencyTargetUs;
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
    return this.#dispatcher?.size ?? 0;
  }

  /** Gets that were asked of a second node because the first was late. */
  get hedges(): number {
    return this.#dispatcher?.hedges ?? 0;
  }

  /** Begins a request whose arguments were checked; its events follow. An error: refused, and no event follows. */
  begin(now: Instant, request: Request<AnyReply>): RingtailError | null {
    if (this.#phase !== "open") return new RingtailError("CLIENT_CLOSED");
    const own = request.kind === RequestKind.get ? this.#own?.begin(now, request as Request<GetReply>) : undefined;
    return own === undefined ? this.beginAsIs(now, request) : own;
  }

  /** The same, where a node coordinates whatever it is. */
  beginAsIs(now: Instant, request: Request<AnyReply>): RingtailError | null {
    if (this.#phase !== "open") return new RingtailError("CLIENT_CLOSED");
    return this.#requests.begin(now, request);
  }

  /** Whether a request can be sent to that node now; it is dialled if it has no connection. */
  canSendTo(now: Instant, number: number): boolean {
    const node = this.#pool.known(number);
    if (node === undefined || node.avoidUntil > now) return false;
    if (!node.isUp) this.#pool.warm(now, node);
    return node.waiting.size === 0 && node.freeConnection(1) !== undefined;
  }

  /** Whether the budget allows one more retry; takes it. For those who try again by themselves, such as `getMany`. */
  takeRetry(now: Instant): boolean {
    return this.#requests.takeRetry(now);
  }

  /** The number of the node that a request would go to now. */
  nodeFor(now: Instant, query: RouteQuery): number {
    return this.#requests.nodeFor(now, query).number;
  }

  /** Gives up a request: no event follows. A write that was sent may still happen. */
  cancel(now: Instant, request: Request<AnyReply>): void {
    if (this.#own?.cancel(now, request) !== true) this.#requests.cancel(now, request);
  }

  get #requests(): Dispatcher {
    assert(this.#dispatcher !== undefined, "the client has no ring yet");
    return this.#dispatcher;
  }

  onReply(now: Instant, connection: Connection, frame: Frame): void {
    if (frame.type === (FrameType.FETCH_RING | REPLY_BIT)) {
      this.#bootstrap?.onReply(now, connection, frame);
      this.#keeper?.onReply(now, connection, frame);
      this.#setAlarm();
      return;
    }
    this.#dispatcher?.onReply(now, connection, frame);
  }

  onReady(now: Instant, connection: Connection, node: KnownNode | undefined): void {
    if (node === undefined) this.#bootstrap?.onReady(now, connection);
    else this.#dispatcher?.onNodeUp(now, node);
    this.#setAlarm();
  }

  onRoom(now: Instant, node: KnownNode): void {
    this.#dispatcher?.pump(now, node);
  }

  onDraining(now: Instant, node: KnownNode): void {
    mark("client.draining");
    this.#dispatcher?.reroute(now, node);
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
    this.#dispatcher?.onConnectionLost(now, connection, node, reason);
    this.#setAlarm();
  }

  wantTurnEnd(): void {
    this.#env.wantTurnEnd();
  }

  #onFirstRing(now: Instant, ring: Ring, connection: Connection): void {
    this.#bootstrap = undefined;
    const { rng } = this.#env;
    const wantTick = (at: Instant): void => this.#wantTick(at);
    const keeper = new RingKeeper(now, ring, rng, {
      anyReady: (preferred) => this.#pool.anyReady(preferred, (count) => rng.below(count)),
      useRing: (at, newer) => this.#onNewRing(at, newer),
      wantTick,
    });
    this.#keeper = keeper;
    this.#dispatcher = new Dispatcher({
      pool: this.#pool,
      keeper,
      rng,
      inFlightMax: this.#inFlightMax,
      latencyTargetUs: this.#latencyTargetUs,
      wantTick,
    });
    this.#pool.useRing(ring);
    this.#pool.adopt(now, connection);
    this.#phase = "open";
    this.#events.onOpen(now);
  }

  #onNewRing(now: Instant, ring: Ring): void {
    mark("client.new-ring");
    this.#pool.useRing(ring);
    for (const node of this.#pool.nodes) if (!node.isUp) this.#dispatcher?.reroute(now, node);
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
    this.#dispatcher?.tick(now);
    this.#setAlarm();
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
    this.#dispatcher?.failAll(now);
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
    let at: number = this.#pool.nextTick();
    if (this.#dispatcher !== undefined) at = Math.min(at, this.#dispatcher.nextTick());
    if (this.#bootstrap !== undefined) at = Math.min(at, this.#bootstrap.nextTick());
    if (this.#keeper !== undefined) at = Math.min(at, this.#keeper.nextTick());
    if (this.#phase !== "closed" && at !== never) this.#wantTick(instant(at));
  }
}
