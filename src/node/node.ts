/**
 * Node: builds the cores and wires them together; the only file that sees them all. It owns the tick, the end of each
 * turn, and the order of stopping. What it does not do is think: that is in the cores.
 */
import { RingtailError } from "../base/errors.ts";
import { type NodeNumber, nodeIdOf } from "../base/ids.ts";
import { after, type Instant, never } from "../base/time.ts";
import { noProgress } from "../membership/member.ts";
import type { Actors } from "../replica/actors.ts";
import type { Replica } from "../replica/replica.ts";
import type { EncodedRing } from "../ring/consensus-messages.ts";
import type { Ring } from "../ring/ring.ts";
import {
  type DeletedPage,
  type HintPage,
  type RecordPage,
  type StartReport,
  Store,
  type StoredHint,
  type StoreEvents,
} from "../storage/store.ts";
import type { FrameWriter } from "../wire/frame-writer.ts";
import type { Hello } from "../wire/gen/codecs.ts";
import { Role } from "../wire/hello.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { Boot } from "./boot.ts";
import { addClusterParts } from "./cluster-parts.ts";
import { type NodeConfig, objectBufferBytes } from "./config.ts";
import { addDataParts } from "./data-parts.ts";
import { DataPath } from "./data-path.ts";
import { DiskSpace } from "./disk-space.ts";
import type { Environment } from "./environment.ts";
import { Gate } from "./gate.ts";
import { loadIdentity } from "./node-files.ts";
import { ownHello } from "./own-hello.ts";
import { ownReplica } from "./own-replica.ts";
import type { Part } from "./part.ts";
import { Past } from "./past.ts";
import { type PeerEvents, Peers } from "./peers.ts";
import type { ReplicaOrigin } from "./request.ts";
import { RingKeeper } from "./ring-keeper.ts";
import { ringNews } from "./ring-news.ts";
import { Session, type SessionEvents } from "./session.ts";
import { NodeState } from "./state.ts";
import { StatusService } from "./status-service.ts";
import { StoreQuestions } from "./store-questions.ts";
import { WhyService } from "./why-service.ts";

const stopPatienceUs = 5_000_000;
const sweepEveryUs = 1_000_000;
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
  readonly #data: DataPath;
  readonly #parts: Part[] = [];
  /** By request type: the part that replies go to. */
  readonly #askers: (Part | undefined)[] = new Array<Part | undefined>(128).fill(undefined);
  readonly #sessions: Set<Session> = new Set();
  readonly #sessionEvents: SessionEvents;
  #dirty: FrameWriter[] = [];
  #store: Store | undefined = undefined;
  #questions: StoreQuestions | undefined = undefined;
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  #actors: Actors | undefined = undefined;
  #alarm: Instant = never;
  #sweepAt: Instant = never;
  #stopBy: Instant = never;
  #storeStopping = false;
  readonly #past: Past;

  /** Throws `RingtailError` if the node's identity file is damaged or of a later format. */
  constructor(env: Environment, config: NodeConfig) {
    this.#env = env;
    this.#config = config;
    const identity = loadIdentity(env.stateFiles);
    const shared = new NodeState(env, config, identity?.nodeId ?? nodeIdOf(env.randomBytes(16)));
    shared.clusterId = identity?.clusterId;
    shared.mayHaveVoted = identity?.hasBallot ?? false;
    this.#shared = shared;
    this.#past = new Past(shared);
    const common = {
      describe: (to: NodeNumber | 0 = 0): Hello => ownHello(shared, to),
      wantFlush: (writer: FrameWriter): void => this.#wantFlush(writer),
      settle: (now: Instant): void => this.#settleSoon(now),
    };
    this.#boot = new Boot(shared, {
      seekRing: (now) => this.#keeper.start(now),
      openStore: (now, actors) => this.#openStore(now, actors),
      stopped: () => env.stopped(),
    });
    shared.saves.settle = common.settle;
    this.#keeper = new RingKeeper(shared, { ...common, onFirstRing: (ring) => this.#boot.onFirstRing(ring) });
    this.#peers = new Peers(shared, { ...common, ...this.#peerEvents() });
    this.#data = new DataPath(shared, this.#peers);
    this.#gate = this.#newGate(common.describe);
    this.#add(this.#data.hinting);
    addClusterParts(
      {
        ...{ shared, peers: this.#peers, keeper: this.#keeper, settle: common.settle },
        adopt: (now, ring) => this.#obey(now, ring),
        fence: (now, reason, ring) => this.#fence(now, reason, ring),
      },
      (part) => this.#add(part),
    );
    const resources = {
      shared,
      peers: this.#peers,
      run: this.#data.coordination.run.bind(this.#data.coordination),
      store: () => this.#store as Store,
      questions: () => this.#questions as StoreQuestions,
      actors: () => this.#actors as Actors,
      doubtsSaved: () => this.#boot.doubtsSaved(),
    };
    addDataParts(resources, (part) => this.#add(part));
    this.#add(new DiskSpace(shared));
    this.#add(new WhyService(shared, this.#data.watch));
    this.#sessionEvents = {
      ...common,
      onHello: (now, session, hello) => this.#onHello(now, session, hello),
      onRequest: (now, session, frame) => {
        this.#gate.pass(now, session, frame);
        // The own replica takes its copy of what the frame lends before the next frame overwrites it.
        this.#data.coordination.settle(now);
      },
      onSessionClosed: (_now, session) => {
        this.#sessions.delete(session);
        this.#data.clientService.reception.onSessionClosed(session);
      },
    };
  }

  /** Adds a part; all parts are there before the node starts. */
  #add(part: Part): void {
    this.#parts.push(part);
    for (const { type, roles } of part.routes) this.#gate.add(type, roles, part.onRequest.bind(part));
    for (const type of part.asks) this.#askers[type] = part;
  }

  #newGate(describe: () => Hello): Gate {
    const { clientService, peerService } = this.#data;
    const status = new StatusService(this.#shared, this.#peers);
    return new Gate(this.#shared, this.#peers, describe, {
      data: (now, session, frame) => clientService.onRequest(now, session, frame),
      replica: (now, session, frame) => peerService.onRequest(now, session, frame),
      ring: (_now, session, frame) => clientService.onFetchRing(session, frame),
      status: (now, session, frame) => status.onStatus(now, this.#store, session, frame),
      report: (now, session, frame) => this.#keeper.onReport(now, session, frame),
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
      bufferBytes: objectBufferBytes(this.#config, this.#env.memoryBytes),
      wantTurnEnd: () => this.#env.wantTurnEnd(),
    });
    const store = this.#store;
    this.#questions = new StoreQuestions(store);
    this.#data.openStore(store, this.#questions);
    const { shared } = this;
    const mayTell = (): boolean => this.ready && this.#boot.lossesSaved;
    shared.progress = () => (mayTell() ? { losses: shared.losses, batches: store.writtenBatch } : noProgress);
    this.#shared.storeBehind = () => store.queuedBytes > storeQueuedBytesMax;
    store.start(now);
  }

  onStoreStarted(now: Instant, report: StartReport): void {
    if (report.hole) {
      const alarm = "the middle of a log of the store is missing or damaged: writes were lost here";
      this.#env.log.error(alarm, { newestBatch: report.batchNumber });
      this.#shared.hasHole = true;
      this.#boot.doubt("batches are missing from the middle of the store's log");
    }
    if (report.created && !this.#shared.isFirstBoot) this.#boot.doubt("the store is empty");
    else if (this.#boot.wasUnclean && !report.logged) this.#boot.doubt("the write-ahead log is gone");
    else if (report.batchNumber < this.#boot.batchAtStop) this.#boot.doubt("the newest batches of the store are gone");
    this.#replica = ownReplica(this.#shared, this.#data, this.#store as Store, this.#actors as Actors);
    const replica = this.#replica;
    this.#shared.queue = () => this.#shared.inFlight + replica.inFlight;
    this.#data.attach(replica);
    this.#peers.join(now, this.#shared.ring);
    for (const part of this.#parts) part.onRing(now, this.#shared.ring);
    for (const part of this.#parts) part.onStarted(now);
    this.#settle(now);
  }

  #obey(now: Instant, { ring, hash }: EncodedRing): void {
    for (const text of ringNews(this.#shared.ring, ring)) this.#shared.journal.note("ring", text);
    this.#shared.adoptRing(ring, this.#shared.number, hash);
    for (const session of this.#sessions) {
      // A node that has left may still ask for the ring, and for nothing else.
      if (session.role === "node" && session.number !== 0 && ring.member(session.number)?.status === "left")
        session.role = "joining";
    }
    this.#peers.join(now, ring);
    for (const part of this.#parts) part.onRing(now, ring);
    this.#data.onRing(now);
  }

  /** Serves nobody any more, but tells the ring to clients; only a restart changes that. */
  #fence(now: Instant, reason: string, ring: EncodedRing | undefined): void {
    const shared = this.#shared;
    if (shared.phase === "stopping" || shared.fencedBy !== "") return;
    shared.phase = "fenced";
    shared.fencedBy = reason;
    this.#env.log.error("this node must not serve any more", { reason });
    shared.journal.note("node", `this node must not serve any more: ${reason}`);
    if (ring !== undefined) shared.adoptRing(ring.ring, shared.number, ring.hash);
    for (const part of this.#parts) part.stop(now);
    this.#peers.close();
    for (const session of this.#sessions) session.goAway();
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
    const refusal = this.#gate.judge(now, session, hello);
    if (refusal === null) this.#data.clientService.reception.greet(session, hello.clientId);
    return refusal;
  }

  #peerEvents(): Omit<PeerEvents, "describe" | "wantFlush" | "settle"> {
    return {
      onReply: (now, peer, frame) => {
        if (this.#data.onReply(now, peer, frame)) return;
        this.#askers[frame.answers]?.onReply(now, peer, frame);
      },
      onPeerKnown: (peer) => this.#data.onPeerKnown(peer),
      onPeerGone: (peer) => this.#data.onPeerGone(peer),
      onPeerAlive: (now, peer) => this.#data.onPeerAlive(now, peer),
      onPeerStopping: (now, peer) => this.#data.onPeerStopping(now, peer),
      onPeerUp: (now, peer, seen) => {
        this.#past.check(peer.member.name, seen, this.#store?.batchNumber ?? 0);
        this.#data.onPeerUp(now, peer);
        for (const part of this.#parts) part.onPeerUp(now, peer.number);
      },
      onPeerLost: (now, peer, wasUp) => {
        this.#data.onPeerLost(now, peer, wasUp);
        if (wasUp) for (const part of this.#parts) part.onPeerLost(now, peer.number);
      },
    };
  }

  // The store asks for the end of the turn after each of these, and that is where alarms are set.

  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    if (error !== null) this.#env.log.error("a record could not be read", { reason: error });
    this.#replica?.onStoreRead(now, token, sealed, error);
    this.#data.coordination.settle(now);
  }

  onStoreDamaged(now: Instant, fullKey: Uint8Array, flaw: string, target: number): void {
    this.#shared.onDamaged(now, fullKey, flaw, target);
  }

  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    this.#replica?.onStoreHints(now, token, hints, error);
    this.#data.coordination.settle(now);
  }

  onStoreWritten(now: Instant, token: number): void {
    this.#replica?.onStoreWritten(now, token);
    this.#data.coordination.settle(now);
  }

  onStoreSynced(now: Instant, token: number): void {
    if (this.#questions?.onSynced(now, token) !== true) this.#replica?.onStoreSynced(now, token);
    this.#data.coordination.settle(now);
  }

  onStoreScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    this.#questions?.onScanned(now, token, page, error);
    this.#settle(now);
  }

  onStoreHintPage(now: Instant, token: number, page: HintPage | null, error: string | null): void {
    this.#questions?.onHintPage(now, token, page, error);
    this.#settle(now);
  }

  onStoreDeleted(now: Instant, token: number, page: DeletedPage | null, error: string | null): void {
    this.#questions?.onDeleted(now, token, page, error);
    this.#settle(now);
  }

  onStoreFailed(_now: Instant, reason: string): void {
    this.#env.fatal(`the store failed: ${reason}`);
  }

  onStoreClosed(): void {
    this.#boot.saveCleanStop((this.#store as Store).batchNumber);
  }

  #wantFlush(writer: FrameWriter): void {
    if (this.#dirty.length === 0) this.#env.wantTurnEnd();
    this.#dirty.push(writer);
  }

  /**
   * The end of a turn: requests that stand in line, one batch for what the store was given, then one write per link that
   * has frames. The store comes before the links because it acknowledges memory writes here, and their answers are to
   * leave in the same turn.
   */
  endTurn(now: Instant): void {
    if (this.#data.endTurn(now)) this.#env.wantTurnEnd();
    this.#store?.endTurn(now);
    const writers = this.#dirty;
    this.#dirty = [];
    for (const writer of writers) writer.flush();
    this.#settle(now);
  }

  /** The alarm is due: deadlines, back-offs and timers of every part. */
  tick(now: Instant): void {
    this.#shared.background.onTick(now - this.#alarm);
    this.#shared.busy = this.#env.busyPercent();
    this.#alarm = never;
    this.#data.expire(now);
    if (this.#data.inLine) this.#env.wantTurnEnd();
    this.#store?.tick(now);
    this.#peers.tick(now);
    this.#keeper.tick(now);
    for (const part of this.#parts) part.tick(now);
    if (this.#sweepAt <= now) {
      this.#sweepAt = after(now, sweepEveryUs);
      for (const session of this.#sessions) session.closeIfIdle(now);
    }
    this.#settle(now);
  }

  /** Runs last in an event of a link: the data path goes on at once, parts and the alarm once for the whole turn. */
  #settleSoon(now: Instant): void {
    this.#data.onEvent(now);
    this.#data.coordination.settle(now);
    this.#env.wantTurnEnd();
  }

  /** Runs last in a turn: what effects left behind, what may happen now, and the next alarm. */
  #settle(now: Instant): void {
    do for (const part of this.#parts) part.settle(now);
    while (this.#data.coordination.settle(now));
    if (this.#past.proof !== "") this.#fence(now, this.#past.proof, undefined);
    if (this.#shared.phase === "starting") this.#serveWhenReady();
    if (this.#shared.phase === "stopping") this.#stopStoreWhenIdle(now);
    let next = earlier(this.#sweepAt, this.#stopBy);
    next = earlier(next, this.#data.nextDeadline(now));
    next = earlier(next, this.#peers.nextTick());
    next = earlier(next, this.#keeper.nextTick);
    for (const part of this.#parts) next = earlier(next, part.nextTick());
    if (this.#store !== undefined) next = earlier(next, this.#store.nextTick());
    if (next >= this.#alarm) return;
    this.#alarm = next;
    this.#env.setAlarm(next);
  }

  /** Serving begins when each peer was tried once, so that a first put does not find a cluster that is still dialling. */
  #serveWhenReady(): void {
    // A peer that has told a newer ring is asked for it before anybody is served by the old one.
    if (this.#replica === undefined || !this.#peers.allTried || this.#peers.isAhead(this.#shared.epoch)) return;
    this.#shared.phase = "serving";
    this.#env.log.info("ready", { address: this.#config.advertise, epoch: this.#shared.epoch });
  }

  /** Tells everybody to go elsewhere, finishes what is in flight (5 s at the most), flushes and closes; then `stopped`. */
  stop(now: Instant): void {
    if (this.#shared.phase === "stopping") return;
    this.#shared.phase = "stopping";
    this.#stopBy = after(now, stopPatienceUs);
    this.#keeper.stop();
    for (const part of this.#parts) part.stop(now);
    for (const session of this.#sessions) session.goAway();
    this.#settle(now);
  }

  #stopStoreWhenIdle(now: Instant): void {
    if (this.#storeStopping) return;
    const working = this.#shared.inFlight > 0 || (this.#replica !== undefined && this.#replica.inFlight > 0);
    const busy = working || this.#data.busy || this.#parts.some((part) => part.busy);
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
