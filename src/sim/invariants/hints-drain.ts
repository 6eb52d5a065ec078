/**
 * hints-drain (G8, I-8): once faults are over everything that was kept for others goes home, and nothing of it is left:
 * neither in the counts of a node nor on its disk.
 */
import type { Audit, Invariant } from "../audit.ts";
import type { Cluster } from "../cluster.ts";

/** How many hints the nodes say they keep. */
export function hintsLeft(cluster: Cluster): number {
  let left = 0;
  for (const { position } of cluster.world.nodes) {
    const kept = cluster.nodeAt(position)?.store?.hints.total ?? 0;
    if (kept > 0 && cluster.isMember(position)) left += kept;
  }
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
