/** What a peer says of its roots, branches and leaves, held against the own trees as they are in this turn. */
import { Hash64 } from "../base/hash.ts";
import type { TreeBranchReply, TreeLeavesReply, TreeRootsReply } from "../wire/gen/codecs.ts";
import type { LeafSource } from "./merkle-tree.ts";
import { branchesOf, branchesPerTree, leavesOf, leavesPerBranch, rootOf } from "./merkle-tree.ts";
import { differingBranches, type TreeWork } from "./tree-work.ts";

const root = new Hash64();
const branches = new Uint32Array(2 * branchesPerTree);

/** Ends the pass for trees whose roots are equal, and for those that the peer refuses. False: the reply makes no sense. */
export function compareRoots(trees: readonly TreeWork[], { roots, refused }: TreeRootsReply, own: LeafSource): boolean {
  if (roots.length !== 2 * trees.length || (refused.length !== 0 && refused.length !== trees.length)) return false;
  for (const [i, work] of trees.entries()) {
    rootOf(leavesOf(own, work.tree), root);
    if (refused.length > 0 && refused[i] !== 0) work.outcome = "refused";
    else if (root.high === roots[2 * i] && root.low === roots[2 * i + 1]) work.endPass(false);
  }
  return true;
}

/** Notes the branches that differ. False: the reply makes no sense. */
export function compareBranches(work: TreeWork, reply: TreeBranchReply, own: LeafSource): boolean {
  if (reply.branches.length !== 2 * branchesPerTree) return false;
  branchesOf(leavesOf(own, work.tree), branches);
  work.branches = differingBranches(branches, reply.branches);
  return true;
}

/** Whether the reply holds the leaves of the branches that were asked for. */
export function isOfLeaves(work: TreeWork, { leaves }: TreeLeavesReply): boolean {
  return leaves.length === 2 * leavesPerBranch * work.branches.length;
}
