/**
 * SiblingSet: everything that one replica holds under one key (Dynamo 4.4; mechanisms 3.3), as a dotted version vector
 * with explicit dots: a vector for the whole record, and for each sibling the dots under which it was written. A plain
 * vector per value either claims a false order between two blind writes through one node, which loses one, or loses the
 * link between value and event, and stale contexts multiply siblings.
 *
 * Where the last write wins, writes carry stamps, and of those only the greatest stays: its writer held all that its
 * stamp exceeds, so both rules drop the same ones, and merging needs no word of the bucket's policy.
 *
 * Invariants: siblings are sorted by smallest dot, at most one of them stamped; the vector covers every sibling's dots;
 * a write is a sibling or in `recent`, never both, unless it is stamped. Sets are immutable and may share siblings. The
 * bytes of a record are record.ts's business.
 */

import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import type { Hash64 } from "../base/hash.ts";
import { hashBytes } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import { writeWord } from "../base/words.ts";
import { compareDotLists, holdsDot, writeDot } from "./dots.ts";
import type { Superseded } from "./recent.ts";
import { addRecent, findRecent, newestRecent, recentMax, sameRecent } from "./recent.ts";
import type { Sibling } from "./sibling.ts";
import { areTwins, compareAges, compareSiblings, isCopyOf, uniteTwins } from "./sibling.ts";
import { mergeSorted, type SortedMerge } from "./sorted-merge.ts";
import type { Dot } from "./version-vector.ts";
import { compareVersions, mergeVersions, VersionVector, wordsPerDot } from "./version-vector.ts";

export type { Superseded } from "./recent.ts";
export type { Sibling } from "./sibling.ts";

/**
 * A writer's own last write, beside the vector of its context: a vector covers a prefix, so it cannot say "this write,
 * but not the older one of the same actor that I have not seen". The id serves where the dot is not known yet.
 */
export interface OwnWrite {
  readonly dot: Dot;
  /** 16 bytes. */
  readonly requestId: Uint8Array;
}

/** What a writer may say it has read. */
export interface Seen {
  readonly version: VersionVector;
  readonly own: OwnWrite | null;
}

/** One logical write, as the coordinating replica applies it. The set keeps the arrays: they must not change after. */
export interface SiblingWrite {
  /** What the writer has read: it supersedes exactly the siblings that this covers. */
  readonly context: VersionVector;
  /** What it has read besides: its own write before this one. */
  readonly own?: OwnWrite | null;
  /** Freshly minted: neither the set nor the context has seen it. */
  readonly dot: Dot;
  /** 16 bytes; not known to the set (`dotsOf`). */
  readonly requestId: Uint8Array;
  /** Empty for a tombstone. */
  readonly value: Uint8Array;
  readonly tombstone: boolean;
  /** Now, by the coordinator's clock, in seconds since 1970. */
  readonly second: number;
  /** As in `Sibling`; above the set's own. A stamped write has no context: it replaces all that is here. */
  readonly stamp?: number;
  /** Superseded writes are remembered while they are younger than this, in seconds: twice the longest deadline. */
  readonly keepRecentFor: number;
}

/** Immutable. */
export class SiblingSet {
  /** No record. */
  static readonly empty: SiblingSet = new SiblingSet(VersionVector.empty, [], []);

  readonly version: VersionVector;
  /** Sorted by smallest dot. */
  readonly siblings: readonly Sibling[];
  /** Newest last: at most four, and those that the vector does not cover. */
  readonly recent: readonly Superseded[];

  /** Takes over the lists, which satisfy the invariants above: `put`, `merge` and `decodeRecordBody` make sets. */
  constructor(version: VersionVector, siblings: readonly Sibling[], recent: readonly Superseded[]) {
    this.version = version;
    this.siblings = siblings;
    this.recent = recent;
  }

  /** Whether nothing was ever written here, as far as this replica knows. A deleted key is not empty. */
  get isEmpty(): boolean {
    return this.version.size === 0;
  }

  /** The stamp of the last write that won here; 0: there is none. */
  get stamp(): number {
    let stamp = 0;
    for (let i = 0; i < this.siblings.length; i += 1) stamp = Math.max(stamp, (this.siblings[i] as Sibling).stamp);
    return stamp;
  }

  /** The dots under which this write id is known here (live sibling or recent), or undefined. */
  dotsOf(requestId: Uint8Array): readonly Dot[] | undefined {
    for (let i = 0; i < this.siblings.length; i += 1) {
      const sibling = this.siblings[i] as Sibling;
      if (equalBytes(sibling.requestId, requestId)) return sibling.dots;
    }
    return findRecent(this.recent, requestId)?.dots;
  }

  /**
   * The set after a new write: siblings whose dots the context covers are superseded, all others stay. An own write
   * that has not come here yet is superseded all the same: `recent` names it until it comes, and a merge drops it by
   * its id.
   */
  put(write: SiblingWrite): SiblingSet {
    assert(!this.version.covers(write.dot), "a minted dot is new to the record");
    assert(this.dotsOf(write.requestId) === undefined, "a write is put once");
    const stamp = write.stamp ?? 0;
    const context = stamp > 0 ? this.version : write.context;
    const own = stamp > 0 ? null : (write.own ?? null);
    assert(!context.covers(write.dot), "a minted dot is new to the context");
    assert(stamp === 0 || stamp > this.stamp, "a stamp is greater than any that its clock has been shown");
    const siblings: Sibling[] = [];
    const recent: Superseded[] = [];
    const oldest = write.second - write.keepRecentFor;
    const version = mergeVersions(this.version, context).with(write.dot);
    for (let i = 0; i < this.recent.length; i += 1) {
      const entry = this.recent[i] as Superseded;
      if (entry.second > oldest || !version.coversEach(entry.dots)) recent.push(entry);
    }
    for (let i = 0; i < this.siblings.length; i += 1) {
      const sibling = this.siblings[i] as Sibling;
      const superseded = context.coversAny(sibling.dots) || isOwn(own, sibling) || canary("drop-sibling");
      if (!superseded && !(write.tombstone && canary("delete-covers-all"))) siblings.push(sibling);
      else if (sibling.second > oldest) addRecent(recent, supersede(sibling));
    }
    const { dot, requestId, value, tombstone, second } = write;
    if (own !== null && !this.version.covers(own.dot)) {
      addRecent(recent, { requestId: own.requestId, dots: [own.dot], second });
    }
    siblings.push({ dots: [dot], requestId, value, tombstone, second, stamp });
    if (siblings.length > 1) siblings.sort(compareSiblings);
    return new SiblingSet(version, siblings, newestRecent(recent, version));
  }

  /** How many values puts have made here: its siblings, and superseded writes that are kept because they have not come. */
  get weight(): number {
    return this.siblings.length + Math.max(0, this.recent.length - recentMax);
  }

  /**
   * What the writer of `write`, who put with `context`, may say it has read: the context of a put's reply, so that the
   * next put can follow without a get. All that is here, if its write is alone; else its context and its own write,
   * never a sibling that it has not seen.
   */
  contextAfter(context: VersionVector, write: OwnWrite): Seen {
    const whole = context.with(write.dot);
    let others = 0;
    let covered = false;
    for (let i = 0; i < this.siblings.length; i += 1) {
      const sibling = this.siblings[i] as Sibling;
      if (holdsDot(sibling.dots, write.dot)) continue;
      others += 1;
      if (whole.coversAny(sibling.dots)) covered = true;
    }
    if (others === 0 || canary("context-covers-unseen")) return { version: this.version, own: null };
    return covered ? { version: context, own: write } : { version: whole, own: null };
  }

  /**
   * The join of two replicas' records: commutative, associative and idempotent, but for the residue of twins whose
   * brother has been forgotten (an extra sibling, never a loss). Returns `this` or `other` itself where it is the
   * result.
   */
  merge(other: SiblingSet): SiblingSet {
    if (this === other || other.isEmpty) return this;
    if (this.isEmpty) return other;
    const recent = this.recent.slice();
    for (let i = 0; i < other.recent.length; i += 1) addRecent(recent, other.recent[i] as Superseded);
    const { live, superseded } = mergeSorted(this, other) ?? this.#mergeEach(other);
    for (let i = 0; i < superseded.length; i += 1) forgets(recent, superseded[i] as Sibling);
    const siblings: Sibling[] = [];
    for (let i = 0; i < live.length; i += 1) {
      const sibling = live[i] as Sibling;
      if (!forgets(recent, sibling)) siblings.push(sibling);
    }
    if (siblings.length > 1) keepLast(siblings);
    if (canary("merge-drops-sibling")) siblings.splice(1);
    const version = canary("merge-forgets-version") ? this.version : mergeVersions(this.version, other.version);
    newestRecent(recent, version);
    if (this.#consistsOf(version, siblings, recent)) return this;
    if (other.#consistsOf(version, siblings, recent)) return other;
    return new SiblingSet(version, siblings, recent);
  }

  /** `mergeSorted` for any two sets: each sibling is compared with each. */
  #mergeEach(other: SiblingSet): SortedMerge {
    const united = uniteSiblings(this.siblings, other.siblings).sort(compareSiblings);
    const merged: SortedMerge = { live: [], superseded: [] };
    for (let i = 0; i < united.length; i += 1) {
      const sibling = united[i] as Sibling;
      const isSuperseded = this.#hasSuperseded(sibling) || other.#hasSuperseded(sibling);
      (isSuperseded ? merged.superseded : merged.live).push(sibling);
    }
    return merged;
  }

  /** Whether this replica has seen the write and holds it no more. */
  #hasSuperseded(sibling: Sibling): boolean {
    if (canary("revive-superseded")) return false;
    for (let i = 0; i < sibling.dots.length; i += 1) {
      const dot = sibling.dots[i] as Dot;
      if (this.version.covers(dot) && !this.#holds(dot)) return true;
    }
    return false;
  }

  #holds(dot: Dot): boolean {
    for (let i = 0; i < this.siblings.length; i += 1) {
      if (holdsDot((this.siblings[i] as Sibling).dots, dot)) return true;
    }
    return false;
  }

  /** Whether a merge with this set resulted in this set. */
  #consistsOf(version: VersionVector, siblings: readonly Sibling[], recent: readonly Superseded[]): boolean {
    if (siblings.length !== this.siblings.length || compareVersions(version, this.version) !== "equal") return false;
    for (let i = 0; i < siblings.length; i += 1) {
      if (!isCopyOf(siblings[i] as Sibling, this.siblings[i] as Sibling)) return false;
    }
    return sameRecent(recent, this.recent);
  }

  /**
   * The set without these entries of its version (`words`: packed, sorted), or null unless its version names each of
   * them with just that counter, and no sibling has a dot of its actor: then every replica has seen all of that actor,
   * and what it says of this key is said by the siblings that are there. Recent writes that only these entries cover go
   * with them: what is left uncovered is kept for ever.
   */
  without(words: readonly number[]): SiblingSet | null {
    const rest = this.version.without(words);
    if (rest === null || rest.size === 0) return null;
    for (let i = 0; i < this.siblings.length; i += 1) {
      for (const dot of (this.siblings[i] as Sibling).dots) if (!rest.covers(dot)) return null;
    }
    const recent = this.recent.filter(({ dots }) => rest.coversEach(dots) || !this.version.coversEach(dots));
    return new SiblingSet(rest, this.siblings, recent);
  }

  /** Whether both would be equal replicas: same version vector, same sibling dots and tombstone flags. */
  sameCausally(other: SiblingSet): boolean {
    if (this === other) return true;
    if (this.siblings.length !== other.siblings.length) return false;
    if (compareVersions(this.version, other.version) !== "equal") return false;
    for (let i = 0; i < this.siblings.length; i += 1) {
      const mine = this.siblings[i] as Sibling;
      const theirs = other.siblings[i] as Sibling;
      if (mine.tombstone !== theirs.tombstone || compareDotLists(mine.dots, theirs.dots) !== 0) return false;
    }
    return true;
  }
}

/** The one write that a reader is shown where the last write wins; undefined: there is none. */
export function lastWrite(set: SiblingSet): Sibling | undefined {
  let last = set.siblings[0];
  for (let i = 1; i < set.siblings.length; i += 1) {
    const sibling = set.siblings[i] as Sibling;
    if (compareAges(sibling, last as Sibling) > 0) last = sibling;
  }
  return last;
}

/** Whether the record says nothing but that its key is deleted. */
export function isDeleted(set: SiblingSet): boolean {
  for (let i = 0; i < set.siblings.length; i += 1) if (!(set.siblings[i] as Sibling).tombstone) return false;
  return set.siblings.length > 0;
}

function isOwn(own: OwnWrite | null, sibling: Sibling): boolean {
  return own !== null && (holdsDot(sibling.dots, own.dot) || equalBytes(sibling.requestId, own.requestId));
}

function supersede(sibling: Sibling): Superseded {
  return { requestId: sibling.requestId, dots: sibling.dots, second: sibling.second };
}

/** Whether a list of recent writes under construction names the sibling, which is forgotten then: the list learns its dots. */
function forgets(recent: Superseded[], sibling: Sibling): boolean {
  if (sibling.stamp !== 0 || findRecent(recent, sibling.requestId) === undefined) return false;
  addRecent(recent, supersede(sibling));
  return true;
}

/** Drops all stamped writes but the last from a list under construction. Returns the same list. */
function keepLast(siblings: Sibling[]): Sibling[] {
  let last: Sibling | undefined;
  for (let i = 0; i < siblings.length; i += 1) {
    const sibling = siblings[i] as Sibling;
    if (sibling.stamp > 0 && (last === undefined || compareAges(sibling, last) > 0)) last = sibling;
  }
  if (last === undefined || canary("lww-keeps-losers")) return siblings;
  let kept = 0;
  for (let i = 0; i < siblings.length; i += 1) {
    const sibling = siblings[i] as Sibling;
    if (sibling.stamp > 0 && sibling !== last) continue;
    siblings[kept] = sibling;
    kept += 1;
  }
  if (kept < siblings.length) mark("lww.concurrent");
  siblings.length = kept;
  return siblings;
}

/** Both lists in one, copies of one write united. */
function uniteSiblings(mine: readonly Sibling[], theirs: readonly Sibling[]): Sibling[] {
  const united = mine.slice();
  for (let j = 0; j < theirs.length; j += 1) {
    const theirSibling = theirs[j] as Sibling;
    let i = 0;
    while (i < mine.length && !areTwins(united[i] as Sibling, theirSibling)) i += 1;
    if (i < mine.length) united[i] = uniteTwins(united[i] as Sibling, theirSibling);
    else united.push(theirSibling);
  }
  return united;
}

let scratch = new Uint8Array(2048);

/**
 * What the record adds to its Merkle leaf (mechanisms 3.7): a hash of the full key, the vector, and each sibling's dots
 * and tombstone flag; not of values, request ids, seconds and `recent`. `{0, 0}` for an empty set, so that a first
 * write's delta is its hash.
 *
 * Hashed are: the full key; the vector's words behind their entry count; for each sibling its dots' words behind
 * a word of 2 * count + tombstone.
 */
export function causalHash(set: SiblingSet, fullKey: Uint8Array, out: Hash64): void {
  if (set.isEmpty) {
    out.high = 0;
    out.low = 0;
    return;
  }
  const { words } = set.version;
  let size = fullKey.length + 4 * (1 + words.length);
  for (let i = 0; i < set.siblings.length; i += 1) {
    size += 4 * (1 + wordsPerDot * (set.siblings[i] as Sibling).dots.length);
  }
  if (size > scratch.length) scratch = new Uint8Array(2 * size);
  scratch.set(fullKey);
  let at = writeWord(scratch, fullKey.length, set.version.size);
  for (let i = 0; i < words.length; i += 1) at = writeWord(scratch, at, words[i] as number);
  for (let i = 0; i < set.siblings.length; i += 1) {
    const { dots, tombstone } = set.siblings[i] as Sibling;
    at = writeWord(scratch, at, 2 * dots.length + (tombstone ? 1 : 0));
    for (let j = 0; j < dots.length; j += 1) at = writeDot(scratch, at, dots[j] as Dot);
  }
  assert(at === size, "the causal hash covers what was measured");
  hashBytes(scratch, 0, size, 0, out);
}
