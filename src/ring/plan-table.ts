/**
 * An owner table that is being changed, one entry after the other, and the first n of its preference lists. The planner
 * and the choice of active positions try thousands of entries, too many to make a `Ring` for each. The lists are those of
 * preference-list.ts; a test holds the two to each other.
 */
import { assert } from "../base/assert.ts";
import { noNode } from "../base/ids.ts";
import type { Member } from "./member.ts";
import { zoneReach } from "./preference-list.ts";

/** Where nodes live, by number: hosts and zones are numbered densely in the order of the members. */
export class Places {
  /** By node number; -1: no member. */
  readonly hostOf: Int32Array;
  /** By node number. */
  readonly zoneOf: Int32Array;
  readonly hosts: number;
  readonly zones: number;

  constructor(members: readonly Member[]) {
    const size = members.reduce((most, member) => Math.max(most, member.number), 0) + 1;
    this.hostOf = new Int32Array(size).fill(-1);
    this.zoneOf = new Int32Array(size).fill(-1);
    const hosts = new Map<string, number>();
    const zones = new Map<string, number>();
    for (const { number, host, zone } of members) {
      if (!hosts.has(host)) hosts.set(host, hosts.size);
      if (!zones.has(zone)) zones.set(zone, zones.size);
      this.hostOf[number] = hosts.get(host) as number;
      this.zoneOf[number] = zones.get(zone) as number;
    }
    this.hosts = hosts.size;
    this.zones = zones.size;
  }
}

/** The table. Its entries change only through `set`. */
export class PlanTable {
  readonly owners: Uint16Array;
  readonly places: Places;
  /** Positions owned, by node number. */
  readonly owned: Int32Array;
  /** Hosts that own something: no list is longer. */
  hosts = 0;
  /** Nodes that own something. */
  nodes = 0;
  /** Zones that own something. */
  zones = 0;
  /** How many positions decided the list that was asked for last, from its partition on. */
  reach = 0;
  readonly #ownedByHost: Int32Array;
  readonly #ownedByZone: Int32Array;
  readonly #hostSeen: Uint32Array;
  readonly #zoneSeen: Uint32Array;
  #walk = 0;

  /** Copies `owners`, all of whom are in `places`. */
  constructor(owners: Uint16Array, places: Places) {
    this.owners = owners.slice();
    this.places = places;
    this.owned = new Int32Array(places.hostOf.length);
    this.#ownedByHost = new Int32Array(places.hosts);
    this.#ownedByZone = new Int32Array(places.zones);
    this.#hostSeen = new Uint32Array(places.hosts);
    this.#zoneSeen = new Uint32Array(places.zones);
    for (const owner of owners) this.#count(owner, 1);
  }

  /** The host of the owner of a position, which may lie beyond either end of the table. */
  hostAt(position: number): number {
    return this.places.hostOf[this.ownerAt(position)] as number;
  }

  /** The zone of the owner of a position, as `hostAt`. */
  zoneAt(position: number): number {
    return this.places.zoneOf[this.ownerAt(position)] as number;
  }

  /** The owner of a position, as `hostAt`. */
  ownerAt(position: number): number {
    return this.owners[position & (this.owners.length - 1)] as number;
  }

  /** Gives one position to another node. */
  set(position: number, node: number): void {
    this.#count(this.owners[position] as number, -1);
    this.owners[position] = node;
    this.#count(node, 1);
  }

  /** Whether all lists for n name the same nodes: every one that owns something, each on a host of its own. */
  uniform(n: number): boolean {
    return this.hosts <= n && this.nodes === this.hosts;
  }

  /** Writes the first n of the partition's list to `out`, returns how many there are (fewer than n: fewer hosts), sets `reach`. */
  list(partition: number, n: number, out: Uint16Array): number {
    const length = Math.min(n, this.hosts);
    const zonesNeeded = Math.min(length, this.zones);
    const limit = Math.min(zoneReach(n), this.owners.length);
    this.#walk += 1;
    let found = 0;
    let step = 0;
    // Each node that is taken here has a zone of its own.
    for (; found < zonesNeeded && step < limit; step += 1) {
      const node = this.ownerAt(partition + step);
      const zone = this.places.zoneOf[node] as number;
      if (this.#zoneSeen[zone] === this.#walk) continue;
      this.#zoneSeen[zone] = this.#walk;
      found = this.#take(node, found, out);
    }
    this.reach = step;
    for (step = 0; found < length; step += 1) {
      assert(step < this.owners.length, "the walk went round without meeting every host");
      const node = this.ownerAt(partition + step);
      const host = this.places.hostOf[node] as number;
      if (this.#hostSeen[host] !== this.#walk) found = this.#take(node, found, out);
    }
    this.reach = length < n ? this.owners.length : Math.max(this.reach, step);
    return length;
  }

  #take(node: number, found: number, out: Uint16Array): number {
    this.#hostSeen[this.places.hostOf[node] as number] = this.#walk;
    out[found] = node;
    return found + 1;
  }

  #count(node: number, by: 1 | -1): void {
    assert(node !== noNode && this.places.hostOf[node] !== -1, "an owner is no member");
    this.nodes += bump(this.owned, node, by);
    this.hosts += bump(this.#ownedByHost, this.places.hostOf[node] as number, by);
    this.zones += bump(this.#ownedByZone, this.places.zoneOf[node] as number, by);
  }
}

/** Changes one count; returns by how much that changes how many are not zero. */
function bump(counts: Int32Array, index: number, by: 1 | -1): number {
  const before = counts[index] as number;
  counts[index] = before + by;
  if (before === 0) return 1;
  return before + by === 0 ? -1 : 0;
}

/** Whether `node` is among the first `length` of `list`. */
export function isListed(list: Uint16Array, length: number, node: number): boolean {
  for (let i = 0; i < length; i += 1) if (list[i] === node) return true;
  return false;
}
