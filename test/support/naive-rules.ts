/** What follows for a node's rules from its ring and its synced replicas alone, whatever rings came before. */
import type { NodeNumber, PartitionId } from "../../src/base/ids.ts";
import { ReadRule, WriteRule } from "../../src/handoff/transfer.ts";
import type { Transfers } from "../../src/handoff/transfers.ts";
import type { Ring } from "../../src/ring/ring.ts";

/** The first replica whose rules are not those of a node that has just been told this ring; null: there is none. */
export function staleRule(core: Transfers, ring: Ring, me: NodeNumber): string | null {
  for (const n of ring.listSizes) {
    for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
      const takesPart = ring.isOwner(p, n, me) || ring.pendingOf(p, n)?.joining === me;
      const read = core.readRule(p, n);
      const readRight = core.isSynced(p, n) ? ReadRule.serve : ReadRule.notSynced;
      const mayBeClosed = ring.pendingOf(p, n)?.replaced === me && read === ReadRule.wrongOwner;
      const right = takesPart ? read === readRight || mayBeClosed : read === ReadRule.wrongOwner;
      if (right && (core.writeRule(p, n) === WriteRule.wrongOwner) === !takesPart) continue;
      return `node ${me} has rules ${read} and ${core.writeRule(p, n)} for partition ${p} (n = ${n}, epoch ${ring.epoch})`;
    }
  }
  return null;
}
