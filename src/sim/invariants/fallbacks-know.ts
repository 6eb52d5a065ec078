/**
 * fallbacks-know (G3): the word of a fallback counts in a get only if it has kept something of that key. One that keeps
 * nothing does not know that there is nothing.
 */
import type { Audit, Invariant } from "../audit.ts";
import { operationText } from "../history.ts";

/** Judged on every get that was answered. */
export const fallbacksKnow: Invariant = {
  name: "fallbacks-know",
  check(audit: Audit) {
    const { cluster } = audit;
    for (const one of cluster.history.operations) {
      if (one.isWrite || one.outcome !== "ok") continue;
      for (const number of one.fallbackAcks) {
        if (cluster.ledger.hasHinted(cluster.seatOf(number), one.key)) continue;
        audit.blame("fallbacks-know", `node number ${number} kept nothing of it: ${operationText(one)}`, one.key);
      }
    }
  },
};
