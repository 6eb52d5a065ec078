/**
 * Merkle trees as two nodes compare them (Dynamo 4.7): 4,096 leaves under 64 branches under one root. Only the leaves are
 * kept and changed with each write (storage/leaves.ts); branches and root are made here, when somebody asks, in
 * microseconds.
 *
 * A leaf is the XOR of its records' causal hashes, a parent is a hash of its children in their order: a record that was
 * counted under the wrong leaf changes the root, which an XOR of leaves would hide. Both sides must make the same
 * parents, so this function is part of the protocol and has vectors in its test.
 */
import { assert } from "../base/assert.ts";
import type { Hash64 } from "../base/hash.ts";
import { leavesPerTree } from "../storage/keys.ts";

/** Branches of a tree. */
export const branchesPerTree = 64;
/** Leaves of a branch. */
export const leavesPerBranch = 64;

/** One tree as the word that names it on the wire: N << 16 | partition. */
export type TreeId = number;

/** The tree of the buckets of this N in this partition. */
export function treeIdOf(n: number, partition: number): TreeId {
  assert(n >= 1 && n < 0x100 && partition >= 0 && partition < 0x10000, "a tree is named by N and partition");
  return n * 0x10000 + partition;
}

/** The N of a tree. */
export function treeN(tree: TreeId): number {
  return tree >>> 16;
}

/** The partition of a tree. */
export function treePartition(tree: TreeId): number {
  return tree & 0xffff;
}

/** Where trees are read: high and low half of leaf i at 2i and 2i+1; undefined: no record has touched the tree. */
export interface LeafSource {
  wordsOf(n: number, partition: number): Uint32Array | undefined;
}

/** Trees that are compared. A record is counted when write-back brings it to the engine: a second after it was written. */
export interface TreeSource extends LeafSource {
  /** Has the partition's trees count at once what was written before. */
  hurry(partition: number): void;
}

/** The leaves of a tree that no record has touched. */
export const noLeaves: Uint32Array = new Uint32Array(2 * leavesPerTree);

/** The leaves of a tree: shared, to be read in this turn only. */
export function leavesOf(source: LeafSource, tree: TreeId): Uint32Array {
  return source.wordsOf(treeN(tree), treePartition(tree)) ?? noLeaves;
}

function scramble(lane: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  const turned = lane ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(lane: number): number {
  let h = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Writes the hash of `count` pairs of words, from pair `first` on, to pair `at` of `out`: the words of MurmurHash3, in two lanes. */
function hashPairs(words: Uint32Array, first: number, count: number, out: Uint32Array, at: number): void {
  let high = 0;
  let low = 0x9747b28c;
  for (let i = 2 * first; i < 2 * (first + count); i += 2) {
    high = scramble(high, words[i] as number);
    low = scramble(low, words[i + 1] as number);
  }
  const mixedHigh = finish((high + Math.imul(low, 0x9e3779b1)) | 0);
  out[2 * at] = mixedHigh;
  out[2 * at + 1] = finish((low + mixedHigh) | 0);
}

/** The 64 branches over a tree's leaves, into `out`: 128 words, two a branch. */
export function branchesOf(leaves: Uint32Array, out: Uint32Array): void {
  assert(leaves.length === 2 * leavesPerTree && out.length === 2 * branchesPerTree, "a tree has 4,096 leaves");
  for (let branch = 0; branch < branchesPerTree; branch += 1) {
    hashPairs(leaves, branch * leavesPerBranch, leavesPerBranch, out, branch);
  }
}

const scratchBranches = new Uint32Array(2 * branchesPerTree);
const scratchRoot = new Uint32Array(2);

function makeRoot(leaves: Uint32Array, out: Uint32Array): Uint32Array {
  branchesOf(leaves, scratchBranches);
  hashPairs(scratchBranches, 0, branchesPerTree, out, 0);
  return out;
}

/** Many trees are untouched, in a young cluster most. */
const rootOfNoLeaves = makeRoot(noLeaves, new Uint32Array(2));

/** The root over a tree's leaves. */
export function rootOf(leaves: Uint32Array, out: Hash64): void {
  const root = leaves === noLeaves ? rootOfNoLeaves : makeRoot(leaves, scratchRoot);
  out.high = root[0] as number;
  out.low = root[1] as number;
}
