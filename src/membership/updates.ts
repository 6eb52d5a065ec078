/**
 * UpdateQueue: what rides on datagrams, least sent first (SWIM section 4.1; memberlist's queue.go). Every update is
 * passed on a bounded number of times; a newer one about the same member takes the older one's place. Among equally
 * often sent ones the longest goes first, then the newest, as long as the datagram has room.
 *
 * Updates are kept encoded, with tag and length: a message's last field is their concatenation.
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";

class Entry {
  readonly id: NodeId;
  readonly bytes: Uint8Array;
  readonly order: number;
  sent = 0;

  constructor(id: NodeId, bytes: Uint8Array, order: number) {
    this.id = id;
    this.bytes = bytes;
    this.order = order;
  }
}

/** After so many that do not fit, shorter ones are looked for no further. */
const missesMax = 8;

function precedes(a: Entry, b: Entry): boolean {
  if (a.bytes.length !== b.bytes.length) return a.bytes.length > b.bytes.length;
  return a.order > b.order;
}

/** At most one update per member. */
export class UpdateQueue {
  readonly #byMember = new Map<NodeId, Entry>();
  /** By how often they were sent; each sorted. */
  readonly #tiers: Entry[][] = [];
  #orders = 0;
  #bytes = 0;

  get size(): number {
    return this.#byMember.size;
  }

  /** Of all updates together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether an update about this member is still being passed on. */
  has(id: NodeId): boolean {
    return this.#byMember.has(id);
  }

  /** Queues an update, in place of any other about this member. The bytes are kept. */
  put(id: NodeId, bytes: Uint8Array): void {
    this.drop(id);
    this.#orders += 1;
    const entry = new Entry(id, bytes, this.#orders);
    this.#byMember.set(id, entry);
    this.#bytes += bytes.length;
    this.#insert(entry);
  }

  /** Passes nothing on about this member any more. */
  drop(id: NodeId): void {
    const entry = this.#byMember.get(id);
    if (entry === undefined) return;
    this.#byMember.delete(id);
    this.#bytes -= entry.bytes.length;
    const tier = this.#tiers[entry.sent] as Entry[];
    const at = tier.indexOf(entry);
    assert(at >= 0, "a queued update is in its tier");
    tier.splice(at, 1);
  }

  #insert(entry: Entry): void {
    while (this.#tiers.length <= entry.sent) this.#tiers.push([]);
    const tier = this.#tiers[entry.sent] as Entry[];
    let low = 0;
    let high = tier.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (precedes(tier[middle] as Entry, entry)) low = middle + 1;
      else high = middle;
    }
    tier.splice(low, 0, entry);
  }

  /**
   * Copies updates to `target` from `start`, at most `countMax` of them and up to the end of `target`; returns where
   * they end. Each counts as sent once more, and is dropped when that makes `limit` times. `first`, if it is queued,
   * goes before all others.
   */
  take(
    target: Uint8Array,
    start: number,
    options: { readonly limit: number; readonly countMax: number; readonly first: NodeId | undefined },
  ): number {
    const taken: Entry[] = [];
    let at = start;
    const add = (entry: Entry): boolean => {
      if (at + entry.bytes.length > target.length) return false;
      target.set(entry.bytes, at);
      at += entry.bytes.length;
      taken.push(entry);
      return true;
    };
    const first = options.first === undefined ? undefined : this.#byMember.get(options.first);
    if (first !== undefined && options.countMax > 0) add(first);
    let misses = 0;
    for (const tier of this.#tiers) {
      for (const entry of tier) {
        if (taken.length >= options.countMax || misses >= missesMax) break;
        if (entry !== first && !add(entry)) misses += 1;
      }
    }
    for (const entry of taken) this.#count(entry, options.limit);
    return at;
  }

  #count(entry: Entry, limit: number): void {
    if (entry.sent + 1 >= limit) {
      this.drop(entry.id);
      return;
    }
    const tier = this.#tiers[entry.sent] as Entry[];
    tier.splice(tier.indexOf(entry), 1);
    entry.sent += 1;
    this.#insert(entry);
  }
}
