/**
 * Sibling: one value of a record, and when two copies of it are the same write. A write has one request id and usually
 * one dot; a retried or hedged put may have been minted by several coordinators, and its copies ("twins") unite their
 * dots when they meet (mechanisms 3.3).
 */
import { compareBytes, equalBytes } from "../base/bytes.ts";
import { mark } from "../base/mark.ts";
import { compareDotLists, compareDots, sharesDot, uniteDots } from "./dots.ts";
import type { Dot } from "./version-vector.ts";

/** One of the concurrent values of a record, or the tombstone that says deleted. */
export interface Sibling {
  /** Sorted, at least one. */
  readonly dots: readonly Dot[];
  /** 16 bytes. */
  readonly requestId: Uint8Array;
  /** Empty for a tombstone. */
  readonly value: Uint8Array;
  readonly tombstone: boolean;
  /** When it was written, by its coordinator's clock, in seconds since 1970; never used for order between siblings. */
  readonly second: number;
  /**
   * Of a write to a bucket where the last write wins: microseconds since 1970 by its coordinator's hybrid clock, below
   * 2^53. 0: a write that only a later one with its context can replace.
   */
  readonly stamp: number;
}

function firstDot(sibling: Sibling): Dot {
  return sibling.dots[0] as Dot;
}

/** The order of siblings in a record: by smallest dot. Only a broken invariant gives two of them the same one. */
export function compareSiblings(a: Sibling, b: Sibling): number {
  return (
    compareDots(firstDot(a), firstDot(b)) ||
    compareBytes(a.requestId, b.requestId) ||
    Number(a.tombstone) - Number(b.tombstone) ||
    a.second - b.second ||
    a.stamp - b.stamp ||
    compareBytes(a.value, b.value)
  );
}

/** Which of two writes counts as the later where the last write wins: positive if `a` does. Total; unstamped ones come first. */
export function compareAges(a: Sibling, b: Sibling): number {
  return a.stamp - b.stamp || a.second - b.second || compareSiblings(a, b);
}

/**
 * Whether both are copies of one write: they share the request id or a dot. The exception is a broken invariant (one dot
 * minted for two writes, or damaged content): such copies stay apart, so that both are kept, and `dot.conflict` is
 * marked. An id that a faulty client used for two different values is none: those unite. Stamped writes do not: each copy
 * has a stamp of its own, and the greatest wins, whoever meets whom first.
 */
export function areTwins(a: Sibling, b: Sibling): boolean {
  const sameId = equalBytes(a.requestId, b.requestId);
  if (!sharesDot(a.dots, b.dots)) return sameId && a.stamp === 0 && b.stamp === 0;
  if (sameId && (compareDots(firstDot(a), firstDot(b)) !== 0 || sameContent(a, b))) return true;
  mark("dot.conflict");
  return false;
}

/**
 * Whether two siblings under the same dots are one write, by all but the bytes of its value: a dot names one write and its
 * id says so once more.
 */
export function isCopyOf(a: Sibling, b: Sibling): boolean {
  return (
    a === b ||
    (compareDotLists(a.dots, b.dots) === 0 &&
      equalBytes(a.requestId, b.requestId) &&
      a.second === b.second &&
      a.stamp === b.stamp &&
      a.tombstone === b.tombstone &&
      a.value.length === b.value.length)
  );
}

function sameContent(a: Sibling, b: Sibling): boolean {
  return a.tombstone === b.tombstone && a.second === b.second && a.stamp === b.stamp && equalBytes(a.value, b.value);
}

/** The write of two twins: all their dots, and the content of the copy that holds the smallest. */
export function uniteTwins(a: Sibling, b: Sibling): Sibling {
  const dots = uniteDots(a.dots, b.dots);
  if (dots === a.dots) return a;
  if (dots === b.dots) return b;
  const { requestId, value, tombstone, second, stamp } = compareDots(firstDot(a), firstDot(b)) <= 0 ? a : b;
  return { dots, requestId, value, tombstone, second, stamp };
}
