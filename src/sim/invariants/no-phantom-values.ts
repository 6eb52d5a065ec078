/**
 * no-phantom-values (G5): whatever lies on a disk at the end was submitted for that key, with that value, and was not
 * refused.
 */
import { checkRecord } from "../../version/record.ts";
import type { Sibling } from "../../version/sibling-set.ts";
import type { Audit, Invariant } from "../audit.ts";
import { idName, type Operation, operationText, valueNumber } from "../history.ts";

/** Judged on every disk. */
export const noPhantomValues: Invariant = {
  name: "no-phantom-values",
  check(audit) {
    const writes = new Map<string, Operation>();
    for (const one of audit.cluster.history.operations) if (one.isWrite) writes.set(one.requestId, one);
    for (const [seat, held] of audit.disks.entries()) {
      for (const [key, sealed] of held) {
        const fault = checkRecord(sealed);
        if (fault !== null) {
          audit.blame("no-phantom-values", `node ${seat + 1} keeps a damaged record: ${fault}`, key);
          continue;
        }
        for (const sibling of audit.open(sealed).siblings) checkSibling(audit, seat, key, sibling, writes);
      }
    }
  },
};

function checkSibling(
  audit: Audit,
  seat: number,
  key: string,
  sibling: Sibling,
  writes: ReadonlyMap<string, Operation>,
): void {
  const id = idName(sibling.requestId);
  const write = writes.get(id);
  const where = `on node ${seat + 1}'s disk`;
  if (write === undefined || write.key !== key) {
    audit.blame("no-phantom-values", `nobody wrote ${id}, found ${where}`, key);
    return;
  }
  if (write.outcome === "fail") audit.blame("no-phantom-values", `${operationText(write)}, yet found ${where}`, key);
  const value = sibling.tombstone ? 0 : valueNumber(sibling.value);
  if (sibling.tombstone !== (write.kind === "delete") || value !== write.value) {
    audit.blame("no-phantom-values", `${operationText(write)} is ${value} ${where}`, key);
  }
}
