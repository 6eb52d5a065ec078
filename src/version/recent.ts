/**
 * The recently superseded writes of a record: the ids that a late retry may still name (mechanisms 3.3). Without them a
 * retry that reaches another coordinator after its first attempt was overwritten or deleted would bring the value back.
 * The newest four, oldest first, are a memory aid. Besides these a record keeps every one that its version does not cover:
 * its writer has replaced a write of its own that has not come here yet, and until it has nothing else knows.
 */
import { assert } from "../base/assert.ts";
import { compareBytes, equalBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { compareDotLists, uniteDots } from "./dots.ts";
import type { Dot, VersionVector } from "./version-vector.ts";

/** A write that is no longer a sibling. */
export interface Superseded {
  /** 16 bytes. */
  readonly requestId: Uint8Array;
  /** Under which it was minted: sorted, at least one. */
  readonly dots: readonly Dot[];
  /** When it was written, by its coordinator's clock, in seconds since 1970. */
  readonly second: number;
}

/** More that the version covers are forgotten, the oldest first. */
export const recentMax = 4;
/** With those that it does not cover: far beyond what puts may make, because merges cannot refuse. */
export const recentEntriesMax = 4096;

/** The entry of this write, or undefined. */
export function findRecent(recent: readonly Superseded[], requestId: Uint8Array): Superseded | undefined {
  for (let i = 0; i < recent.length; i += 1) {
    const entry = recent[i] as Superseded;
    if (equalBytes(entry.requestId, requestId)) return entry;
  }
  return undefined;
}

/** Adds a write to a list under construction, or unites it with the entry of the same id. */
export function addRecent(recent: Superseded[], write: Superseded): void {
  assert(write.dots.length > 0, "a superseded write has a dot");
  for (let i = 0; i < recent.length; i += 1) {
    const entry = recent[i] as Superseded;
    if (!equalBytes(entry.requestId, write.requestId)) continue;
    const dots = uniteDots(entry.dots, write.dots);
    const second = Math.max(entry.second, write.second);
    if (dots !== entry.dots || second !== entry.second) recent[i] = { requestId: entry.requestId, dots, second };
    return;
  }
  recent.push(write);
}

/** Sorts a list under construction, newest last, and keeps the newest four and what is not covered. Returns the same list. */
export function newestRecent(recent: Superseded[], version: VersionVector): Superseded[] {
  if (recent.length > 1) recent.sort(compareRecent);
  if (recent.length <= recentMax) return recent;
  const newest = recent.length - recentMax;
  let kept = 0;
  for (let i = 0; i < recent.length; i += 1) {
    const entry = recent[i] as Superseded;
    if (i < newest && version.coversEach(entry.dots) && !canary("forget-unseen")) continue;
    recent[kept] = entry;
    kept += 1;
  }
  recent.length = kept;
  return recent;
}

/** Order of age, then of dots, then of ids: total, so that equal sets are equal bytes on every replica. */
export function compareRecent(a: Superseded, b: Superseded): number {
  return a.second - b.second || compareDotLists(a.dots, b.dots) || compareBytes(a.requestId, b.requestId);
}

/** Whether both lists hold the same entries. */
export function sameRecent(a: readonly Superseded[], b: readonly Superseded[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    const mine = a[i] as Superseded;
    const theirs = b[i] as Superseded;
    if (mine !== theirs && compareRecent(mine, theirs) !== 0) return false;
  }
  return true;
}
