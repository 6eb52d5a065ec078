/**
 * Merkle leaves in memory: one tree of 4,096 leaves of 64 bits per (n, partition), made when the first record touches
 * it. A leaf is the XOR of the causal hashes of its records, so a write changes it by one delta (old hash XOR new) and
 * nothing is ever rebuilt in normal running (mechanisms.md 3.7, Dynamo 4.7). Each batch writes every leaf it touched
 * once, beside the records: record and leaf live or die together. Parents are computed by whoever compares trees.
 */
import { assert } from "../base/assert.ts";
import type { EngineBatch } from "./engine.ts";
import { leafKey, leafOfHash, leavesPerTree, partitionBitsOf, u64Bytes } from "./keys.ts";

class Tree {
  readonly n: number;
  readonly partition: number;
  /** High and low half of leaf i at 2i and 2i+1. */
  readonly words: Uint32Array = new Uint32Array(2 * leavesPerTree);
  /** 1 for a leaf that the batch under construction must write. */
  readonly touched: Uint8Array = new Uint8Array(leavesPerTree);

  constructor(n: number, partition: number) {
    this.n = n;
    this.partition = partition;
  }
}

/** The trees of one store. */
export class Leaves {
  readonly #partitionBits: number;
  readonly #trees: Map<number, Tree> = new Map();
  readonly #touchedTrees: Tree[] = [];
  readonly #touchedLeaves: number[] = [];

  constructor(partitions: number) {
    this.#partitionBits = partitionBitsOf(partitions);
  }

  /** Trees that exist. */
  get size(): number {
    return this.#trees.size;
  }

  #tree(n: number, partition: number): Tree {
    const id = n * 0x10000 + partition;
    let tree = this.#trees.get(id);
    if (tree === undefined) {
      tree = new Tree(n, partition);
      this.#trees.set(id, tree);
    }
    return tree;
  }

  /** Sets a leaf as read from disk. */
  load(n: number, partition: number, leaf: number, high: number, low: number): void {
    assert(leaf < leavesPerTree, "leaf index out of range");
    const { words } = this.#tree(n, partition);
    words[2 * leaf] = high;
    words[2 * leaf + 1] = low;
  }

  /** Applies a record's change to its leaf, which the next `writeTouched` writes. */
  apply(n: number, partition: number, hashHigh: number, deltaHigh: number, deltaLow: number): void {
    if ((deltaHigh | deltaLow) === 0) return;
    const leaf = leafOfHash(hashHigh, this.#partitionBits);
    const tree = this.#tree(n, partition);
    tree.words[2 * leaf] = (tree.words[2 * leaf] as number) ^ deltaHigh;
    tree.words[2 * leaf + 1] = (tree.words[2 * leaf + 1] as number) ^ deltaLow;
    if (tree.touched[leaf] === 1) return;
    tree.touched[leaf] = 1;
    this.#touchedTrees.push(tree);
    this.#touchedLeaves.push(leaf);
  }

  /** Puts every leaf touched since the last call into `batch`, once each; returns how many. A zero leaf is deleted. */
  writeTouched(batch: EngineBatch): number {
    const count = this.#touchedTrees.length;
    for (let i = 0; i < count; i += 1) {
      const tree = this.#touchedTrees[i] as Tree;
      const leaf = this.#touchedLeaves[i] as number;
      const high = tree.words[2 * leaf] as number;
      const low = tree.words[2 * leaf + 1] as number;
      const key = leafKey(tree.n, tree.partition, leaf);
      if ((high | low) === 0) batch.del(key);
      else batch.put(key, u64Bytes(high, low));
      tree.touched[leaf] = 0;
    }
    this.#touchedTrees.length = 0;
    this.#touchedLeaves.length = 0;
    return count;
  }

  /** High and low half of leaf i at 2i and 2i+1; shared, do not change. Undefined: no record has touched the tree. */
  wordsOf(n: number, partition: number): Uint32Array | undefined {
    return this.#trees.get(n * 0x10000 + partition)?.words;
  }

  /** Calls `visit` for each tree. */
  forEach(visit: (n: number, partition: number, words: Uint32Array) => void): void {
    for (const tree of this.#trees.values()) visit(tree.n, tree.partition, tree.words);
  }
}
