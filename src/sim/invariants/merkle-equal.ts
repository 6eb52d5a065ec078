/**
 * merkle-equal (G8, I-11): the Merkle leaves that a node keeps up write by write are those of the records on its disk. A
 * leaf that lies would hide a lost record from anti-entropy for ever.
 */
import { bucketOf } from "../../base/full-key.ts";
import { Hash64, hashKey } from "../../base/hash.ts";
import { noLeaves } from "../../repair/merkle-tree.ts";
import { leafOfHash, leavesPerTree, partitionBitsOf } from "../../storage/keys.ts";
import { causalHash } from "../../version/sibling-set.ts";
import type { Audit, Invariant } from "../audit.ts";

/** The trees of a disk, by n << 16 | partition. */
function treesOf(audit: Audit, seat: number): Map<number, Uint32Array> {
  const { ring } = audit;
  const trees = new Map<number, Uint32Array>();
  const place = new Hash64();
  const causal = new Hash64();
  for (const [fullKey, sealed] of audit.records[seat] ?? []) {
    hashKey(fullKey, place);
    const id = ring.policyOf(bucketOf(fullKey)).n * 0x10000 + ring.partitionOf(place.high);
    const words = trees.get(id) ?? new Uint32Array(2 * leavesPerTree);
    trees.set(id, words);
    causalHash(audit.open(sealed), fullKey, causal);
    const leaf = leafOfHash(place.high, partitionBitsOf(ring.partitions));
    words[2 * leaf] = (words[2 * leaf] as number) ^ causal.high;
    words[2 * leaf + 1] = (words[2 * leaf + 1] as number) ^ causal.low;
  }
  return trees;
}

function equalWords(live: Uint32Array, found: Uint32Array): boolean {
  for (let at = 0; at < live.length; at += 1) if (live[at] !== found[at]) return false;
  return true;
}

/** What the members' trees get wrong. */
export function wrongTrees(audit: Audit): readonly string[] {
  const wrong: string[] = [];
  for (const seat of audit.members) {
    const leaves = audit.cluster.nodeAt(seat)?.store?.leaves;
    if (leaves === undefined) continue;
    const trees = treesOf(audit, seat);
    leaves.forEach((n, partition, live) => {
      const id = n * 0x10000 + partition;
      const found = trees.get(id);
      trees.delete(id);
      if (equalWords(live, found ?? noLeaves)) return;
      wrong.push(`node ${seat + 1}: the tree of partition ${partition}, n ${n}, is not its records'`);
    });
    for (const id of trees.keys()) wrong.push(`node ${seat + 1}: tree ${id} is missing`);
  }
  return wrong;
}

/** Judged on every member, when everything has reached the engines. */
export const merkleEqual: Invariant = {
  name: "merkle-equal",
  check(audit) {
    for (const text of wrongTrees(audit)) audit.blame("merkle-equal", text);
  },
};
