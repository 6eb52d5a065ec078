/**
 * hints-drain (G8, I-8): once faults are over everything that was kept for others goes home, and nothing of it is left:
 * neither in the counts of a node nor on its disk.
 */
import type { Audit, Invariant } from "../audit.ts";
import type { Cluster } from "../cluster.ts";

/** How many hints the nodes say they keep. */
export function hintsLeft(cluster: Cluster): number {
  let left = 0;
  for (const seat of cluster.members()) left += cluster.nodeAt(seat)?.store?.hints.total ?? 0;
  return left;
}

/** Judged on every disk. */
export const hintsDrain: Invariant = {
  name: "hints-drain",
  check(audit: Audit) {
    for (const [seat, drive] of audit.cluster.drives.entries()) {
      const left = drive.hints().length;
      if (left > 0 && audit.members.includes(seat))
        audit.blame("hints-drain", `node ${seat + 1} still keeps ${left} hints`);
    }
  },
};
