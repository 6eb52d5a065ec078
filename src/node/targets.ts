/**
 * Targets: whom an op asks, from a preference list and what the data path knows of the peers (Dynamo 4.6: the first N
 * healthy nodes). Where all is well that is the shared list itself, and nothing is allocated. Else: each owner that is
 * down is replaced by the next fallback that is not, then comes the pending member of a list that changes, then the
 * fallbacks that are left, in order.
 *
 * Also who coordinates and who is asked first: `degraded` peers come last there, but of one list never more than a third
 * counts as degraded, or a general slowness would send all work to a few.
 */
import { assert } from "../base/assert.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { Op } from "../coordinator/op.ts";
import { countSlots, ownSlots, packedWith, slotsMax } from "../coordinator/slots.ts";
import type { RouteState } from "./route-health.ts";

/** What is known of the way to each node; `RouteHealth`. This node itself is always reachable, `ok`, and costs 0. */
export interface Routes {
  readonly allReachable: boolean;
  reachable(number: number): boolean;
  /** All are reachable, and none has a disk that is nearly full. */
  readonly allWritable: boolean;
  writable(number: number): boolean;
  state(number: number): RouteState;
  /** What a request there is expected to cost; comparable, smaller is better. */
  cost(number: number): number;
}

/** What of the ring concerns one key. */
export interface KeyOwners {
  /** The preference list for the bucket's n: owners, then fallbacks. Shared, not changed. */
  readonly list: Uint16Array;
  /** The bucket's n. */
  readonly bucketN: number;
  /** The member that is to come into the list, and the owner that it replaces. */
  readonly pending: { readonly joining: NodeNumber; readonly replaced: NodeNumber } | undefined;
  /** Whether two nodes are on one host. */
  sameHost(a: number, b: number): boolean;
}

/** Which kind of op is given targets. */
export type Purpose = "put" | "get";

/**
 * Fills in whom the op asks: `targetNumbers`, `ownerNumbers`, `candidates`, `fallbacks`, `pendingSlot`, `replacedSlot`,
 * `hostOf`. `op.quorum` is set; `localSlot` is the caller's to set afterwards (`slotOf`).
 */
export function chooseTargets(op: Op<unknown>, purpose: Purpose, key: KeyOwners, routes: Routes): void {
  const { list, bucketN } = key;
  const asked = Math.min(op.quorum.n, list.length);
  const allThere = purpose === "put" ? routes.allWritable : routes.allReachable;
  if (allThere && key.pending === undefined && op.quorum.n === bucketN) {
    op.targetNumbers = list;
    op.candidates = purpose === "put" ? list.length - asked : 0;
    return;
  }
  chooseAnew(op, purpose, key, routes, asked);
}

function chooseAnew(op: Op<unknown>, purpose: Purpose, key: KeyOwners, routes: Routes, asked: number): void {
  const { list, bucketN, pending } = key;
  const replaced = pending === undefined ? -1 : indexIn(list, asked, pending.replaced);
  const owners = new Uint16Array(replaced < 0 ? asked : asked + 1);
  owners.set(list.subarray(0, asked));
  if (pending !== undefined && replaced >= 0) owners[asked] = pending.joining;
  const targets = new Uint16Array(owners.length + list.length);
  targets.set(owners);
  // A request that only owners can satisfy asks the owners: the detector may be wrong.
  const ownersOnly = op.quorum.strict || (purpose === "put" ? op.quorum.pw : op.quorum.pr) > 0;
  let next = Math.min(bucketN, list.length);
  for (let slot = 0; slot < owners.length && !ownersOnly; slot += 1) {
    if (asksWell(purpose, owners[slot] as number, routes) || (slot === asked && purpose === "get")) continue;
    next = nextFallback(list, next, owners, purpose, routes);
    if (next === list.length) break;
    targets[slot] = list[next] as number;
    op.fallbacks |= 1 << slot;
    next += 1;
  }
  let count = owners.length;
  if (purpose === "put") {
    for (next = nextFallback(list, next, owners, purpose, routes); next < list.length; ) {
      targets[count] = list[next] as number;
      count += 1;
      next = nextFallback(list, next + 1, owners, purpose, routes);
    }
  }
  op.targetNumbers = targets.subarray(0, count);
  op.ownerNumbers = owners;
  op.candidates = count - owners.length;
  if (replaced >= 0) {
    op.pendingSlot = asked;
    op.replacedSlot = replaced;
  }
  op.hostOf = hostsOf(op.targetNumbers, key);
}

/** Whether a node can be asked for this: one whose disk is nearly full still serves reads. */
function asksWell(purpose: Purpose, number: number, routes: Routes): boolean {
  return purpose === "put" ? routes.writable(number) : routes.reachable(number);
}

/** The first fallback from `from` on that can be asked, or the list's length. The pending member is no fallback of its own. */
function nextFallback(list: Uint16Array, from: number, owners: Uint16Array, purpose: Purpose, routes: Routes): number {
  let at = from;
  while (at < list.length && (!asksWell(purpose, list[at] as number, routes) || owners.includes(list[at] as number)))
    at += 1;
  return at;
}

function hostsOf(targets: Uint16Array, key: KeyOwners): number {
  let hosts = ownSlots;
  // A list names no host twice; only the pending member may be where another target is.
  if (key.pending === undefined) return hosts;
  for (let slot = 1; slot < Math.min(targets.length, slotsMax); slot += 1) {
    for (let other = 0; other < slot; other += 1) {
      if (!key.sameHost(targets[slot] as number, targets[other] as number)) continue;
      hosts = packedWith(hosts, slot, other);
      break;
    }
  }
  return hosts;
}

/** The slot of a node among the first `count`, or -1. */
export function slotOf(targets: Uint16Array, count: number, number: NodeNumber): number {
  return indexIn(targets, count, number);
}

function indexIn(list: Uint16Array, count: number, number: number): number {
  for (let at = 0; at < count; at += 1) if (list[at] === number) return at;
  return -1;
}

/**
 * Which of the first `count` nodes of a list are to be treated as degraded, as a mask of their places: those that are,
 * the costliest first, but no more than a third of the list.
 */
export function degradedIn(list: Uint16Array, count: number, routes: Routes): number {
  assert(count <= slotsMax, "a list has at most 8 nodes");
  let mask = 0;
  for (let at = 0; at < count; at += 1) if (routes.state(list[at] as number) === "degraded") mask |= 1 << at;
  const most = Math.trunc(count / 3);
  while (countSlots(mask) > most) mask &= ~(1 << cheapestIn(list, mask, routes));
  return mask;
}

/** The place with the least cost among those in `mask`, the first of equals; -1 for an empty mask. */
function cheapestIn(list: Uint16Array, mask: number, routes: Routes): number {
  let best = -1;
  for (let at = 0; mask >>> at !== 0; at += 1) {
    if ((mask & (1 << at)) === 0) continue;
    if (best < 0 || routes.cost(list[at] as number) < routes.cost(list[best] as number)) best = at;
  }
  return best;
}

/**
 * Who of the first `count` nodes of a list is best asked first, or best coordinates: the cheapest of those that are
 * neither down nor degraded, else of those that are not down. `except` is a mask of places that were tried. -1: none.
 */
export function bestOf(list: Uint16Array, count: number, except: number, routes: Routes): number {
  let usable = 0;
  for (let at = 0; at < count; at += 1) {
    if ((except & (1 << at)) === 0 && routes.reachable(list[at] as number)) usable |= 1 << at;
  }
  const good = usable & ~degradedIn(list, count, routes);
  return cheapestIn(list, good === 0 ? usable : good, routes);
}
