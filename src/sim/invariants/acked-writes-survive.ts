/**
 * acked-writes-survive (G1, G6; I-2): after everything is healed and read, every owner's disk reflects every
 * acknowledged write, and holds its value unless a write whose context covers it came later, or has forgotten a delete for good. Nobody but read repair
 * brings a copy to a replica that missed the write, so this holds only after the convergence reads.
 */
import { Durability } from "../../base/durability.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import type { Audit, Invariant } from "../audit.ts";
import {
  type Coverage,
  coveredByContexts,
  idName,
  isLastWriteKey,
  type Operation,
  operationText,
  possibleDots,
} from "../history.ts";

/** Judged on every owner's disk. */
export const ackedWritesSurvive: Invariant = {
  name: "acked-writes-survive",
  check(audit) {
    for (const key of audit.cluster.history.keys()) {
      const writes = audit.cluster.history.of(key).filter((one) => one.isWrite);
      const acked = writes.filter((one) => one.outcome === "ok");
      if (acked.length === 0) continue;
      const covered = coveredByContexts(writes);
      for (const seat of audit.owners(key)) {
        const sealed = audit.disks[seat]?.get(key);
        const set = sealed === undefined ? undefined : audit.open(sealed);
        const present = new Set(set?.siblings.map((sibling) => idName(sibling.requestId)));
        for (const write of acked) checkCopy(audit, seat, { set, present, covered }, write);
      }
    }
  },
};

interface Copy {
  readonly set: SiblingSet | undefined;
  /** The request ids of its siblings. */
  readonly present: ReadonlySet<string>;
  /** What the contexts of the key's writes cover. */
  readonly covered: Coverage;
}

function checkCopy(audit: Audit, seat: number, copy: Copy, write: Operation): void {
  const blame = (text: string): void => audit.blame("acked-writes-survive", text, write.key);
  const known = audit.cluster.ledger.dotsOf(write.requestId);
  // In `memory` mode a write may have been superseded before any engine saw it.
  const unseen = known.length === 0 && audit.cluster.plan.durability === Durability.memory;
  const dots = unseen ? possibleDots(write) : known;
  if (unseen && dots.length === 0) return;
  const where = `node ${seat + 1}'s disk`;
  if (dots.length === 0) {
    blame(`no disk ever held ${operationText(write)}`);
    return;
  }
  const gone = audit.cluster.ledger.forgotten(write.key).coversAny(dots);
  if (!gone && copy.set?.version.coversAny(dots) !== true) blame(`${where} has lost ${operationText(write)}`);
  else if (isLastWriteKey(write.key)) return;
  else if (!copy.present.has(write.requestId) && !copy.covered.coversAny(dots) && !(gone && write.kind === "delete")) {
    blame(`${where} has dropped ${operationText(write)}, which nothing covers`);
  }
}
