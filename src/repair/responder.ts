/**
 * Responder: the side of an exchange that is asked. It keeps nothing between two questions: trees are read from the
 * store's leaves, lists and records from the store, and a cursor that it gave out comes back with the next question. So
 * an asker may stop anywhere, and any number of peers may ask.
 *
 * Whether the asker is a member, and whose epoch is newer, is checked before a question comes here.
 */
import { assert } from "../base/assert.ts";
import { compareBytes, noBytes } from "../base/bytes.ts";
import { type Status, wireOf } from "../base/errors.ts";
import { Hash64 } from "../base/hash.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { leafRange, leavesPerTree } from "../storage/keys.ts";
import { type RecordPage, storeDamaged } from "../storage/store-events.ts";
import { VersionVector } from "../version/version-vector.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { LeafKeysRequest, RecordFetchRequest, TreeLeavesRequest, TreeRootsRequest } from "../wire/gen/codecs.ts";
import { keysPerLeafPageMax } from "../wire/limits.ts";
import { heldIn } from "./held-record.ts";
import { entriesOfPage, type TreeOf } from "./leaf-list.ts";
import type { TreeId, TreeSource } from "./merkle-tree.ts";
import { branchesOf, branchesPerTree, leavesOf, leavesPerBranch, rootOf, treeN, treePartition } from "./merkle-tree.ts";
import type { Asked, Reply } from "./questions.ts";
import { bringsRecord, decideRelation, type Held, Relation } from "./relation.ts";

/** A reply to RECORD_FETCH takes no further record past this. */
const replyBytesMax = 1024 * 1024;

const invalidArgument = wireOf("INVALID_ARGUMENT");
const notSynced = wireOf("NOT_SYNCED");
const overloaded = wireOf("OVERLOADED");
const storageFailed = wireOf("STORAGE_FAILED");

/** What a responder asks of the node around it. `ticket` is the node's own: where the answer goes. */
export interface ResponderEffects<T> {
  /** Answers the question; exactly once, unless `refuse`. Record bytes are borrowed until the call returns. */
  answer(now: Instant, ticket: T, reply: Reply): void;
  /** Answers with an error; exactly once, unless `answer`. */
  refuse(now: Instant, ticket: T, type: number, status: Status, message: string): void;
  /** Reads a page of the records under a leaf, `keysPerLeafPageMax` at the most; `onScanned` follows, never inside the call. */
  scanLeaf(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void;
  /** Reads the record of a key; `onRecord` follows, never inside the call. */
  readRecord(now: Instant, id: number, fullKey: Uint8Array): void;
}

/** What a `Responder` is built from. */
export interface ResponderOptions<T> {
  readonly effects: ResponderEffects<T>;
  /** The store's leaves. */
  readonly leaves: TreeSource;
  readonly treeOf: TreeOf;
  /** Q. */
  readonly partitions: number;
  /** Whether the tree may be compared with this node now: it holds the partition and its trees are to be trusted. */
  readonly mayCompare: (tree: TreeId) => boolean;
  /** Questions in work that read the store; above it OVERLOADED. Default 64. */
  readonly jobsMax?: number;
}

interface AskedKey {
  readonly fullKey: Uint8Array;
  readonly held: Held;
}

interface Job<T> {
  readonly ticket: T;
  readonly tree: TreeId;
  readonly preview: boolean;
  /** RECORD_FETCH: what the asker holds. Empty: LEAF_KEYS. */
  readonly keys: readonly AskedKey[];
  readonly fetched: { relation: number; record: Uint8Array; recordBytes: number }[];
  bytes: number;
}

/** Answers what exchanges of other nodes ask. */
export class Responder<T> {
  readonly #options: ResponderOptions<T>;
  readonly #effects: ResponderEffects<T>;
  readonly #jobs: Slab<Job<T>>;
  readonly #root: Hash64 = new Hash64();
  #inside = false;

  constructor(options: ResponderOptions<T>) {
    this.#options = options;
    this.#effects = options.effects;
    this.#jobs = new Slab(options.jobsMax ?? 64);
  }

  /** Questions that wait for the store. */
  get inFlight(): number {
    return this.#jobs.size;
  }

  /** A question. Its bytes are borrowed until the call returns. */
  onQuestion(now: Instant, ticket: T, question: Asked): void {
    this.#enter();
    if (question.type === FrameType.TREE_ROOTS) this.#roots(now, ticket, question.body);
    else if (!this.#named(question.body.tree)) {
      this.#effects.refuse(now, ticket, question.type, invalidArgument, "there is no such tree");
    } else if (!this.#options.mayCompare(question.body.tree)) {
      this.#effects.refuse(now, ticket, question.type, notSynced, "the partition is not to be compared now");
    } else this.#answerTree(now, ticket, question);
    this.#inside = false;
  }

  #enter(): void {
    assert(!this.#inside, "an effect must not call the responder");
    this.#inside = true;
  }

  #named(tree: TreeId): boolean {
    const n = treeN(tree);
    return n >= 1 && n <= 0xff && treePartition(tree) < this.#options.partitions;
  }

  #answerTree(now: Instant, ticket: T, question: Exclude<Asked, { type: typeof FrameType.TREE_ROOTS }>): void {
    switch (question.type) {
      case FrameType.TREE_BRANCH:
        this.#branches(now, ticket, question.body.tree);
        return;
      case FrameType.TREE_LEAVES:
        this.#leaves(now, ticket, question.body);
        return;
      case FrameType.LEAF_KEYS:
        this.#keys(now, ticket, question.body);
        return;
      case FrameType.RECORD_FETCH:
        this.#fetch(now, ticket, question.body);
        return;
    }
  }

  #roots(now: Instant, ticket: T, { trees }: TreeRootsRequest): void {
    const roots = new Uint32Array(2 * trees.length);
    const refused = new Uint8Array(trees.length);
    let refusals = 0;
    for (const [i, tree] of trees.entries()) {
      if (!this.#named(tree) || !this.#options.mayCompare(tree)) {
        refused[i] = 1;
        refusals += 1;
        continue;
      }
      rootOf(leavesOf(this.#options.leaves, tree), this.#root);
      roots[2 * i] = this.#root.high;
      roots[2 * i + 1] = this.#root.low;
    }
    const body = { roots, refused: refusals > 0 ? refused : noBytes };
    this.#effects.answer(now, ticket, { type: FrameType.TREE_ROOTS, body });
  }

  #branches(now: Instant, ticket: T, tree: TreeId): void {
    const branches = new Uint32Array(2 * branchesPerTree);
    // The asker has seen the tree differ twice, and looks at the leaves once more before it lists any.
    this.#options.leaves.hurry(treePartition(tree));
    branchesOf(leavesOf(this.#options.leaves, tree), branches);
    this.#effects.answer(now, ticket, { type: FrameType.TREE_BRANCH, body: { branches } });
  }

  #leaves(now: Instant, ticket: T, { tree, branches }: TreeLeavesRequest): void {
    const width = 2 * leavesPerBranch;
    if (!isRising(branches, branchesPerTree)) {
      this.#effects.refuse(now, ticket, FrameType.TREE_LEAVES, invalidArgument, "branches are 0..63 and rise");
      return;
    }
    const words = leavesOf(this.#options.leaves, tree);
    const leaves = new Uint32Array(width * branches.length);
    for (let i = 0; i < branches.length; i += 1) {
      const from = (branches[i] as number) * width;
      leaves.set(words.subarray(from, from + width), i * width);
    }
    this.#effects.answer(now, ticket, { type: FrameType.TREE_LEAVES, body: { leaves } });
  }

  #keys(now: Instant, ticket: T, { tree, leaf, cursor }: LeafKeysRequest): void {
    if (leaf >= leavesPerTree || !this.#inLeaf(tree, leaf, cursor)) {
      this.#effects.refuse(now, ticket, FrameType.LEAF_KEYS, invalidArgument, "there is no such leaf or cursor");
      return;
    }
    const id = this.#begin(now, ticket, FrameType.LEAF_KEYS, tree, false, []);
    if (id < 0) return;
    const from = cursor.length === 0 ? null : cursor.slice();
    this.#effects.scanLeaf(now, id, treePartition(tree), leaf, from);
  }

  #inLeaf(tree: TreeId, leaf: number, cursor: Uint8Array): boolean {
    if (cursor.length === 0) return true;
    const { from, to } = leafRange(treePartition(tree), leaf, this.#options.partitions);
    return compareBytes(from, cursor) <= 0 && compareBytes(cursor, to) <= 0;
  }

  #begin(now: Instant, ticket: T, type: number, tree: TreeId, preview: boolean, keys: readonly AskedKey[]): number {
    if (!this.#jobs.full) return this.#jobs.add({ ticket, tree, preview, keys, fetched: [], bytes: 0 });
    this.#effects.refuse(now, ticket, type, overloaded, "too many comparisons are under way");
    return -1;
  }

  #fetch(now: Instant, ticket: T, { tree, held, preview }: RecordFetchRequest): void {
    const keys: AskedKey[] = [];
    for (const { fullKey, version, hashHigh, hashLow } of held) {
      const vector = VersionVector.fromWords(version.map((word) => word | 0));
      if (vector === null || fullKey.length < 2 || this.#options.treeOf(fullKey) !== treeN(tree)) {
        this.#effects.refuse(now, ticket, FrameType.RECORD_FETCH, invalidArgument, "a key or version is malformed");
        return;
      }
      keys.push({ fullKey: fullKey.slice(), held: { version: vector, hashHigh, hashLow } });
    }
    const first = keys[0];
    if (first === undefined) {
      this.#effects.refuse(now, ticket, FrameType.RECORD_FETCH, invalidArgument, "no key is asked for");
      return;
    }
    const id = this.#begin(now, ticket, FrameType.RECORD_FETCH, tree, preview, keys);
    if (id >= 0) this.#effects.readRecord(now, id, first.fullKey);
  }

  /** A page of the records under a leaf, or why it cannot be read. */
  onScanned(now: Instant, id: number, page: RecordPage | null, error: string | null): void {
    this.#enter();
    const job = this.#jobs.get(id);
    assert(job !== undefined && job.keys.length === 0, "a page nobody asked for");
    this.#jobs.remove(id);
    if (page === null || error !== null) {
      this.#effects.refuse(now, job.ticket, FrameType.LEAF_KEYS, storageFailed, error ?? "the leaf cannot be read");
    } else {
      const entries = entriesOfPage(page, treeN(job.tree), this.#options.treeOf);
      assert(entries.length <= keysPerLeafPageMax, "a page has as many keys as were asked for");
      const body = { keys: entries, cursor: page.cursor ?? noBytes };
      this.#effects.answer(now, job.ticket, { type: FrameType.LEAF_KEYS, body });
    }
    this.#inside = false;
  }

  /** The record of a key, or null: there is none or, with an error, nobody can tell. */
  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.#enter();
    const job = this.#jobs.get(id);
    const key = job?.keys[job.fetched.length];
    assert(job !== undefined && key !== undefined, "a record nobody asked for");
    const own = error === null ? sealed : null;
    const relation = error === null ? decideRelation(key.held, heldIn(own, key.fullKey)) : unread(error);
    const brings = bringsRecord(relation) && !job.preview && own !== null;
    job.fetched.push({ relation, record: brings ? own.slice() : noBytes, recordBytes: own?.length ?? 0 });
    job.bytes += brings ? own.length : 0;
    const next = job.keys[job.fetched.length];
    if (next !== undefined && job.bytes < replyBytesMax) this.#effects.readRecord(now, id, next.fullKey);
    else {
      this.#jobs.remove(id);
      this.#effects.answer(now, job.ticket, { type: FrameType.RECORD_FETCH, body: { records: job.fetched } });
    }
    this.#inside = false;
  }
}

function unread(error: string): Relation {
  return error === storeDamaged ? Relation.damaged : Relation.unreadable;
}

function isRising(numbers: Uint8Array, limit: number): boolean {
  for (let i = 0; i < numbers.length; i += 1) {
    if ((numbers[i] as number) >= limit || (i > 0 && (numbers[i] as number) <= (numbers[i - 1] as number)))
      return false;
  }
  return true;
}
