/**
 * Deciding who owns what. `planClaim` lays out a new cluster: shares by weight (claim-quota.ts), then an order of hosts
 * that is random but spaced (claim-layout.ts, claim-search.ts), then the nodes of each host dealt over its positions.
 * A plan is a value: the same members and seed give the same owners on every machine, and nothing happens until the
 * ring that holds it is chosen. Dynamo 6.2, strategy 3, with the placement that the paper leaves open.
 *
 * Random, because a round-robin layout lets a failed node's load fall on the N nodes behind it alone; spaced, because
 * then no preference list skips. Constraints that members cannot meet are reported, never fatal.
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import { noNode } from "../base/ids.ts";
import { Rng } from "../base/rng.ts";
import { layoutProblem } from "./claim-layout.ts";
import { apportion, type Claimant, seatAll, wholeQuotient } from "./claim-quota.ts";
import { type ClaimReport, reportClaim } from "./claim-report.ts";
import { findLayout } from "./claim-search.ts";
import { checkMembers, type Member } from "./member.ts";
import { checkPartitions } from "./partition.ts";
import { checkReplicasMax } from "./ring.ts";

export type { ClaimReport, NodeLoad, Violation, ViolationKind } from "./claim-report.ts";

/** What a plan is made from. */
export interface ClaimRequest {
  /** Those with status `member` are given partitions; their order does not matter. */
  readonly members: readonly Member[];
  /** Q: a power of two, 8..16384. */
  readonly partitions: number;
  /** N: the largest n of any bucket, 1..7. */
  readonly replicasMax: number;
  /** u32. */
  readonly planSeed: number;
}

/** A plan: the owners, and what they are worth. */
export interface Claim extends ClaimReport {
  /** Per partition the number of its owner. */
  readonly owners: Uint16Array;
}

/** The most members that a plan is made for: its work grows with members x partitions. */
export const claimMembersMax = 1000;

interface Host {
  readonly zone: number;
  readonly weight: number;
  readonly members: readonly Member[];
}

/** Hosts with their members, in the order of the lowest node number; zones are numbered in the same order. */
function hostsOf(members: readonly Member[]): Host[] {
  const membersOfHost = new Map<string, Member[]>();
  for (const member of members) {
    const list = membersOfHost.get(member.host);
    if (list === undefined) membersOfHost.set(member.host, [member]);
    else list.push(member);
  }
  const zones = new Map<string, number>();
  const hosts: Host[] = [];
  for (const list of membersOfHost.values()) {
    const label = (list[0] as Member).zone;
    const zone = zones.get(label) ?? zones.size;
    zones.set(label, zone);
    hosts.push({ zone, weight: list.reduce((sum, member) => sum + member.weight, 0), members: list });
  }
  return hosts;
}

/** Partitions per host: first split over the zones, then within each. */
function hostQuotas(hosts: readonly Host[], partitions: number, copies: number, rng: Rng): Int32Array {
  const hostsOfZone: number[][] = [];
  for (const [index, host] of hosts.entries()) {
    const list = hostsOfZone[host.zone];
    if (list === undefined) hostsOfZone.push([index]);
    else list.push(index);
  }
  const spacing = Math.min(copies + 1, hosts.length);
  const hostCap = wholeQuotient(partitions, spacing);
  const zoneCap = hostsOfZone.length >= copies ? wholeQuotient(partitions, copies) : partitions;
  const weightSum = hosts.reduce((sum, host) => sum + host.weight, 0);
  const zones = hostsOfZone.map((list): Claimant => {
    const weight = list.reduce((sum, index) => sum + (hosts[index] as Host).weight, 0);
    return { weight, cap: Math.min(zoneCap, hostCap * list.length) };
  });
  const zoneQuotas = apportion(partitions, zones, partitions, weightSum, rng);
  const quotas = new Int32Array(hosts.length);
  for (const [zone, list] of hostsOfZone.entries()) {
    const claimants = list.map((index): Claimant => ({ weight: (hosts[index] as Host).weight, cap: hostCap }));
    const inZone = apportion(zoneQuotas[zone] as number, claimants, partitions, weightSum, rng);
    for (const [i, index] of list.entries()) quotas[index] = inZone[i] as number;
  }
  seatAll(quotas, partitions);
  return quotas;
}

/** Per host the numbers of its nodes, each as often as it owns, in random order. */
function dealNodes(hosts: readonly Host[], quotas: Int32Array, partitions: number, rng: Rng): number[][] {
  const weightSum = hosts.reduce((sum, host) => sum + host.weight, 0);
  return hosts.map((host, index) => {
    const nodes: number[] = [];
    const claimants = host.members.map((member): Claimant => ({ weight: member.weight, cap: partitions }));
    const owned = apportion(quotas[index] as number, claimants, partitions, weightSum, rng);
    for (const [i, member] of host.members.entries()) {
      for (let k = 0; k < (owned[i] as number); k += 1) nodes.push(member.number);
    }
    return rng.shuffle(nodes);
  });
}

/**
 * Plans the owners of a new cluster. Deterministic in the request; at most a few milliseconds. Throws `INVALID_ARGUMENT`
 * if the request is malformed or no member may own; what the members cannot satisfy comes back as `violations`.
 */
export function planClaim(request: ClaimRequest): Claim {
  const { partitions, replicasMax: copies } = request;
  checkPartitions(partitions);
  checkReplicasMax(copies);
  const members = checkMembers(request.members).filter((member) => member.status === "member");
  if (members.length === 0 || members.length > claimMembersMax) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `${members.length} members to own partitions (1..${claimMembersMax} are allowed)`,
    );
  }
  const rng = new Rng(request.planSeed);
  const hosts = hostsOf(members);
  const quotas = hostQuotas(hosts, partitions, copies, rng.fork("quotas"));
  const weights = Int32Array.from(hosts, (host) => host.weight);
  const zoneOf = Int32Array.from(hosts, (host) => host.zone);
  const problem = layoutProblem(quotas, weights, zoneOf, partitions, copies);
  const layout = findLayout(problem, rng.fork("layout"));
  const nodes = dealNodes(hosts, quotas, partitions, rng.fork("nodes"));
  const owners = new Uint16Array(partitions);
  for (let p = 0; p < partitions; p += 1) {
    owners[p] = nodes[layout[p] as number]?.pop() ?? noNode;
    assert(owners[p] !== noNode, "a host has fewer nodes dealt than positions");
  }
  return { owners, ...reportClaim(owners, members, copies) };
}
