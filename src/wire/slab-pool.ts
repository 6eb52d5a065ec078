/**
 * SlabPool: the memory in which frames wait to be written. A link holds a slab only while it has frames queued, so ten
 * thousand idle links cost nothing, and busy ones pass the same few slabs around, which stay in the CPU's cache. A
 * large frame borrows a larger slab and gives it back at once: links shrink by themselves.
 *
 * Slabs come in powers of two. Their content is undefined: nothing is read from them that was not written before.
 */
import { assert } from "../base/assert.ts";

/** The smallest slab: twice of what is written early (`frame-writer.ts`), so that most frames never make one grow. */
export const slabBytesLeast: number = 128 * 1024;
/** What is kept for the next user over all sizes; what is more goes to the garbage collector. */
const keptBytesMax = 16 * 1024 * 1024;

const kept: Uint8Array[][] = [];
let keptBytes = 0;

/** Class 0 has the smallest slabs, each next one twice as large. */
function classOf(bytes: number): number {
  let size = slabBytesLeast;
  let index = 0;
  while (size < bytes) {
    size *= 2;
    index += 1;
  }
  return index;
}

/** A slab of at least `bytes` bytes. Give it back with `giveSlab`, or leave it to the garbage collector. */
export function takeSlab(bytes: number): Uint8Array {
  const index = classOf(bytes);
  const slab = kept[index]?.pop();
  if (slab === undefined) return new Uint8Array(slabBytesLeast * 2 ** index);
  keptBytes -= slab.length;
  return slab;
}

/** Gives back what `takeSlab` gave; nobody may hold a view of it any more. */
export function giveSlab(slab: Uint8Array): void {
  if (keptBytes + slab.length > keptBytesMax) return;
  const index = classOf(slab.length);
  assert(slab.length === slabBytesLeast * 2 ** index, "not a slab of the pool");
  while (kept.length <= index) kept.push([]);
  (kept[index] as Uint8Array[]).push(slab);
  keptBytes += slab.length;
}
