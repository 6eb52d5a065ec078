/**
 * NodeState: what the parts of one node share: its configuration, its identity, the ring it obeys, and its counters.
 * Only `Node` changes the identity, the ring and the phase; everybody else reads.
 */
import { assert } from "../base/assert.ts";
import { Hash64 } from "../base/hash.ts";
import { type ClusterId, idBytes, type NodeId, type NodeNumber, noNode, type PartitionId } from "../base/ids.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { ReadRule, WriteRule } from "../handoff/transfer.ts";
import { type MemberState, type MemberView, noProgress, type StoreProgress } from "../membership/member.ts";
import type { Membership } from "../membership/membership.ts";
import { Metrics } from "../metrics/metrics.ts";
import { TurnKeys } from "../metrics/turn-keys.ts";
import { DiskRoom } from "../replica/replica-options.ts";
import type { Ring } from "../ring/ring.ts";
import { ContextKey } from "../version/context.ts";
import { Background } from "./background.ts";
import type { NodeConfig } from "./config.ts";
import type { Environment } from "./environment.ts";
import { Journal } from "./journal.ts";
import type { RouteState } from "./route-health.ts";
import { StateSaves } from "./state-saves.ts";

/**
 * `starting`: no ring yet, or its store is not open; `serving`; `fenced`: it must not serve any more (`NodeState.fencedBy`
 * says why); `stopping`: finishes what it has, takes nothing new.
 */
export type Phase = "starting" | "serving" | "fenced" | "stopping";

/** Told of every change in the table of members, inside the core: it may look, and call nothing. */
export type MemberWatcher = (now: Instant, member: MemberView, before: MemberState | undefined) => void;

/** Told, outside of every core, that membership has changed its mind about a member of the ring. */
export type MemberListener = (now: Instant, number: NodeNumber, reachable: boolean) => void;

export class NodeState {
  readonly env: Environment;
  readonly config: NodeConfig;
  readonly metrics: Metrics = new Metrics();
  readonly nodeId: NodeId;
  readonly journal: Journal;
  readonly saves: StateSaves;
  /** Who wants to know which members come and go; parts add themselves before the node starts. */
  readonly onMemberChanged: MemberListener[] = [];
  /** Membership, from the first ring on: for checkers, which may look at it. */
  membership: Membership | undefined = undefined;
  /** For checkers. */
  watchMembers: MemberWatcher = () => {};
  startedAt: Instant = instant(0);
  phase: Phase = "starting";
  /** Why the node is fenced; empty while it is not. */
  fencedBy = "";
  number: NodeNumber = noNode;
  clusterId: ClusterId | undefined = undefined;
  /** Requests that came from outside (clients, and peers on behalf of clients) and are not answered yet. */
  inFlight = 0;
  /** Bytes of their frames. */
  inFlightBytes = 0;
  /** How much of its time the process works, of 100. */
  busy = 0;
  /** Requests that the node works on, those of its peers included: they are told with every answer. */
  queue: () => number = () => this.inFlight;
  /** This node's store is slow next to its peers: clients are told with every answer. */
  slow: () => boolean = () => false;
  /** A peer's request has waited so long for this node's store. */
  onServed: (now: Instant, storageUs: DurationUs) => void = () => {};
  /** The store has fallen behind: it should get no new writes. */
  storeBehind: () => boolean = () => false;
  /** What the others may be told of this node's store: none while it does not serve. */
  progress: () => StoreProgress = () => noProgress;
  /** Starts at which this directory was known to lack writes; in the actor's file, this one included. */
  losses = 0;
  /** How much room this node's disk has; `DiskSpace` looks. */
  diskRoom: DiskRoom = DiskRoom.enough;
  /** A member has said that its disk is nearly full, or is so no more: writes are to go elsewhere. */
  onReadOnly: (number: NodeNumber, readOnly: boolean) => void = () => {};
  /** How long what is being read may have waited for this process. */
  loopWaitUs: DurationUs = 0;
  /** Told of all work for a key. */
  readonly turnKeys: TurnKeys = new TurnKeys();
  /** What background work may have of this node. */
  readonly background: Background;
  /** Records are missing from the store's middle: its Merkle trees must be made anew before they are compared. */
  hasHole = false;
  /** This node's directory got its first ring in this run. */
  isFirstBoot = false;
  /** This node may have voted about rings in an earlier run. */
  mayHaveVoted = false;
  /** Why acknowledged writes may be missing from this node's store since the last run; null: there is no reason to think so. */
  doubt: string | null = null;
  /** A stored record whose checksum fails was found, kept for `target` or, 0, the own one. The key's bytes are borrowed. */
  onDamaged: (now: Instant, fullKey: Uint8Array, flaw: string, target: number) => void = () => {};
  /** Whether what the ring has made of this node's replicas is on stable storage: a newer ring is not saved before. */
  ringSettled: () => boolean = () => true;
  /** What becomes of a replica read of (partition, n) at this node: transfers and `synced` decide. */
  readRule: (partition: PartitionId, n: number) => ReadRule = (partition, n) =>
    this.ring.isOwner(partition, n, this.number) ? ReadRule.serve : ReadRule.wrongOwner;
  /** What becomes of a replica write of (partition, n) at this node. */
  writeRule: (partition: PartitionId, n: number) => WriteRule = (partition, n) =>
    this.ring.isOwner(partition, n, this.number) ? WriteRule.accept : WriteRule.wrongOwner;
  /** Whether membership holds the member for dead, or it stopped of itself long ago. */
  isDead: (number: NodeNumber) => boolean = () => false;
  /** Whether every member of the ring is known to obey this epoch or a later one. */
  everyMemberAt: (epoch: number) => boolean = () => false;
  /** The same of one member; also of who is in the ring no more. */
  memberAt: (number: NodeNumber, epoch: number) => boolean = () => false;
  /** A peer has told its epoch: a ring newer than this node's is to be pulled. */
  onNewerEpoch: (now: Instant, from: NodeNumber, epoch: number) => void = () => {};
  /** Transfers that are done, as their joining members say, again and again; pairs of (id, since). For who makes rings. */
  onConfirmed: (now: Instant, transfers: ArrayLike<number>) => void = () => {};
  /** The node that proposes the rings of a plan under way, as far as this one sees: the lowest reachable number. */
  ringMaker: () => NodeNumber = () => this.number;
  /** Whether membership holds the member for reachable: alive, or suspected and not yet dead. */
  isReachable: (number: NodeNumber) => boolean = () => true;
  /** What this node's data path thinks of another one: for status and checkers. */
  routeState: (number: number) => RouteState = () => "ok";
  /** How many transfers, and copies given up, are not over here: for checkers. */
  transfersOpen: () => number = () => 0;
  /** How long the client request at the head of the line has waited: for checkers. */
  longestWait: (now: Instant) => DurationUs = () => 0;
  #ring: Ring | undefined = undefined;
  #ringHash: Hash64 = new Hash64();
  #contextKey: ContextKey | undefined = undefined;

  constructor(env: Environment, config: NodeConfig, nodeId: NodeId) {
    this.env = env;
    this.config = config;
    this.nodeId = nodeId;
    this.journal = new Journal(() => env.wallMs(), env.log);
    this.saves = new StateSaves(env);
    this.background = new Background(config.backgroundUnbounded);
  }

  /** Something was read from a link: once per chunk, before its frames. */
  onRead(now: Instant): void {
    if (!this.config.withoutPhases) this.loopWaitUs = this.env.loopWaitUs(now);
  }

  /** The ring this node obeys, or undefined while it has none. */
  get ringOrNone(): Ring | undefined {
    return this.#ring;
  }

  /** The ring; only called where the node is known to have one. */
  get ring(): Ring {
    assert(this.#ring !== undefined, "the node has a ring");
    return this.#ring;
  }

  /** The hash of the ring in the bytes that it was chosen in. */
  get ringHash(): Hash64 {
    return this.#ringHash;
  }

  get epoch(): number {
    return this.#ring === undefined ? 0 : this.#ring.epoch;
  }

  get contextKey(): ContextKey {
    assert(this.#contextKey !== undefined, "the node has a cluster");
    return this.#contextKey;
  }

  /** Obeys `ring`, whose bytes have this hash, from now on. */
  adoptRing(ring: Ring, number: NodeNumber, hash: Hash64): void {
    assert(this.#ring === undefined || ring.epoch > this.#ring.epoch, "ring epochs only rise");
    this.#ring = ring;
    this.#ringHash = hash;
    this.number = number;
    this.clusterId = ring.clusterId;
    this.#contextKey ??= new ContextKey(0, this.env.deriveKey(idBytes(ring.clusterId), "context"));
  }
}
