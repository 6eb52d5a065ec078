/**
 * Preference lists: who holds a partition's keys, in order (Dynamo 4.3, 4.6). The list of partition p walks the owners of
 * p, p+1, ... (wrapping) and takes each node whose host is new. While fewer than min(n, Z) of the Z zones are used it
 * also skips nodes in used zones, for the first 2n+2 positions; then it fills from p on, so that what was skipped comes
 * next. The first n are the owners, the rest, by the same rule, the fallbacks.
 *
 * Hosts and zones here are those that own something: nobody else can be met on the walk. The planner spaces hosts and
 * zones so that walks need not skip (claim.ts); any owner table still gives right lists.
 */
import { assert } from "../base/assert.ts";
import type { PartitionId } from "../base/ids.ts";
import type { Member } from "./member.ts";

/** Lists hold every host on the ring, but no more than this: a few fallbacks beyond the largest n. */
export const listLengthMax = 16;

/**
 * How far a walk looks for unused zones. The layouts of the planner have every zone within n positions, the seam where
 * the ring closes within 2n. A zone that comes more rarely, such as one whose first node has just been given its first
 * partition, must not be reached for: it would hold a copy of everything.
 */
export function zoneReach(n: number): number {
  return 2 * n + 2;
}

/** An owner table seen as hosts and zones: what the walk needs of each position, numbered densely. */
export class Placement {
  readonly owners: Uint16Array;
  /** Per partition, the index of its owner's host. */
  readonly hostAt: Uint16Array;
  /** Per partition, the index of its owner's zone. */
  readonly zoneAt: Uint16Array;
  /** Labels by index, in the order of first appearance from partition 0. */
  readonly hosts: readonly string[];
  readonly zones: readonly string[];
  /** Of all members, those that own nothing yet or nothing more included: see `writeList`. */
  readonly #zonesOfMembers: number;
  readonly #hostSeen: Uint32Array;
  readonly #zoneSeen: Uint32Array;
  #walk = 0;

  /** Every number in `owners` is a member's; the table, of a power of two, is not copied. */
  constructor(owners: Uint16Array, members: readonly Member[]) {
    this.owners = owners;
    this.hostAt = new Uint16Array(owners.length);
    this.zoneAt = new Uint16Array(owners.length);
    const byNumber = new Map<number, Member>();
    for (const member of members) byNumber.set(member.number, member);
    const hosts = new Map<string, number>();
    const zones = new Map<string, number>();
    const places = new Map<number, { readonly host: number; readonly zone: number }>();
    for (let p = 0; p < owners.length; p += 1) {
      const owner = owners[p] as number;
      let place = places.get(owner);
      if (place === undefined) {
        const member = byNumber.get(owner);
        assert(member !== undefined, "an owner is no member");
        place = { host: indexOf(hosts, member.host), zone: indexOf(zones, member.zone) };
        places.set(owner, place);
      }
      this.hostAt[p] = place.host;
      this.zoneAt[p] = place.zone;
    }
    this.hosts = [...hosts.keys()];
    this.zones = [...zones.keys()];
    this.#zonesOfMembers = new Set(members.filter((one) => one.status !== "left").map((one) => one.zone)).size;
    this.#hostSeen = new Uint32Array(hosts.size);
    this.#zoneSeen = new Uint32Array(zones.size);
  }

  /** How many entries a list has. */
  get listLength(): number {
    return Math.min(this.hosts.length, listLengthMax);
  }

  /**
   * Writes the list of one partition, or its first `most` entries, n or more, to `out[at..at + most)`. Returns how many
   * positions, from the partition's own on, decide its first n entries: also if one of them were given to a member whose
   * zone owns nothing today.
   */
  writeList(partition: number, n: number, out: Uint16Array, at: number, most: number = listLengthMax): number {
    const partitions = this.owners.length;
    const mask = partitions - 1;
    const length = Math.min(most, this.listLength);
    let reach = partitions;
    const zonesNeeded = Math.min(n, this.#zonesOfMembers);
    this.#walk += 1;
    const walk = this.#walk;
    let found = 0;
    let zonesUsed = 0;
    let skipped = false;
    let step = 0;
    const limit = Math.min(zoneReach(n), partitions);
    for (; zonesUsed < zonesNeeded && found < length && step < limit; step += 1) {
      const p = (partition + step) & mask;
      const zone = this.zoneAt[p] as number;
      if (this.#hostSeen[this.hostAt[p] as number] === walk) continue;
      if (this.#zoneSeen[zone] === walk) {
        skipped = true;
        continue;
      }
      this.#zoneSeen[zone] = walk;
      zonesUsed += 1;
      found += this.#take(p, walk, out, at + found);
    }
    const zoned = step;
    if (found === n) reach = zoned;
    if (skipped) step = 0;
    for (; found < length; step += 1) {
      assert(step < partitions, "the walk went round without meeting every host");
      const p = (partition + step) & mask;
      if (this.#hostSeen[this.hostAt[p] as number] === walk) continue;
      found += this.#take(p, walk, out, at + found);
      if (found === n) reach = Math.max(zoned, step + 1);
    }
    return reach;
  }

  #take(partition: number, walk: number, out: Uint16Array, at: number): 1 {
    this.#hostSeen[this.hostAt[partition] as number] = walk;
    out[at] = this.owners[partition] as number;
    return 1;
  }
}

function indexOf(indexes: Map<string, number>, label: string): number {
  const known = indexes.get(label);
  if (known !== undefined) return known;
  indexes.set(label, indexes.size);
  return indexes.size - 1;
}

/**
 * The lists of all partitions for one n, in one flat array. Each is written when it is first asked for, so that a new
 * ring never stalls a request for all Q of them.
 */
export class PreferenceLists {
  readonly #placement: Placement;
  readonly #n: number;
  readonly #flat: Uint16Array;
  readonly #views: (Uint16Array | undefined)[];

  constructor(placement: Placement, n: number) {
    this.#placement = placement;
    this.#n = n;
    this.#flat = new Uint16Array(placement.owners.length * placement.listLength);
    this.#views = new Array<Uint16Array | undefined>(placement.owners.length).fill(undefined);
  }

  /** Node numbers, owners first: a shared view, not to be changed. */
  of(partition: PartitionId): Uint16Array {
    return this.#views[partition] ?? this.#write(partition);
  }

  #write(partition: PartitionId): Uint16Array {
    assert(partition >= 0 && partition < this.#views.length, "no such partition");
    const length = this.#placement.listLength;
    const at = partition * length;
    this.#placement.writeList(partition, this.#n, this.#flat, at);
    const view = this.#flat.subarray(at, at + length);
    this.#views[partition] = view;
    return view;
  }
}
