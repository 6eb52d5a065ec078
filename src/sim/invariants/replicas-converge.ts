/**
 * replicas-converge-after-read-repair (G8, as far as it goes yet): after the convergence reads, all owners of a key
 * hold byte-equal records, and nobody else holds any. Without hinted handoff and anti-entropy, reads at R = N are what
 * brings it about.
 */
import { equalBytes } from "../../base/bytes.ts";
import { openRecord } from "../../version/record.ts";
import type { Audit, Invariant } from "../audit.ts";
import { versionText } from "../history.ts";

/** Judged on every disk. */
export const replicasConverge: Invariant = {
  name: "replicas-converge-after-read-repair",
  check(audit) {
    for (const key of audit.cluster.history.keys()) {
      const owners = audit.owners(key);
      for (const [seat, held] of audit.disks.entries()) {
        if (held.has(key) && !owners.includes(seat) && audit.members.includes(seat)) {
          audit.blame("replicas-converge-after-read-repair", `node ${seat + 1} holds it and is no owner`, key);
        }
      }
      compareOwners(audit, key, owners);
    }
  },
};

function compareOwners(audit: Audit, key: string, owners: readonly number[]): void {
  const first = audit.disks[owners[0] as number]?.get(key);
  for (const seat of owners) {
    const copy = audit.disks[seat]?.get(key);
    const equal = first === undefined || copy === undefined ? first === copy : equalBytes(first, copy);
    if (equal) continue;
    const text = `node ${(owners[0] as number) + 1} holds ${recordText(first)}, node ${seat + 1} ${recordText(copy)}`;
    audit.blame("replicas-converge-after-read-repair", text, key);
  }
}

function recordText(sealed: Uint8Array | undefined): string {
  if (sealed === undefined) return "nothing";
  const set = openRecord(sealed);
  return `${set.siblings.length} siblings, ${set.recent.length} recent, version ${versionText(set.version)}`;
}
