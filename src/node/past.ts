/**
 * Past: whether this node's directory is one of an earlier time. What a node has told of its store was on its disk, and what
 * it knows to have lost is counted. So a peer that has seen its store further on proves that the directory was put back to
 * an earlier state, or copied. What the others have forgotten since must not come back from here.
 */
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import { isBehind, type StoreProgress } from "../membership/member.ts";
import type { NodeState } from "./state.ts";

/** Of one node. */
export class Past {
  readonly #shared: NodeState;
  /** Why the directory is one of an earlier time; empty: nothing says so. */
  proof = "";

  constructor(shared: NodeState) {
    this.#shared = shared;
  }

  /** A peer has told how far it has seen this node's store, which has come to `batches`. */
  check(peer: string, seen: StoreProgress, batches: number): void {
    const { losses, number } = this.#shared;
    if (!isBehind({ losses, batches }, seen) || canary("trust-any-directory")) return;
    mark("node.directory-from-the-past");
    const told = `${peer} has seen its store further on, at batch ${seen.batches}`;
    this.proof = `this directory is from the past: ${told}; start with an empty one, and replace node ${number}`;
  }
}
