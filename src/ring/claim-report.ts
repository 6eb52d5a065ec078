/**
 * What an owner table is worth: where it breaks a constraint, how evenly it loads the nodes, and how a failed host's
 * load would spread. Computed on the preference lists themselves, so it holds for any table, however it came about.
 */
import type { NodeNumber } from "../base/ids.ts";
import type { Member } from "./member.ts";
import { Placement } from "./preference-list.ts";

/**
 * - `hosts`: the lists have fewer than N hosts, so there are fewer than N copies. To be refused unless the operator insists.
 * - `spacing`: a host comes twice within N+1 positions. Lists skip it: every copy is where it should be, but replica load
 *   is less even than owned load.
 * - `zones`: N positions use fewer than min(N, Z) zones. Lists skip, with the same effect.
 */
export type ViolationKind = "hosts" | "spacing" | "zones";

/** One constraint that the table breaks. */
export interface Violation {
  readonly kind: ViolationKind;
  /** Whose lists are concerned; sorted, never empty. */
  readonly partitions: readonly number[];
  /** One line for the operator: what is wrong, why, and what helps. */
  readonly text: string;
}

/** What one node has to carry. */
export interface NodeLoad {
  readonly number: NodeNumber;
  /** Partitions it owns. */
  readonly owned: number;
  /** Partitions it holds a copy of: those whose list has it among the first N. */
  readonly replicas: number;
}

/** The report on one table. */
export interface ClaimReport {
  readonly violations: readonly Violation[];
  /** What the operator should know although no constraint is broken; one line each. */
  readonly warnings: readonly string[];
  /** By node number: everyone who may own. */
  readonly loads: readonly NodeLoad[];
  /**
   * When a host fails, the first fallbacks take over its copies. The worst share that one other host gets, in multiples
   * of its fair share (by weight); 1 is perfect, 0 means that there is no fallback at all. In thousandths, rounded.
   */
  readonly spread: number;
  /** N Q / (S (S-1)), S counting hosts: what `spread` averages over. Choose Q so that it is 20 or more; 0 for one host. */
  readonly slotsPerPair: number;
}

/** Reports on `owners`; `members` are those who may own, all on the same terms, sorted by number. */
export function reportClaim(owners: Uint16Array, members: readonly Member[], copies: number): ClaimReport {
  const placement = new Placement(owners, members);
  const hosts = new Set(members.map((member) => member.host)).size;
  const lists = allLists(placement, copies);
  const partitions = owners.length;
  return {
    violations: [
      ...hostViolations(placement, copies),
      ...spacingViolations(placement, copies, members, hosts),
      ...zoneViolations(placement, copies),
    ],
    warnings: warningsOf(placement, copies, hosts),
    loads: loadsOf(placement, lists, members, copies),
    spread: spreadOf(placement, lists, members, copies),
    slotsPerPair: hosts < 2 ? 0 : (copies * partitions) / (hosts * (hosts - 1)),
  };
}

function allLists(placement: Placement, copies: number): Uint16Array {
  const length = placement.listLength;
  const lists = new Uint16Array(placement.owners.length * length);
  for (let p = 0; p < placement.owners.length; p += 1) placement.writeList(p, copies, lists, p * length);
  return lists;
}

function partitionsWhere(count: number, holds: (partition: number) => boolean): number[] {
  const found: number[] = [];
  for (let p = 0; p < count; p += 1) if (holds(p)) found.push(p);
  return found;
}

/** Whether a host comes twice among the `length` positions from the partition on. */
function skipsHost(hostAt: Uint16Array, partition: number, length: number): boolean {
  const mask = hostAt.length - 1;
  for (let i = 0; i < length; i += 1) {
    const host = hostAt[(partition + i) & mask];
    for (let j = i + 1; j < length; j += 1) if (hostAt[(partition + j) & mask] === host) return true;
  }
  return false;
}

/** How many zones the `length` positions from the partition on use. */
function zonesFrom(zoneAt: Uint16Array, partition: number, length: number): number {
  const mask = zoneAt.length - 1;
  let zones = 0;
  for (let i = 0; i < length; i += 1) {
    const zone = zoneAt[(partition + i) & mask];
    let earlier = false;
    for (let j = 0; j < i && !earlier; j += 1) earlier = zoneAt[(partition + j) & mask] === zone;
    if (!earlier) zones += 1;
  }
  return zones;
}

function hostViolations(placement: Placement, copies: number): Violation[] {
  const hosts = placement.hosts.length;
  if (hosts >= copies) return [];
  const partitions = partitionsWhere(placement.owners.length, () => true);
  const text = `${copies} copies need ${copies} hosts and there ${hosts === 1 ? "is" : "are"} only ${hosts}: each record has ${hosts === 1 ? "one copy" : `${hosts} copies`}; add hosts`;
  return [{ kind: "hosts", partitions, text }];
}

function spacingViolations(
  placement: Placement,
  copies: number,
  members: readonly Member[],
  hosts: number,
): Violation[] {
  const spacing = copies + 1;
  // With N hosts or fewer every list holds all of them, wherever they stand.
  if (placement.hosts.length < spacing) return [];
  const count = placement.owners.length;
  const partitions = partitionsWhere(count, (p) => skipsHost(placement.hostAt, p, spacing));
  if (partitions.length === 0) return [];
  const owned = new Int32Array(placement.hosts.length);
  for (const host of placement.hostAt) owned[host] = (owned[host] as number) + 1;
  const largest = owned.reduce((most, quota, host) => (quota > (owned[most] as number) ? host : most), 0);
  const room = Math.trunc(count / spacing);
  let why = "no better layout was found";
  if ((owned[largest] as number) > room) {
    const label = placement.hosts[largest] as string;
    const uneven = members.some((member) => member.weight !== members[0]?.weight) || members.length > hosts;
    const cure = uneven ? "lower its weight or add hosts" : "add a host";
    why = `at most ${room} of ${count} partitions can lie ${spacing} apart and host ${label} owns ${owned[largest]}; ${cure}`;
  }
  const text = `${partitions.length} of ${count} lists skip a host that comes twice within ${spacing} positions: ${why}`;
  return [{ kind: "spacing", partitions, text }];
}

function zoneViolations(placement: Placement, copies: number): Violation[] {
  if (placement.hosts.length <= copies) return [];
  const count = placement.owners.length;
  const needed = Math.min(copies, placement.zones.length);
  const partitions = partitionsWhere(count, (p) => zonesFrom(placement.zoneAt, p, copies) < needed);
  if (partitions.length === 0) return [];
  const owned = new Int32Array(placement.zones.length);
  for (const zone of placement.zoneAt) owned[zone] = (owned[zone] as number) + 1;
  const even = Math.max(...owned) - Math.min(...owned) <= 1;
  let why = "the zones differ too much to follow each other evenly; give each the same weight";
  if (even && needed === placement.zones.length && count % needed !== 0) {
    why = `${count} partitions cannot be shared evenly by ${needed} zones; have more zones if it matters`;
  } else if (even) {
    why = "no better layout was found";
  }
  const text = `${partitions.length} of ${count} lists skip nodes to reach ${needed} zones: ${why}`;
  return [{ kind: "zones", partitions, text }];
}

function warningsOf(placement: Placement, copies: number, hosts: number): string[] {
  const warnings: string[] = [];
  const owning = placement.hosts.length;
  if (owning <= copies) {
    warnings.push(
      `no fallback: with ${owning} host${owning === 1 ? "" : "s"} and ${copies} copies nobody can stand in for a node that is down; ${copies + 2} hosts are recommended`,
    );
  }
  if (owning < hosts) warnings.push(`${hosts - owning} of ${hosts} hosts own nothing: there are too few partitions`);
  return warnings;
}

function loadsOf(
  placement: Placement,
  lists: Uint16Array,
  members: readonly Member[],
  copies: number,
): readonly NodeLoad[] {
  const owned = new Map<number, number>();
  const replicas = new Map<number, number>();
  for (const owner of placement.owners) owned.set(owner, (owned.get(owner) ?? 0) + 1);
  const length = placement.listLength;
  for (let at = 0; at < lists.length; at += length) {
    for (let i = 0; i < Math.min(copies, length); i += 1) {
      const node = lists[at + i] as number;
      replicas.set(node, (replicas.get(node) ?? 0) + 1);
    }
  }
  return members.map(({ number }) => ({ number, owned: owned.get(number) ?? 0, replicas: replicas.get(number) ?? 0 }));
}

function spreadOf(placement: Placement, lists: Uint16Array, members: readonly Member[], copies: number): number {
  const hosts = placement.hosts.length;
  const length = placement.listLength;
  if (length <= copies) return 0;
  const indexByLabel = new Map(placement.hosts.map((label, index) => [label, index]));
  const hostOfNode = new Map<number, number>();
  const weight = new Int32Array(hosts);
  let weightSum = 0;
  for (const member of members) {
    weightSum += member.weight;
    const host = indexByLabel.get(member.host);
    if (host === undefined) continue;
    hostOfNode.set(member.number, host);
    weight[host] = (weight[host] as number) + member.weight;
  }
  const taken = new Int32Array(hosts * hosts);
  const lost = new Int32Array(hosts);
  for (let at = 0; at < lists.length; at += length) {
    const fallback = hostOfNode.get(lists[at + copies] as number) as number;
    for (let i = 0; i < copies; i += 1) {
      const owner = hostOfNode.get(lists[at + i] as number) as number;
      taken[owner * hosts + fallback] = (taken[owner * hosts + fallback] as number) + 1;
      lost[owner] = (lost[owner] as number) + 1;
    }
  }
  // Fractions: for people to read, nothing is decided by them.
  let worst = 0;
  for (let f = 0; f < hosts; f += 1) {
    for (let g = 0; g < hosts; g += 1) {
      const fair = (lost[f] as number) * (weight[g] as number);
      const share = ((taken[f * hosts + g] as number) * (weightSum - (weight[f] as number))) / fair;
      if (f !== g && share > worst) worst = share;
    }
  }
  return Math.round(1000 * worst) / 1000;
}
