/**
 * Cluster: nodes and clients in one world, brought up the way people bring them up: one node bootstraps and expects the
 * others, which know it as their seed node; nothing is handed to a node that a configuration could not. Disks, ledger
 * and history are where the checkers find them.
 */
import { durabilityName } from "../base/durability.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { type DurationUs, instant } from "../base/time.ts";
import { configOf, type NodeConfig } from "../node/config.ts";
import { Node } from "../node/node.ts";
import type { MemberStatus } from "../ring/member.ts";
import type { Ring } from "../ring/ring.ts";
import { SimClient, tapAcks } from "./client.ts";
import { type AckWatch, bucketOfName, fullKeyOfName } from "./client-call.ts";
import { SimDrive } from "./drive.ts";
import { History } from "./history.ts";
import { Ledger } from "./ledger.ts";
import { MemberWatch } from "./member-watch.ts";
import type { RunPlan } from "./plan.ts";
import type { Program, SimNode } from "./process.ts";
import { RingWatch } from "./ring-watch.ts";
import { WatchedDrive } from "./watched-drive.ts";
import { World } from "./world.ts";

const patientUs: DurationUs = 8_000_000;
const readyWithinUs: DurationUs = 60_000_000;

/** The address of a node by its position. */
export function addressOf(position: number): string {
  return `127.0.0.${position + 1}:7401`;
}

/** The configuration a node of the plan's cluster is started with. */
function nodeConfig(plan: RunPlan, position: number): NodeConfig {
  const bootstrap = position === 0;
  // Whoever comes later must find somebody even if the first node has gone.
  const isLate = position >= plan.nodes - plan.joiners;
  const seedNodes = isLate ? Array.from({ length: plan.nodes - plan.joiners }, (_, i) => addressOf(i)) : [addressOf(0)];
  const config = configOf({
    name: `node-${position + 1}`,
    listen: addressOf(position),
    host: `host-${position + 1}`,
    zone: plan.zones === 0 ? "" : `zone-${(position % plan.zones) + 1}`,
    bootstrap,
    ...(bootstrap ? { expect: plan.nodes - plan.joiners } : { seedNodes }),
    partitions: plan.partitions,
    replicasMax: Math.max(plan.n, Math.min(3, plan.nodes - plan.joiners)),
    n: plan.n,
    r: plan.r,
    w: plan.w,
    durability: durabilityName(plan.durability),
  });
  const { logSegmentKiB, repairPassMs, repairWindowMs, scrubRoundMs, reapAgeMs, bodyMaxBytes } = plan;
  const small = { objectBufferMiB: plan.bufferKiB / 1024, hintMiBPerNodeMax: plan.hintKiB / 1024 };
  return { ...config, ...small, logSegmentKiB, repairPassMs, repairWindowMs, scrubRoundMs, reapAgeMs, bodyMaxBytes };
}

/** Where a second process with the directory of the node at a position listens. */
export function twinAddressOf(position: number): string {
  return `127.0.1.${position + 1}:7401`;
}

/** The configuration of a node that comes to a cluster which exists: everybody else is its seed node. */
function asNewcomer(config: NodeConfig, plan: RunPlan): NodeConfig {
  const everybody = Array.from({ length: plan.nodes }, (_, position) => addressOf(position));
  return { ...config, bootstrap: false, expect: 1, seedNodes: everybody.filter((one) => one !== config.listen) };
}

export class Cluster {
  readonly plan: RunPlan;
  readonly world: World;
  readonly history: History = new History();
  readonly ledger: Ledger;
  readonly drives: SimDrive[] = [];
  readonly clients: SimClient[] = [];
  readonly rings: RingWatch = new RingWatch();
  readonly membership: MemberWatch = new MemberWatch();
  /** Seats whose nodes have lost their disks, and are to find the cluster again as strangers. */
  readonly newcomers: Set<number> = new Set();
  /** Seats whose nodes have left the cluster and know it. */
  readonly ousted: Set<number> = new Set();
  readonly #hash = new Hash64();
  readonly #partitions: Map<string, number> = new Map();

  /** Builds the seats; nothing runs yet. */
  constructor(plan: RunPlan, recording: boolean) {
    this.plan = plan;
    this.world = new World({
      seed: plan.seed,
      network: plan.network,
      datagrams: plan.datagrams,
      turnUs: plan.turnUs,
      recording,
    });
    this.ledger = new Ledger(plan.nodes);
    for (let position = 0; position < plan.nodes; position += 1) this.#addNode(position);
    tapAcks(this.world.network);
  }

  #addNode(position: number): void {
    const drive = new SimDrive(this.world.rng.fork(`disk/${position}`));
    const program: Program = (env) => {
      const config = nodeConfig(this.plan, position);
      const node = new Node(env, this.newcomers.has(position) ? asNewcomer(config, this.plan) : config);
      this.membership.onBoot(this.world.nodes[position] as SimNode, node);
      return node;
    };
    this.drives.push(drive);
    this.world.addNode(
      addressOf(position),
      new WatchedDrive(drive, position, this.ledger, this.rings, () => this.world.now),
      program,
    );
  }

  /** A second seat, on another machine, with a copy of the directory of this one; `advertise` is what its process is told. */
  addTwin(position: number, advertise: string): SimNode {
    const listen = twinAddressOf(position);
    const config: NodeConfig = { ...nodeConfig(this.plan, position), listen, advertise };
    const drive = new SimDrive(this.world.rng.fork(`twin/${position}`));
    drive.disk.putBack((this.drives[position] as SimDrive).disk.image());
    return this.world.addStranger(listen, drive, (env) => new Node(env, config));
  }

  /** The partition of a key, from its hash alone. */
  partitionOf(key: string): number {
    let partition = this.#partitions.get(key);
    if (partition === undefined) {
      hashKey(fullKeyOfName(key), this.#hash);
      partition = Math.floor(this.#hash.high / (0x1_0000_0000 / this.plan.partitions));
      this.#partitions.set(key, partition);
    }
    return partition;
  }

  /** The node in the process on that seat, if one is running. */
  nodeAt(position: number): Node | undefined {
    return (this.world.nodes[position] as SimNode).process as Node | undefined;
  }

  /** The newest ring that any node has saved. */
  get newestRing(): Ring | undefined {
    return this.rings.newest;
  }

  /** The seat of the node that the ring gives this number, or -1. */
  seatOf(number: number): number {
    const member = this.newestRing?.member(number as NodeNumber);
    return member === undefined ? -1 : this.seatAt(member.address);
  }

  /** The seat at an address. */
  seatAt(address: string): number {
    return this.world.nodes.findIndex((node) => node.address === address);
  }

  /** The seats of a key's owners in a ring, the newest one if none is given, in the order of its preference list. */
  owners(key: string, ring: Ring | undefined = this.newestRing): number[] {
    if (ring === undefined) return [];
    const { n } = ring.policyOf(bucketOfName(key));
    const numbers = ring.preferenceList(this.partitionOf(key) as PartitionId, n).subarray(0, n);
    return [...numbers].map((number) => this.seatOf(number));
  }

  /** Whether the node on that seat is in the newest ring, and has not left. */
  isMember(seat: number): boolean {
    const status = this.#statusOf(seat);
    return status !== undefined && status !== "left";
  }

  /** Whether the node on that seat was in the cluster and is no more. */
  hasLeft(seat: number): boolean {
    return this.#statusOf(seat) === "left";
  }

  #statusOf(seat: number): MemberStatus | undefined {
    return this.rings.memberAt((this.world.nodes[seat] as SimNode).address)?.status;
  }

  /** The seats of all members. */
  members(): number[] {
    return [...this.world.nodes.keys()].filter((seat) => this.isMember(seat));
  }

  /** The seats of members whose transfers have not ended, or who are down. */
  transferring(): number[] {
    return this.members().filter((seat) => this.nodeAt(seat)?.shared.transfersOpen() !== 0);
  }

  /** Whether every member serves, those aside who need not. */
  membersReady(isNeeded: (seat: number) => boolean = () => true): boolean {
    if (this.newestRing === undefined) return false;
    // Asked after every event of a wait: what is seldom true comes first.
    for (const { ready, position } of this.world.nodes) {
      if (!ready && this.isMember(position) && isNeeded(position)) return false;
    }
    return true;
  }

  /** A node that has left and is started again ends itself, as it should; it is not started any more. */
  excuses(node: SimNode, reason: string): boolean {
    if (!reason.includes("has left its cluster") || !this.hasLeft(node.position)) return false;
    this.ousted.add(node.position);
    return true;
  }

  /** Adds a client; `watch` is told of its writes' acknowledgements. A patient one has all the time it needs. */
  addClient(watch: AckWatch | undefined, patient: boolean = false): SimClient {
    const number = this.clients.length + 1;
    const client = new SimClient(number, {
      network: this.world.network,
      rng: this.world.rng.fork(`client/${number}`),
      history: this.history,
      addresses: this.world.nodes.map((node) => node.address),
      watch,
      deadlineUs: patient ? patientUs : this.plan.deadlineUs,
      attemptUs: patient ? patientUs / 2 : this.plan.attemptUs,
      ownCoordination: this.plan.ownCoordination,
    });
    this.clients.push(client);
    return client;
  }

  /** Boots the nodes of the first ring within the first moments. */
  boot(): void {
    this.#bootFrom(0, this.plan.nodes - this.plan.joiners);
  }

  /** Boots those who are to come later; once there is a ring, so that it does not count them in. */
  bootJoiners(): void {
    this.#bootFrom(this.plan.nodes - this.plan.joiners, this.plan.nodes);
  }

  #bootFrom(first: number, end: number): void {
    const rng = this.world.rng.fork(`boot/${first}`);
    for (const node of this.world.nodes.slice(first, end))
      this.world.scheduler.in(rng.below(50_000), (now) => node.boot(now));
  }

  /** Runs until every node of the first ring is ready, or for too long; whether they are. */
  awaitReady(): boolean {
    const until = instant(this.world.now + readyWithinUs);
    return this.world.runUntil(until, () => this.world.deaths.length > 0 || this.membersReady());
  }
}
