/** TreeWork: how far an exchange is with one tree: which leaves differed when it first looked, and which are done. */
import { assert } from "../base/assert.ts";
import { leavesPerTree } from "../storage/keys.ts";
import type { TreeOutcome } from "./exchange-parts.ts";
import type { Difference } from "./leaf-list.ts";
import { branchesPerTree, leavesPerBranch, type TreeId } from "./merkle-tree.ts";

/** A leaf that differed, and by how much (XOR). */
export interface Suspect {
  readonly leaf: number;
  readonly high: number;
  readonly low: number;
}

/** The branches in which `mine` and `theirs` differ, as numbers. */
export function differingBranches(mine: ArrayLike<number>, theirs: ArrayLike<number>): Uint8Array {
  assert(mine.length === 2 * branchesPerTree && theirs.length === mine.length, "a tree has 64 branches");
  const branches: number[] = [];
  for (let i = 0; i < branchesPerTree; i += 1) {
    const high = (mine[2 * i] as number) ^ (theirs[2 * i] as number);
    if ((high | ((mine[2 * i + 1] as number) ^ (theirs[2 * i + 1] as number))) !== 0) branches.push(i);
  }
  return Uint8Array.from(branches);
}

/** One tree of an exchange. */
export class TreeWork {
  readonly tree: TreeId;
  /** The leaf that comes first. */
  cursor: number;
  /** Set when the tree is done with, in this pass or for good. */
  outcome: TreeOutcome | null = null;
  /** Times in a row that it was found equal. */
  equal = 0;
  /** Branches that were asked for last. */
  branches: Uint8Array = new Uint8Array(0);
  suspects: Suspect[] = [];
  /** Suspects before it are done. */
  next = 0;
  /** There are more differing leaves than the pass takes on: where they begin, or -1. */
  overflow = -1;
  /** Keys that may be writes in flight: looked at again, a window after they were listed. */
  doubts: Difference[] = [];
  /** The first suspect with a key among the doubts. */
  firstDoubt = -1;
  moved = 0;
  failed = 0;

  constructor(tree: TreeId, cursor: number) {
    this.tree = tree;
    this.cursor = cursor;
  }

  /** Forgets the pass before. */
  beginPass(): void {
    this.outcome = null;
    this.suspects = [];
    this.next = 0;
    this.overflow = -1;
    this.doubts = [];
    this.firstDoubt = -1;
    this.moved = 0;
    this.failed = 0;
  }

  /** The first look at the leaves of `branches`: keeps the first `max` that differ, in the order from the cursor on. */
  look(mine: Uint32Array, theirs: ArrayLike<number>, max: number): void {
    const places = new Int32Array(branchesPerTree).fill(-1);
    for (let i = 0; i < this.branches.length; i += 1) places[this.branches[i] as number] = i;
    for (let i = 0; i < leavesPerTree; i += 1) {
      const leaf = (this.cursor + i) % leavesPerTree;
      const suspect = differenceAt(leaf, places, mine, theirs);
      if (suspect === null) continue;
      if (this.suspects.length === max) {
        this.overflow = leaf;
        return;
      }
      this.suspects.push(suspect);
    }
  }

  /** The second look: forgets suspects that differ no more. Returns how many. */
  lookAgain(mine: Uint32Array, theirs: ArrayLike<number>): number {
    const places = new Int32Array(branchesPerTree).fill(-1);
    for (let i = 0; i < this.branches.length; i += 1) places[this.branches[i] as number] = i;
    const before = this.suspects.length;
    this.suspects = this.suspects.filter(({ leaf }) => differenceAt(leaf, places, mine, theirs) !== null);
    return before - this.suspects.length;
  }

  /** The branches that hold suspects. */
  suspectBranches(): Uint8Array {
    const marks = new Uint8Array(branchesPerTree);
    for (const { leaf } of this.suspects) marks[Math.floor(leaf / leavesPerBranch)] = 1;
    const branches: number[] = [];
    for (let i = 0; i < branchesPerTree; i += 1) if (marks[i] === 1) branches.push(i);
    return Uint8Array.from(branches);
  }

  /** Ends the pass for this tree. */
  endPass(preview: boolean): void {
    const left = this.overflow >= 0 || this.failed > 0;
    if (preview && this.moved > 0) this.outcome = "differs";
    else this.outcome = left ? "partial" : this.moved > 0 ? "repaired" : "equal";
    this.equal = this.outcome === "equal" ? this.equal + 1 : 0;
    this.cursor = Math.max(0, this.overflow);
  }

  /** Where to go on if it ended here. */
  resumeAt(): number {
    if (this.outcome !== null) return this.cursor;
    const undone = this.firstDoubt >= 0 ? this.firstDoubt : this.next;
    return this.suspects[undone]?.leaf ?? this.cursor;
  }
}

function differenceAt(leaf: number, places: Int32Array, mine: Uint32Array, theirs: ArrayLike<number>): Suspect | null {
  const place = places[Math.floor(leaf / leavesPerBranch)] as number;
  if (place < 0) return null;
  const at = 2 * (place * leavesPerBranch + (leaf % leavesPerBranch));
  const high = (mine[2 * leaf] as number) ^ (theirs[at] as number);
  const low = (mine[2 * leaf + 1] as number) ^ (theirs[at + 1] as number);
  return (high | low) === 0 ? null : { leaf, high, low };
}
