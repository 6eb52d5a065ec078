/**
 * What a record of the model says, told as sets of writes: who lives in it, and by the writes' own contexts what is in their
 * past. It is the naive second opinion that the laws hold the real records against.
 */
import { openRecord } from "../../version/record.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { bit, type DiskState, type WriteModel } from "./state.ts";

const opened: WeakMap<Uint8Array, SiblingSet> = new WeakMap();

/** The record, opened once. */
export function setOf(sealed: Uint8Array): SiblingSet {
  const known = opened.get(sealed);
  if (known !== undefined) return known;
  const set = openRecord(sealed);
  opened.set(sealed, set);
  return set;
}

/** The id of a write: its number, in every byte. */
export function idOf(write: number): Uint8Array {
  return new Uint8Array(16).fill(write + 1);
}

/** The numbers of the siblings' writes, in their order. */
export function liveWrites(sealed: Uint8Array): number[] {
  return setOf(sealed).siblings.map(({ requestId }) => (requestId[0] as number) - 1);
}

/** The same as a mask; none for no record. */
export function liveMask(sealed: Uint8Array | null): number {
  let mask = 0;
  if (sealed !== null) for (const write of liveWrites(sealed)) mask |= bit(write);
  return mask;
}

/** These writes and all that is in their past. */
export function pastOf(mask: number, writes: readonly WriteModel[]): number {
  let past = mask;
  for (const [number, write] of writes.entries()) if ((mask & bit(number)) !== 0) past |= write.past;
  return past;
}

/** All that a disk holds, hints too. */
export function recordsOf({ record, hints }: DiskState): Uint8Array[] {
  const all = hints.map(({ sealed }) => sealed);
  if (record !== null) all.push(record);
  return all;
}

/** The writes that a disk reflects: its siblings and their past. */
export function reflected(disk: DiskState, writes: readonly WriteModel[]): number {
  let mask = 0;
  for (const sealed of recordsOf(disk)) mask |= liveMask(sealed);
  return pastOf(mask, writes);
}
