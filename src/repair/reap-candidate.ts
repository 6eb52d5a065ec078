/**
 * What of a record could be forgotten, by the record alone: all of it, when its key is deleted; or entries of its version
 * under whose actors no sibling was written, when there are more of them than the owners that write it now need. Whether it
 * may is the certificate's business (reaper.ts).
 */
import { Hash64, hashBytes } from "../base/hash.ts";
import { writeWord } from "../base/words.ts";
import { openRecord, RecordError } from "../version/record.ts";
import { causalHash, isDeleted, type SiblingSet } from "../version/sibling-set.ts";
import { wordsPerDot } from "../version/version-vector.ts";

/** A version is left alone up to here: rewriting records costs more than a few entries do. */
export const entriesKept = 4;

/** What could be forgotten. */
export interface Candidate {
  /** Copied. */
  readonly fullKey: Uint8Array;
  /** The causal hash of the tombstone; 0 where `entries` are to go. */
  readonly hashHigh: number;
  readonly hashLow: number;
  /** Entries of the version, packed and sorted; empty: all of the record. */
  readonly entries: readonly number[];
}

/** The candidate in a record, or null. `inUse`: whether dots are still minted under an actor, as far as is known here. */
export function candidateOf(
  fullKey: Uint8Array,
  sealed: Uint8Array,
  inUse: (actorHigh: number, actorLow: number) => boolean,
): Candidate | null {
  const set = opened(sealed);
  if (set === null) return null;
  if (isDeleted(set)) {
    const hash = new Hash64();
    causalHash(set, fullKey, hash);
    return { fullKey: fullKey.slice(), hashHigh: hash.high, hashLow: hash.low, entries: [] };
  }
  const entries = set.version.size > entriesKept ? spareEntries(set, inUse) : [];
  return entries.length === 0 ? null : { fullKey: fullKey.slice(), hashHigh: 0, hashLow: 0, entries };
}

/** Null: the record is malformed, and the scrub's business. */
function opened(sealed: Uint8Array): SiblingSet | null {
  try {
    return openRecord(sealed);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}

function spareEntries(set: SiblingSet, inUse: (actorHigh: number, actorLow: number) => boolean): number[] {
  const spare: number[] = [];
  const { words } = set.version;
  for (let at = 0; at < words.length; at += wordsPerDot) {
    const low = (words[at + 1] as number) >>> 0;
    const high = (words[at + 2] as number) >>> 0;
    const lives = set.siblings.some(({ dots }) => dots.some((d) => d.actorHigh === high && d.actorLow === low));
    if (!lives && !inUse(high, low)) spare.push((words[at] as number) >>> 0, low, high);
  }
  return spare;
}

/** The entries that are not of this actor. */
export function withoutActor(entries: readonly number[], actorHigh: number, actorLow: number): readonly number[] {
  const rest: number[] = [];
  for (let at = 0; at < entries.length; at += wordsPerDot) {
    if (entries[at + 1] === actorLow && entries[at + 2] === actorHigh) continue;
    rest.push(entries[at] as number, entries[at + 1] as number, entries[at + 2] as number);
  }
  return rest.length === entries.length ? entries : rest;
}

let scratch = new Uint8Array(1024);

/** A hash of what would go: the same as long as that has not changed. */
export function markOf({ hashHigh, hashLow, entries }: Candidate, out: Hash64): void {
  const size = 4 * entries.length;
  if (size > scratch.length) scratch = new Uint8Array(2 * size);
  let at = 0;
  for (const word of entries) at = writeWord(scratch, at, word);
  hashBytes(scratch, 0, at, 0, out);
  out.high = (out.high ^ hashHigh) >>> 0;
  out.low = (out.low ^ hashLow) >>> 0;
}
