/**
 * Plan: everything about a run that its seed decides before it starts: the cluster's shape, the workload's and which
 * classes of faults are on (swarm style: leaving classes out finds more than always having
 * all). Plain data, so that a tape can carry a plan that was changed by hand or by the minimiser.
 */
import { Durability } from "../base/durability.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs } from "../base/time.ts";
import { type DatagramOptions, quietDatagrams } from "./datagrams.ts";
import type { NetworkOptions } from "./paths.ts";

/** What can go wrong; a seed has about half of these classes on. */
export type FaultClass =
  | "crash"
  | "restart"
  | "power"
  | "pause"
  | "split"
  | "udp-split"
  | "tcp-split"
  | "slow-link"
  | "reset"
  | "slow-disk"
  | "read-errors"
  | "write-errors"
  | "clock"
  | "client-crash";

/** All classes of faults. */
export const faultClasses: readonly FaultClass[] = [
  "crash",
  "restart",
  "power",
  "pause",
  "split",
  "udp-split",
  "tcp-split",
  "slow-link",
  "reset",
  "slow-disk",
  "read-errors",
  "write-errors",
  "clock",
  "client-crash",
];

/** What happens to disks besides; a third of the seeds have some of it. */
export type DiskFaultClass = "bit-rot" | "disk-full";

/** All of that. */
const diskFaultClasses: readonly DiskFaultClass[] = ["bit-rot", "disk-full"];

/** Too much to do: a node whose turns are long, and more gets and puts of one key than anybody can answer. */
export type LoadFaultClass = "busy" | "burst";

/** All of that; a fifth of the seeds have some of it. */
const loadFaultClasses: readonly LoadFaultClass[] = ["busy", "burst"];

/** What operators do to the ring; about a third of the seeds have some of these on. */
export type RingActClass = "join" | "leave" | "replace" | "remove" | "cancel" | "unstage";

/** All that operators do. */
export const ringActClasses: readonly RingActClass[] = ["join", "leave", "replace", "remove", "cancel", "unstage"];

/**
 * What befalls the directory that a node is: a second process with a copy of it (clone), a new disk at the old address
 * (wipe), a disk as it was some time ago (rollback).
 */
export type IdentityClass = "clone" | "wipe" | "rollback";

/** All that befalls directories. */
export const identityClasses: readonly IdentityClass[] = ["clone", "wipe", "rollback"];
/** The copy is drawn apart, and seldom. */
const drawnIdentities: readonly IdentityClass[] = ["wipe", "rollback"];

/** What clients do; a seed has most of these on. */
export type OperationClass = "get" | "put" | "blind-put" | "delete" | "multi-get" | "read-modify-write";

const operationClasses: readonly OperationClass[] = [
  "get",
  "put",
  "blind-put",
  "delete",
  "multi-get",
  "read-modify-write",
];

/** What a seed decides. Durations are simulated. */
export interface RunPlan {
  readonly seed: number;
  readonly nodes: number;
  /** The last so many of the nodes are not awaited by the first ring: they wait to be staged. */
  readonly joiners: number;
  /** Nodes stand in so many zones, in turns; 0: nobody says where they stand. */
  readonly zones: number;
  readonly partitions: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: Durability;
  /** The object buffer, KiB: far below what a configuration allows, so that reads reach the engine. */
  readonly bufferKiB: number;
  readonly logSegmentKiB: number;
  readonly network: NetworkOptions;
  readonly datagrams: DatagramOptions;
  readonly turnUs: DurationUs;
  readonly clients: number;
  readonly keys: number;
  /** Operations that one client has under way at once. */
  readonly loops: number;
  readonly thinkUs: DurationUs;
  readonly valuePadding: number;
  readonly operations: readonly OperationClass[];
  readonly deadlineUs: DurationUs;
  readonly attemptUs: DurationUs;
  readonly warmUpUs: DurationUs;
  readonly chaosUs: DurationUs;
  readonly faults: readonly FaultClass[];
  /** Empty: the ring stays as it is. */
  readonly ringActs: readonly RingActClass[];
  /** At most one in a run; null: all directories stay where they are. */
  readonly identity: IdentityClass | null;
  /** Once all is well, a firewall that lets TCP alone through closes around a member, and opens again. */
  readonly firewall: boolean;
  /** Clients coordinate most of their gets themselves. */
  readonly ownCoordination: boolean;
  /** Half of the operations go to a bucket where the last write wins. */
  readonly lastWrites: boolean;
  /** Mostly empty. */
  readonly diskFaults: readonly DiskFaultClass[];
  /** Mostly empty. */
  readonly loadFaults: readonly LoadFaultClass[];
  /** Every record is read within this time: in most runs longer than they last. */
  readonly scrubRoundMs: number;
  /** Faults per simulated second of chaos, in thousandths. */
  readonly faultsPerKiloSecond: number;
  /** Every replica is compared with every other owner's within this time: short where anti-entropy must do it all. */
  readonly repairPassMs: number;
  readonly repairWindowMs: number;
  /** How long a tombstone lies before it is asked about: in most runs longer than they last. */
  readonly reapAgeMs: number;
  /** What a node keeps at most for one other: with little, puts must go elsewhere or are refused. */
  readonly hintKiB: number;
  /** Of a record of more bytes one replica sends the whole and the others its head; 0: all send all. */
  readonly bodyMaxBytes: number;
}

function drawNodes(rng: Rng): number {
  return rng.chance(750) ? rng.between(3, 5) : rng.between(1, 9);
}

function drawNetwork(rng: Rng): NetworkOptions {
  return {
    delayMinUs: rng.pick([50, 100, 500, 2_000]),
    delayJitterUs: rng.pick([0, 200, 2_000, 20_000]),
    windowBytes: rng.pick([4_096, 16_384, 65_536, 262_144]),
    fragmentPerMille: rng.pick([0, 0, 50, 500]),
    holdPerMille: rng.pick([0, 0, 30, 300]),
    dawdlePerMille: rng.pick([0, 0, 100, 500]),
  };
}

/** Half of the runs have a network that loses no datagram of itself. */
function drawDatagrams(rng: Rng): DatagramOptions {
  const bad = rng.chance(500);
  return {
    ...quietDatagrams,
    lossPerMille: bad ? rng.pick([5, 50, 200]) : 0,
    duplicatePerMille: bad ? rng.pick([0, 20, 200]) : 0,
    reorderPerMille: bad ? rng.pick([0, 50, 300]) : 0,
  };
}

function subset<T>(rng: Rng, all: readonly T[], perMille: number): T[] {
  return all.filter(() => rng.chance(perMille));
}

/** Seats at the most: more nodes find nothing that these do not. */
const seatsMax = 9;
const ringActsPerMille = 330;
const zonesPerMille = 250;
const reapsPerMille = 250;
const identityPerMille = 200;
const clonePerMille = 40;
const firewallPerMille = 60;
const ownCoordinationPerMille = 250;
/** Not with a directory from the past: its ring may be one that has no such bucket yet. */
const lastWritesPerMille = 250;
const diskFaultsPerMille = 330;
const loadFaultsPerMille = 200;
const leastWindowOfBursts = 65_536;

/** Draws a short run: a few hundred operations over some seconds. `nodes` is a number of nodes that stay. */
export function drawPlan(seed: number, rng: Rng, nodes?: number): RunPlan {
  const steady = drawSteadyPlan(seed, rng, nodes);
  const rings = rng.fork("rings");
  const plan = nodes === undefined && rings.chance(ringActsPerMille) ? withRingActs(steady, rings) : steady;
  const reaps = rng.fork("reaping");
  const reaping = reaps.chance(reapsPerMille) ? withReaping(plan, reaps) : plan;
  const identities = rng.fork("identities");
  const firewall = rng.fork("firewall").chance(firewallPerMille);
  const ownCoordination = rng.fork("own-coordination").chance(ownCoordinationPerMille);
  const loads = rng.fork("loads");
  const loadFaults = loads.chance(loadFaultsPerMille) ? subset(loads, loadFaultClasses, 700) : [];
  const whole = loadFaults.length > 0 ? withWideLinks(reaping) : reaping;
  const common = { firewall, ownCoordination, loadFaults };
  if (identities.chance(identityPerMille))
    return { ...withIdentity(whole, identities.pick(drawnIdentities), identities), ...common };
  const clones = rng.fork("clones");
  if (clones.chance(clonePerMille)) return { ...withIdentity(whole, "clone", clones), ...common };
  const lastWrites = rng.fork("last-writes").chance(lastWritesPerMille);
  // Damage is an excuse for what a directory lacks, too: not both in one run.
  const disks = rng.fork("disks");
  return { ...(disks.chance(diskFaultsPerMille) ? withDiskFaults(whole, disks) : whole), ...common, lastWrites };
}

/** Answers to a burst, of a hundred records with all their siblings, are through a link before the liveness phase is over. */
function withWideLinks(plan: RunPlan): RunPlan {
  const windowBytes = Math.max(plan.network.windowBytes, leastWindowOfBursts);
  return { ...plan, network: { ...plan.network, windowBytes } };
}

/** Bits that flip at rest, and disks that fill up. */
function withDiskFaults(plan: RunPlan, rng: Rng): RunPlan {
  return { ...plan, diskFaults: subset(rng, diskFaultClasses, 600), scrubRoundMs: rng.pick([2_000, 10_000]) };
}

/**
 * A directory's fate takes seconds, and changes of the ring of its own. With two nodes nobody could replace a lost one;
 * and a machine that went down excuses what it lacks, so that nobody would say that its directory is from the past.
 */
function withIdentity(plan: RunPlan, identity: IdentityClass, rng: Rng): RunPlan {
  if (plan.ringActs.length > 0 || plan.nodes < 3 || plan.n < 2 || plan.w < 2) return plan;
  const faults = identity === "rollback" ? plan.faults.filter((one) => one !== "power") : plan.faults;
  const chaosUs = plan.chaosUs + rng.between(4_000_000, 8_000_000);
  const thinkUs = Math.ceil((plan.thinkUs * chaosUs) / plan.chaosUs);
  return { ...plan, identity, faults, chaosUs, thinkUs };
}

const shortChaosUs: DurationUs = 1_000_000;
const shortOperations = 60;

/** Draws the shortest run that is worth one: a second of faults, some dozens of operations, and the ring as it is. */
export function drawShortPlan(seed: number, rng: Rng, nodes?: number): RunPlan {
  const plan = drawSteadyPlan(seed, rng, nodes ?? rng.fork("short").between(3, 4));
  const thinkUs = Math.ceil((shortChaosUs * plan.clients * plan.loops) / shortOperations);
  return { ...plan, chaosUs: shortChaosUs, thinkUs, repairPassMs: 600_000 };
}

/** Such changes take seconds: the run is longer, and its load is spread over it. */
function withRingActs(plan: RunPlan, rng: Rng): RunPlan {
  const joiners = Math.min(rng.between(0, 3), seatsMax - plan.nodes);
  const ringActs = subset(rng, ringActClasses, 600);
  if (ringActs.length === 0) ringActs.push("join");
  const chaosUs = plan.chaosUs + rng.between(3_000_000, 12_000_000);
  const thinkUs = Math.ceil((plan.thinkUs * chaosUs) / plan.chaosUs);
  return { ...plan, nodes: plan.nodes + joiners, joiners, ringActs, chaosUs, thinkUs };
}

function drawSteadyPlan(seed: number, rng: Rng, nodes: number | undefined): RunPlan {
  const count = nodes ?? drawNodes(rng);
  const n = Math.min(count, rng.chance(600) ? 3 : rng.between(1, 5));
  const majority = (n >> 1) + 1;
  const strict = rng.chance(700);
  const operations = subset(rng, operationClasses, 700);
  if (operations.length === 0) operations.push("read-modify-write");
  if (!operations.some((one) => one !== "get" && one !== "multi-get")) operations.push("blind-put");
  const clients = rng.between(1, 4);
  const loops = rng.between(1, 2);
  const chaosUs = rng.between(1_500_000, 6_000_000);
  const big = rng.chance(20);
  const target = big ? 50 : rng.pick([50, 100, 250]);
  return {
    seed,
    nodes: count,
    joiners: 0,
    zones: rng.fork("zones").chance(zonesPerMille) ? rng.fork("zones").between(2, 3) : 0,
    partitions: rng.pick([8, 16, 32, 64]),
    n,
    r: strict ? majority : rng.between(1, n),
    w: strict ? majority : rng.between(1, n),
    durability: rng.pick([Durability.memory, Durability.buffered, Durability.oneDurable, Durability.durable]),
    bufferKiB: rng.pick([4, 16, 64, 256]),
    logSegmentKiB: rng.pick([1, 8, 64]),
    network: drawNetwork(rng),
    turnUs: rng.pick([0, 20, 200]),
    clients,
    keys: big ? 16 : rng.pick([1, 2, 4, 8]),
    loops,
    thinkUs: Math.ceil((chaosUs * clients * loops) / target),
    valuePadding: big ? 50_000 : rng.pick([0, 0, 100, 3_000]),
    operations,
    deadlineUs: rng.pick([300_000, 1_000_000, 2_500_000]),
    attemptUs: rng.pick([100_000, 400_000, 1_000_000]),
    warmUpUs: 300_000,
    chaosUs,
    faults: subset(rng, faultClasses, 500),
    ringActs: [],
    identity: null,
    firewall: false,
    lastWrites: false,
    ownCoordination: false,
    diskFaults: [],
    loadFaults: [],
    scrubRoundMs: 604_800_000,
    faultsPerKiloSecond: rng.pick([500, 1_500, 4_000]),
    datagrams: drawDatagrams(rng),
    repairPassMs: rng.pick([2_000, 600_000]),
    repairWindowMs: rng.pick([1_300, 2_500]),
    hintKiB: rng.pick([1, 8, 1_024, 1_024]),
    reapAgeMs: 3_600_000,
    bodyMaxBytes: drawBodyMax(rng.fork("body-max")),
  };
}

/** Half of the runs take every record for a large one, or those with siblings. */
function drawBodyMax(rng: Rng): number {
  return rng.chance(500) ? rng.pick([1, 100, 200]) : rng.pick([0, 4_096]);
}

/** Whether tombstones grow old enough within a run to be forgotten. */
export function reapsWithinRun(plan: RunPlan): boolean {
  return plan.reapAgeMs < 60_000;
}

/** A longer run in which deletes are forgotten; what is on its way between nodes arrives sooner than they grow old. */
function withReaping(plan: RunPlan, rng: Rng): RunPlan {
  const chaosUs = rng.between(10_000_000, 18_000_000);
  const operations = [...new Set<OperationClass>([...plan.operations, "delete", "read-modify-write"])];
  return {
    ...plan,
    reapAgeMs: rng.pick([4_000, 5_000]),
    chaosUs,
    operations,
    thinkUs: Math.ceil((plan.thinkUs * chaosUs) / plan.chaosUs),
    deadlineUs: Math.min(plan.deadlineUs, 1_000_000),
    faultsPerKiloSecond: Math.min(plan.faultsPerKiloSecond, 1_000),
    repairPassMs: 2_000,
  };
}
