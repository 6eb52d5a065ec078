/**
 * Node: builds the cores and wires them together; the only file that sees them all. It owns the tick, the end of each
 * turn, and the order of stopping. What it does not do is think: that is in the cores.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError, statusOk } from "../base/errors.ts";
import { idBytes, nodeIdOf } from "../base/ids.ts";
import { after, type Instant, never } from "../base/time.ts";
import { softwareName } from "../base/version.ts";
import type { Actors } from "../replica/actors.ts";
import { Replica } from "../replica/replica.ts";
import type { Ring } from "../ring/ring.ts";
import {
  type DeletedPage,
  type RecordPage,
  type StartReport,
  Store,
  type StoredHint,
  type StoreEvents,
} from "../storage/store.ts";
import { decode, ErrorReply, type Hello, ReplicaReadReply, ReplicaWriteReply, ReportRequest } from "../wire/codec.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import type { FrameWriter } from "../wire/frame-writer.ts";
import { protocolVersions, Role } from "../wire/hello.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { Boot } from "./boot.ts";
import { ClientService } from "./client-service.ts";
import type { NodeConfig } from "./config.ts";
import { Coordination } from "./coordination.ts";
import type { Environment } from "./environment.ts";
import { Forwarding } from "./forwarding.ts";
import { Gate } from "./gate.ts";
import { loadIdentity } from "./node-files.ts";
import { PeerService } from "./peer-service.ts";
import { type PeerEvents, Peers } from "./peers.ts";
import type { ReplicaOrigin } from "./request.ts";
import { RingKeeper } from "./ring-keeper.ts";
import { Session, type SessionEvents } from "./session.ts";
import { NodeState } from "./state.ts";
import { StatusService } from "./status-service.ts";

const stopPatienceUs = 5_000_000;
const sweepEveryUs = 1_000_000;
const waitersMax = 16_384;
const reservedForNodes = 256;
/** Writes queued for the engine; more are refused, by owners and coordinators alike. */
const storeQueuedBytesMax = 64 * 1024 * 1024;

/** One node, on whatever world its environment is bound to. */
export class Node implements StoreEvents {
  readonly #env: Environment;
  readonly #config: NodeConfig;
  readonly #shared: NodeState;
  readonly #boot: Boot;
  readonly #peers: Peers;
  readonly #keeper: RingKeeper;
  readonly #gate: Gate;
  readonly #peerService: PeerService;
  readonly #coordination: Coordination;
  readonly #forwarding: Forwarding;
  readonly #sessions: Set<Session> = new Set();
  readonly #sessionEvents: SessionEvents;
  #dirty: FrameWriter[] = [];
  #store: Store | undefined = undefined;
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  #actors: Actors | undefined = undefined;
  #alarm: Instant = never;
  #sweepAt: Instant = never;
  #stopBy: Instant = never;
  #storeStopping = false;

  /** Throws `RingtailError` if the node's identity file is damaged or of a later format. */
  constructor(env: Environment, config: NodeConfig) {
    this.#env = env;
    this.#config = config;
    const identity = loadIdentity(env.stateFiles);
    const shared = new NodeState(env, config, identity?.nodeId ?? nodeIdOf(env.randomBytes(16)));
    shared.clusterId = identity?.clusterId;
    this.#shared = shared;
    const common = {
      describe: (): Hello => this.#describe(),
      wantFlush: (writer: FrameWriter): void => this.#wantFlush(writer),
      settle: (now: Instant): void => this.#settle(now),
    };
    this.#boot = new Boot(shared, {
      seekRing: (now) => this.#keeper.start(now),
      openStore: (now, actors) => this.#openStore(now, actors),
      stopped: () => env.stopped(),
      settle: common.settle,
    });
    this.#keeper = new RingKeeper(shared, { ...common, onFirstRing: (ring) => this.#boot.onFirstRing(ring) });
    this.#peers = new Peers(shared, { ...common, ...this.#peerEvents() });
    const clientService = new ClientService(shared);
    this.#peerService = new PeerService(shared);
    this.#coordination = new Coordination(shared, this.#peers, clientService);
    const onForwardOver = clientService.leave.bind(clientService);
    this.#forwarding = new Forwarding(shared, this.#peers, {
      onForwardOver: (request) => onForwardOver(request.session, request.bytes),
    });
    clientService.attach(this.#coordination, this.#forwarding);
    this.#gate = this.#newGate(clientService, common.describe);
    this.#sessionEvents = {
      ...common,
      onHello: (now, session, hello) => this.#onHello(now, session, hello),
      onRequest: (now, session, type, frameId, bytes, start, end) => {
        this.#gate.pass(now, session, type, frameId, bytes, start, end);
        // The own replica takes its copy of what the frame lends before the next frame overwrites it.
        this.#coordination.settle(now);
      },
      onSessionClosed: (_now, session) => this.#sessions.delete(session),
    };
  }

  #newGate(clientService: ClientService, describe: () => Hello): Gate {
    const status = new StatusService(this.#shared, this.#peers);
    return new Gate(this.#shared, this.#peers, describe, {
      data: (now, session, type, frameId, bytes, start, end) =>
        clientService.onRequest(now, session, type, frameId, bytes, start, end),
      replica: (now, session, type, frameId, bytes, start, end) =>
        this.#peerService.onRequest(now, session, type, frameId, bytes, start, end),
      ring: (_now, session, _type, frameId, bytes, start, end) =>
        clientService.onFetchRing(session, frameId, bytes, start, end),
      status: (now, session, _type, frameId, bytes, start, end) =>
        status.onStatus(now, this.#store, session, frameId, bytes, start, end),
      report: (_now, session, _type, frameId, bytes, start, end) =>
        this.#keeper.onReport(session, frameId, decode(ReportRequest, bytes, start, end)),
    });
  }

  /** Whether it has a ring and its store, and serves. */
  get ready(): boolean {
    return this.#shared.phase === "serving";
  }

  /** The ring it obeys; undefined while it waits for its first. */
  get ring(): Ring | undefined {
    return this.#shared.ringOrNone;
  }

  /** What it knows of itself and counts: for hosts and checkers, which must not change it. */
  get shared(): NodeState {
    return this.#shared;
  }

  /** The store, once there is a ring: for checkers. */
  get store(): Store | undefined {
    return this.#store;
  }

  /** Comes to life. Throws `RingtailError` when the directory's files are damaged or do not fit the configuration. */
  start(now: Instant): void {
    this.#shared.startedAt = now;
    this.#sweepAt = after(now, sweepEveryUs);
    this.#boot.start();
    this.#settle(now);
  }

  #openStore(now: Instant, actors: Actors): void {
    this.#actors = actors;
    this.#store = new Store({
      engine: this.#env.engine,
      log: this.#env.writeAheadLog,
      logSegmentBytes: this.#config.logSegmentKiB * 1024,
      events: this,
      partitions: this.#shared.ring.partitions,
      bufferBytes: this.#config.objectBufferMiB * 1024 * 1024,
      wantTurnEnd: () => this.#env.wantTurnEnd(),
    });
    const store = this.#store;
    this.#shared.storeBehind = () => store.queuedBytes > storeQueuedBytesMax;
    store.start(now);
  }

  onStoreStarted(now: Instant, report: StartReport): void {
    if (report.hole) {
      const alarm = "the middle of a log of the store is missing or damaged: writes were lost here";
      this.#env.log.error(alarm, { newestBatch: report.batchNumber });
    }
    this.#replica = new Replica<ReplicaOrigin>({
      effects: {
        prepared: (at, op) => this.#coordination.prepared(at, op),
        done: (at, op) => this.#coordination.done(at, op, this.#peerService),
        amnesia: (_at, partition) => {
          const alarm = "another replica knew more of this node's own writes than it does: history was lost here";
          this.#env.log.error(alarm, { partition });
        },
      },
      store: this.#store as Store,
      actors: this.#actors as Actors,
      waitersMax,
      busyMax: waitersMax,
      keepRecentForSeconds: Math.ceil((2 * this.#config.requestTimeoutMaxMs) / 1000),
    });
    this.#coordination.attach(this.#replica);
    this.#peerService.attach(this.#replica);
    this.#peers.join(now, this.#shared.ring);
    this.#settle(now);
  }

  #describe(): Hello {
    const { ringOrNone, clusterId, nodeId, number, epoch, env } = this.#shared;
    return {
      versionMin: protocolVersions.min,
      versionMax: protocolVersions.max,
      clusterId: clusterId === undefined ? noBytes : idBytes(clusterId),
      nodeId: idBytes(nodeId),
      role: ringOrNone === undefined ? Role.joiningNode : Role.node,
      number,
      epoch,
      software: softwareName,
      pid: env.pid,
    };
  }

  /** A connection was accepted; undefined refuses it. */
  accept(now: Instant, link: Link): LinkEvents | undefined {
    const { connectionsMax } = this.#config;
    if (this.#shared.phase === "stopping") return undefined;
    if (this.#sessions.size >= connectionsMax) {
      this.#env.log.warn("connection refused: too many are open", { from: link.label, connectionsMax });
      return undefined;
    }
    const session = new Session(now, link, this.#shared, this.#sessionEvents);
    this.#sessions.add(session);
    return session;
  }

  /** Some connections are kept for nodes, so that many clients cannot lock peers out. */
  #onHello(now: Instant, session: Session, hello: Hello): RingtailError | null {
    const { connectionsMax } = this.#config;
    const clientsMax = connectionsMax - Math.min(reservedForNodes, connectionsMax >>> 2);
    if (hello.role === Role.client && this.#sessions.size > clientsMax) {
      return new RingtailError("OVERLOADED", `too many connections: ${clientsMax} are for clients`);
    }
    return this.#gate.judge(now, session, hello);
  }

  #peerEvents(): Pick<PeerEvents, "onReply" | "onPeerLost"> {
    return {
      onReply: (now, peer, type, status, frameId, bytes, start, end) => {
        const message = status === statusOk || end === start ? "" : decode(ErrorReply, bytes, start, end).message;
        switch (type & ~REPLY_BIT) {
          case FrameType.REPLICA_WRITE: {
            const durable = status === statusOk && decode(ReplicaWriteReply, bytes, start, end).durable;
            this.#coordination.onWriteReply(now, peer.number, frameId, status, durable, message);
            return;
          }
          case FrameType.REPLICA_READ: {
            const record = status === statusOk ? decode(ReplicaReadReply, bytes, start, end).record : noBytes;
            this.#coordination.onReadReply(now, peer.number, frameId, status, record, message);
            return;
          }
          case FrameType.FORWARD_PUT:
            this.#forwarding.onReply(now, status, frameId, bytes, start, end);
            return;
          case FrameType.REPAIR:
            this.#coordination.onRepairReply(now, frameId);
            return;
          default:
        }
      },
      onPeerLost: (now, peer) => {
        this.#coordination.onPeerLost(now, peer.number);
        this.#forwarding.onPeerLost(now, peer.number);
      },
    };
  }

  // The store asks for the end of the turn after each of these, and that is where alarms are set.

  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    if (error !== null) this.#env.log.error("a record could not be read", { reason: error });
    this.#replica?.onStoreRead(now, token, sealed, error);
    this.#coordination.settle(now);
  }

  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    this.#replica?.onStoreHints(now, token, hints, error);
    this.#coordination.settle(now);
  }

  onStoreWritten(now: Instant, token: number): void {
    this.#replica?.onStoreWritten(now, token);
    this.#coordination.settle(now);
  }

  onStoreSynced(now: Instant, token: number): void {
    this.#replica?.onStoreSynced(now, token);
    this.#coordination.settle(now);
  }

  onStoreScanned(_now: Instant, _token: number, _page: RecordPage | null, _error: string | null): void {
    this.#env.fatal("a scan was answered that nobody asked for");
  }

  onStoreDeleted(_now: Instant, _token: number, _page: DeletedPage | null, _error: string | null): void {
    this.#env.fatal("a range deletion was answered that nobody asked for");
  }

  onStoreFailed(_now: Instant, reason: string): void {
    this.#env.fatal(`the store failed: ${reason}`);
  }

  onStoreClosed(): void {
    this.#boot.saveCleanStop();
  }

  #wantFlush(writer: FrameWriter): void {
    if (this.#dirty.length === 0) this.#env.wantTurnEnd();
    this.#dirty.push(writer);
  }

  /**
   * The end of a turn: one batch for what the store was given, then one write per link that has frames. The store comes
   * first because it acknowledges memory writes here, and their answers are to leave in the same turn.
   */
  endTurn(now: Instant): void {
    this.#store?.endTurn(now);
    const writers = this.#dirty;
    this.#dirty = [];
    for (const writer of writers) writer.flush();
    this.#settle(now);
  }

  /** The alarm is due: deadlines, back-offs and timers of every part. */
  tick(now: Instant): void {
    this.#alarm = never;
    this.#coordination.expire(now);
    this.#forwarding.expire(now);
    this.#store?.tick(now);
    this.#peers.tick(now);
    this.#keeper.tick(now);
    if (this.#sweepAt <= now) {
      this.#sweepAt = after(now, sweepEveryUs);
      for (const session of this.#sessions) session.closeIfIdle(now);
    }
    this.#settle(now);
  }

  /** Runs last in every event: what effects left behind, what may happen now, and the next alarm. */
  #settle(now: Instant): void {
    this.#coordination.settle(now);
    if (this.#shared.phase === "starting") this.#serveWhenReady();
    if (this.#shared.phase === "stopping") this.#stopStoreWhenIdle(now);
    let next = earlier(this.#sweepAt, this.#stopBy);
    next = earlier(next, this.#coordination.nextDeadline());
    next = earlier(next, this.#forwarding.nextDeadline());
    next = earlier(next, this.#peers.nextTick());
    next = earlier(next, this.#keeper.nextTick);
    if (this.#store !== undefined) next = earlier(next, this.#store.nextTick());
    if (next >= this.#alarm) return;
    this.#alarm = next;
    this.#env.setAlarm(next);
  }

  /** Serving begins when each peer was tried once, so that a first put does not find a cluster that is still dialling. */
  #serveWhenReady(): void {
    if (this.#replica === undefined || !this.#peers.allTried) return;
    this.#shared.phase = "serving";
    this.#env.log.info("ready", { address: this.#config.advertise, epoch: this.#shared.epoch });
  }

  /** Tells everybody to go elsewhere, finishes what is in flight (5 s at the most), flushes and closes; then `stopped`. */
  stop(now: Instant): void {
    if (this.#shared.phase === "stopping") return;
    this.#shared.phase = "stopping";
    this.#stopBy = after(now, stopPatienceUs);
    this.#keeper.stop();
    for (const session of this.#sessions) session.goAway();
    this.#settle(now);
  }

  #stopStoreWhenIdle(now: Instant): void {
    if (this.#storeStopping) return;
    const busy = this.#shared.inFlight > 0 || (this.#replica !== undefined && this.#replica.inFlight > 0);
    if (busy && now < this.#stopBy) return;
    this.#storeStopping = true;
    this.#stopBy = never;
    for (const session of this.#sessions) session.close();
    this.#peers.close();
    if (this.#replica !== undefined) this.#store?.stop(now);
    else this.#env.stopped();
  }
}

function earlier(a: Instant, b: Instant): Instant {
  return Math.min(a, b) as Instant;
}
