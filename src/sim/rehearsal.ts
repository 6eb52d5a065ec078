/**
 * Rehearsal: before it serves, a node meets in a small simulated cluster what it will meet in its life: gets and puts, a
 * ring that moves, copies that come and go, a peer that dies and comes back. V8 compiles a function for the branches that
 * it has seen taken; when another one is taken for the first time, what was compiled is thrown away, at all nodes at the
 * same instant, because what is new (a ring) reaches all of them at once. Nothing of a rehearsal stays but what V8 has
 * learned by it (docs/TAIL.md has the figures).
 */
import { Durability } from "../base/durability.ts";
import { type DurationUs, instant } from "../base/time.ts";
import { isMoving } from "../ring/plan.ts";
import { Cluster } from "./cluster.ts";
import { quietDatagrams } from "./datagrams.ts";
import { makeLastWriteBucket } from "./last-write-bucket.ts";
import type { RunPlan } from "./plan.ts";
import { RingOperators } from "./ring-operators.ts";
import { Workload } from "./workload.ts";

const nodes = 4;
/** The seat of the node that joins, and of the one that dies. */
const joiner = nodes - 1;
const mortal = 1;
const settleUs: DurationUs = 300_000;
const deadUs: DurationUs = 500_000;
const homeUs: DurationUs = 1_000_000;
const pollUs: DurationUs = 50_000;
const joinWithinUs: DurationUs = 20_000_000;

/** Nothing goes wrong in it but what the story below has. */
const plan: RunPlan = {
  seed: 1,
  nodes,
  joiners: 1,
  zones: 0,
  partitions: 16,
  n: 3,
  r: 2,
  w: 2,
  durability: Durability.buffered,
  bufferKiB: 64,
  logSegmentKiB: 256,
  network: {
    delayMinUs: 50,
    delayJitterUs: 200,
    windowBytes: 262_144,
    fragmentPerMille: 50,
    holdPerMille: 30,
    dawdlePerMille: 0,
  },
  datagrams: quietDatagrams,
  turnUs: 20,
  clients: 2,
  keys: 50,
  loops: 4,
  thinkUs: 60_000,
  valuePadding: 1_000,
  operations: ["get", "put", "get", "put", "delete", "multi-get", "read-modify-write"],
  deadlineUs: 1_000_000,
  attemptUs: 400_000,
  warmUpUs: settleUs,
  chaosUs: joinWithinUs,
  faults: [],
  ringActs: ["join"],
  identity: null,
  firewall: false,
  lastWrites: true,
  ownCoordination: false,
  diskFaults: [],
  loadFaults: [],
  scrubRoundMs: 10_000,
  faultsPerKiloSecond: 0,
  repairPassMs: 2_000,
  repairWindowMs: 300,
  hintKiB: 1_024,
  reapAgeMs: 3_600_000,
  bodyMaxBytes: 800,
};

/** What a rehearsal has gone through. */
export interface Rehearsed {
  /** Operations of clients that have ended. */
  readonly operations: number;
  /** Whether the newcomer has all that it was to have, and the others have deleted what they gave up. */
  readonly joined: boolean;
}

/** Runs it: one or two seconds of CPU, with nothing in between. Throws what the simulator throws: a bug, to be told and passed over. */
export function rehearse(): Rehearsed {
  const cluster = new Cluster(plan, false);
  const { world } = cluster;
  cluster.boot();
  cluster.awaitReady();
  makeLastWriteBucket(cluster);
  for (let i = 0; i < plan.clients; i += 1) cluster.addClient(undefined).fetchRing();
  const workload = new Workload(plan, world, cluster.clients);
  workload.start();
  cluster.bootJoiners();
  world.runFor(settleUs);
  const operators = new RingOperators(cluster);
  operators.act(world.now, { at: 0, kind: "join", node: joiner, lasts: pollUs, pairs: [[0, 0]], factor: 0 });
  const until = instant(world.now + joinWithinUs);
  while (world.now < until && !hasJoined(cluster)) world.runFor(pollUs);
  const joined = hasJoined(cluster);
  const dying = world.nodes[mortal];
  dying?.kill(world.now);
  world.runFor(deadUs);
  dying?.boot(world.now);
  world.runFor(homeUs);
  workload.stop();
  return { operations: workload.done, joined };
}

function hasJoined(cluster: Cluster): boolean {
  const ring = cluster.newestRing;
  if (ring === undefined || !cluster.isMember(joiner) || isMoving(ring) || ring.staged.length > 0) return false;
  return cluster.transferring().length === 0;
}
