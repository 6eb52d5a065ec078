/**
 * causality (G4, I-6): on every disk at the end, a record's version covers its siblings' dots, no dot occurs twice in
 * it, and no sibling is kept beside a write whose context covers it.
 */
import { openRecord } from "../../version/record.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import type { Audit, Invariant } from "../audit.ts";
import { dotName, dotText, idName, type Operation, operationText } from "../history.ts";

export const causality: Invariant = {
  name: "causality",
  check(audit) {
    const writes = new Map<string, Operation>();
    for (const one of audit.cluster.history.operations) if (one.isWrite) writes.set(one.requestId, one);
    for (const [seat, held] of audit.disks.entries()) {
      for (const [key, sealed] of held) checkRecord(audit, `node ${seat + 1}`, key, openRecord(sealed), writes);
    }
  },
};

function checkRecord(
  audit: Audit,
  where: string,
  key: string,
  set: SiblingSet,
  writes: ReadonlyMap<string, Operation>,
): void {
  const dots = new Set<string>();
  for (const sibling of set.siblings) {
    for (const dot of sibling.dots) {
      if (!set.version.covers(dot)) audit.blame("causality", `${where}: the version misses ${dotText(dot)}`, key);
      if (dots.has(dotName(dot))) audit.blame("causality", `${where}: ${dotText(dot)} is there twice`, key);
      dots.add(dotName(dot));
    }
    const write = writes.get(idName(sibling.requestId));
    if (write === undefined) continue;
    for (const other of set.siblings) {
      if (other !== sibling && write.context.coversAny(other.dots)) {
        audit.blame("causality", `${where} keeps ${idName(other.requestId)} beside ${operationText(write)}`, key);
      }
    }
  }
}
