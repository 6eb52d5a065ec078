/** Branches and roots: fixed by vectors, for two nodes must make the same ones; and what they must tell apart. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hash64 } from "../../../src/base/hash.ts";
import {
  branchesOf,
  branchesPerTree,
  noLeaves,
  rootOf,
  treeIdOf,
  treeN,
  treePartition,
} from "../../../src/repair/merkle-tree.ts";
import { differingBranches } from "../../../src/repair/tree-work.ts";

function leavesWith(entries: readonly (readonly [number, number, number])[]): Uint32Array {
  const leaves = noLeaves.slice();
  for (const [leaf, high, low] of entries) {
    leaves[2 * leaf] = high;
    leaves[2 * leaf + 1] = low;
  }
  return leaves;
}

function rootText(leaves: Uint32Array): string {
  const out = new Hash64();
  rootOf(leaves, out);
  return [out.high, out.low].map((word) => word.toString(16).padStart(8, "0")).join(" ");
}

const leaf = fc.tuple(fc.nat(4095), fc.nat(0xffffffff), fc.nat(0xffffffff));

describe("merkle tree", () => {
  it("roots are what they have always been", () => {
    expect(rootText(noLeaves)).toMatchInlineSnapshot(`"8f360ea2 43bfd620"`);
    expect(rootText(leavesWith([[0, 1, 2]]))).toMatchInlineSnapshot(`"af519ee1 ec704e5c"`);
    expect(
      rootText(
        leavesWith([
          [4095, 0xffffffff, 0x80000000],
          [17, 5, 0],
        ]),
      ),
    ).toMatchInlineSnapshot(`"62a2ba8e 44e4a4e9"`);
  });

  it("a change of one leaf changes its branch, no other, and the root", () => {
    fc.assert(
      fc.property(fc.array(leaf, { maxLength: 20 }), leaf, (held, [index, high, low]) => {
        fc.pre((high | low) !== 0);
        const mine = leavesWith(held);
        const theirs = mine.slice();
        theirs[2 * index] = (theirs[2 * index] as number) ^ high;
        theirs[2 * index + 1] = (theirs[2 * index + 1] as number) ^ low;
        const a = new Uint32Array(2 * branchesPerTree);
        const b = new Uint32Array(2 * branchesPerTree);
        branchesOf(mine, a);
        branchesOf(theirs, b);
        expect([...differingBranches(a, b)]).toEqual([Math.floor(index / 64)]);
        expect(rootText(mine)).not.toBe(rootText(theirs));
      }),
      { numRuns: 200 },
    );
  });

  it("what was counted under the wrong leaf shows in the root", () => {
    expect(rootText(leavesWith([[8, 3, 4]]))).not.toBe(rootText(leavesWith([[9, 3, 4]])));
    expect(rootText(leavesWith([[8, 3, 4]]))).not.toBe(rootText(leavesWith([[8 + 64, 3, 4]])));
    expect(rootText(leavesWith([[8, 3, 4]]))).not.toBe(rootText(leavesWith([[8, 4, 3]])));
  });

  it("a tree's word holds N and partition", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), fc.nat(16383), (n, partition) => {
        const tree = treeIdOf(n, partition);
        expect([treeN(tree), treePartition(tree)]).toEqual([n, partition]);
      }),
    );
  });
});
