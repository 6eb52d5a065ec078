/**
 * Merkle leaves in memory: one tree of 4,096 leaves of 64 bits per (n, partition), made when the first record touches
 * it. A leaf is the XOR of the causal hashes of its records, so a write changes it by one delta (old hash XOR new) and
 * nothing is ever rebuilt in normal running (Dynamo 4.7). Each batch writes every leaf it touched
 * once, beside the records: record and leaf live or die together. Parents are computed by whoever compares trees.
 *
 * A key of its own for every leaf in every batch would cost as much as the record does (two inserts into the memtable
 * instead of one), so the leaves of a batch share one value, beside the batch's number in its slot. The slots are a log
 * of the newest 65,536 batches; a leaf gets its own key only when its oldest entry is about to be overwritten, which is
 * rare for a leaf that keeps changing. At boot: the leaves' own keys, then the log over them, oldest entry first.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { replicasLimit } from "../ring/bucket-policy.ts";
import type { EngineBatch } from "./engine.ts";
import { batchNumberKey, batchSlots, leafKey, leafOfHash, leavesPerTree, partitionBitsOf, u64Bytes } from "./keys.ts";

/** u8 n, u16 partition, u16 leaf, u64 value. */
const entryBytes = 13;
/** A leaf is saved under its own key when its oldest log entry is this many batches old; its slot lives a little longer. */
const logBatches = batchSlots - 4096;
/** Leaves that are in the log only, at most: beyond it the oldest are saved early. */
const owedMax = 262_144;

/** Marks of a leaf: the batch under construction must log it; it is in the log only. */
const touched = 1;
const logged = 2;

class Tree {
  readonly n: number;
  readonly partition: number;
  /** High and low half of leaf i at 2i and 2i+1. */
  readonly words: Uint32Array = new Uint32Array(2 * leavesPerTree);
  readonly marks: Uint8Array = new Uint8Array(leavesPerTree);
  /** Leaves that are not zero. */
  held = 0;

  constructor(n: number, partition: number) {
    this.n = n;
    this.partition = partition;
  }

  /** Sets a leaf. */
  set(leaf: number, high: number, low: number): void {
    const { words } = this;
    const before = ((words[2 * leaf] as number) | (words[2 * leaf + 1] as number)) === 0 ? 0 : 1;
    words[2 * leaf] = high;
    words[2 * leaf + 1] = low;
    this.held += ((high | low) === 0 ? 0 : 1) - before;
  }
}

function treeOf(n: number, partition: number): number {
  return n * 0x10000 + partition;
}

/** The trees of one store. */
export class Leaves {
  readonly #partitionBits: number;
  readonly #trees: Map<number, Tree> = new Map();
  /** Writes whose change is still to come, by tree. */
  readonly #coming: Map<number, number> = new Map();
  readonly #touchedTrees: Tree[] = [];
  readonly #touchedLeaves: number[] = [];
  /** Leaves that are in the log only, oldest first, from `#owedHead` on. */
  #owedTrees: Tree[] = [];
  #owedLeaves: number[] = [];
  #owedSince: number[] = [];
  #owedHead = 0;

  constructor(partitions: number) {
    this.#partitionBits = partitionBitsOf(partitions);
  }

  /** Leaves that are not zero. */
  get held(): number {
    let count = 0;
    for (const tree of this.#trees.values()) count += tree.held;
    return count;
  }

  /** Trees that exist. */
  get size(): number {
    return this.#trees.size;
  }

  #tree(n: number, partition: number): Tree {
    const id = treeOf(n, partition);
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
    this.#tree(n, partition).set(leaf, high, low);
  }

  /** A record was queued for a batch: `arrive` follows, when its batch is composed. */
  expect(n: number, partition: number): void {
    const id = treeOf(n, partition);
    this.#coming.set(id, (this.#coming.get(id) ?? 0) + 1);
  }

  /** Applies the change of a record that was expected. */
  arrive(n: number, partition: number, hashHigh: number, deltaHigh: number, deltaLow: number): void {
    const id = treeOf(n, partition);
    const coming = this.#coming.get(id) ?? 0;
    assert(coming > 0, "a record arrived that was not expected");
    if (coming === 1) this.#coming.delete(id);
    else this.#coming.set(id, coming - 1);
    this.apply(n, partition, hashHigh, deltaHigh, deltaLow);
  }

  /** Applies a record's change to its leaf, which the next `log` writes. */
  apply(n: number, partition: number, hashHigh: number, deltaHigh: number, deltaLow: number): void {
    if ((deltaHigh | deltaLow) === 0 || canary("skip-leaf")) return;
    const leaf = leafOfHash(hashHigh, this.#partitionBits);
    const shift = canary("leaf-off-by-one") && leaf + 1 < leavesPerTree ? 1 : 0;
    this.correct(n, partition, leaf + shift, deltaHigh, deltaLow);
  }

  /** Changes a leaf by itself, as the scrub does with one that its records contradict; the next `log` writes it. */
  correct(n: number, partition: number, leaf: number, deltaHigh: number, deltaLow: number): void {
    const tree = this.#tree(n, partition);
    const { words } = tree;
    tree.set(leaf, (words[2 * leaf] as number) ^ deltaHigh, (words[2 * leaf + 1] as number) ^ deltaLow);
    if (((tree.marks[leaf] as number) & touched) !== 0) return;
    tree.marks[leaf] = (tree.marks[leaf] as number) | touched;
    this.#touchedTrees.push(tree);
    this.#touchedLeaves.push(leaf);
  }

  /**
   * Completes batch `number`: puts every leaf touched since the last call into its log entry, and those leaves under
   * keys of their own whose oldest entry will soon be overwritten. Returns how many were touched.
   */
  log(batch: EngineBatch, number: number): number {
    const count = canary("leaf-log-empty") ? 0 : this.#touchedTrees.length;
    const value = new Uint8Array(8 + count * entryBytes);
    const view = new DataView(value.buffer);
    view.setUint32(0, Math.floor(number / 0x1_0000_0000));
    view.setUint32(4, number >>> 0);
    for (let i = 0, at = 8; i < count; i += 1, at += entryBytes) {
      const tree = this.#touchedTrees[i] as Tree;
      const leaf = this.#touchedLeaves[i] as number;
      view.setUint8(at, tree.n);
      view.setUint16(at + 1, tree.partition);
      view.setUint16(at + 3, leaf);
      view.setUint32(at + 5, tree.words[2 * leaf] as number);
      view.setUint32(at + 9, tree.words[2 * leaf + 1] as number);
      tree.marks[leaf] = (tree.marks[leaf] as number) & ~touched;
      this.#owe(tree, leaf, number);
    }
    this.#touchedTrees.length = 0;
    this.#touchedLeaves.length = 0;
    batch.put(batchNumberKey(number), value);
    this.#saveDue(batch, number, count);
    return count;
  }

  /** Notes that from batch `number` on the leaf is in the log only. */
  #owe(tree: Tree, leaf: number, number: number): void {
    if (((tree.marks[leaf] as number) & logged) !== 0) return;
    tree.marks[leaf] = (tree.marks[leaf] as number) | logged;
    this.#owedTrees.push(tree);
    this.#owedLeaves.push(leaf);
    this.#owedSince.push(number);
  }

  #saveDue(batch: EngineBatch, number: number, count: number): void {
    let extra = this.#owedTrees.length - this.#owedHead > owedMax ? 2 * count + 16 : 0;
    for (; this.#owedHead < this.#owedTrees.length; this.#owedHead += 1) {
      const due = (this.#owedSince[this.#owedHead] as number) <= number - logBatches;
      if (!due && extra === 0) break;
      if (!due) extra -= 1;
      this.#save(batch, this.#owedTrees[this.#owedHead] as Tree, this.#owedLeaves[this.#owedHead] as number);
    }
    if (this.#owedHead < 4096 || this.#owedHead * 2 < this.#owedTrees.length) return;
    this.#owedTrees = this.#owedTrees.slice(this.#owedHead);
    this.#owedLeaves = this.#owedLeaves.slice(this.#owedHead);
    this.#owedSince = this.#owedSince.slice(this.#owedHead);
    this.#owedHead = 0;
  }

  /** Writes a leaf under its own key; a zero leaf is deleted. */
  #save(batch: EngineBatch, tree: Tree, leaf: number): void {
    tree.marks[leaf] = (tree.marks[leaf] as number) & ~logged;
    const high = tree.words[2 * leaf] as number;
    const low = tree.words[2 * leaf + 1] as number;
    const key = leafKey(tree.n, tree.partition, leaf);
    if ((high | low) === 0) batch.del(key);
    else batch.put(key, u64Bytes(high, low));
  }

  /** Applies the log entry of batch `number` as read from disk; entries come in ascending order, after all `load`s. */
  loadLog(number: number, value: Uint8Array): void {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    for (let at = 8; at < value.length; at += entryBytes) {
      const leaf = view.getUint16(at + 3);
      const tree = this.#tree(view.getUint8(at), view.getUint16(at + 1));
      assert(leaf < leavesPerTree, "leaf index out of range");
      tree.set(leaf, view.getUint32(at + 5), view.getUint32(at + 9));
      this.#owe(tree, leaf, number);
    }
  }

  /** High and low half of leaf i at 2i and 2i+1; shared, do not change. Undefined: no record has touched the tree. */
  wordsOf(n: number, partition: number): Uint32Array | undefined {
    return this.#trees.get(treeOf(n, partition))?.words;
  }

  /** Whether any record is under the tree, or will be when what is queued is written. */
  holds(n: number, partition: number): boolean {
    const id = treeOf(n, partition);
    return this.#coming.has(id) || (this.#trees.get(id)?.held ?? 0) > 0;
  }

  /**
   * Whether no record of the partition with that hash has been counted under any n, so that the engine need not be asked
   * for one. Not so of a record that nobody could read when its leaf was made true.
   */
  isBare(partition: number, hashHigh: number): boolean {
    const at = 2 * leafOfHash(hashHigh, this.#partitionBits);
    for (let n = 1; n <= replicasLimit; n += 1) {
      const words = this.wordsOf(n, partition);
      if (words !== undefined && (words[at] !== 0 || words[at + 1] !== 0)) return false;
    }
    return true;
  }

  /** Calls `visit` for each tree. */
  forEach(visit: (n: number, partition: number, words: Uint32Array) => void): void {
    for (const tree of this.#trees.values()) visit(tree.n, tree.partition, tree.words);
  }
}

/** Whether a slot's value has the form of a batch's log entry. */
export function isLogEntry(value: Uint8Array): boolean {
  return value.length >= 8 && (value.length - 8) % entryBytes === 0;
}
