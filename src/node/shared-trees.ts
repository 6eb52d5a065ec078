/** Which trees a node shares with which peer: those of the partitions that both own and nobody is about to take over. */
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { treeIdOf } from "../repair/merkle-tree.ts";
import type { SharedTrees } from "../repair/schedule.ts";
import type { Ring } from "../ring/ring.ts";

/** By peer, in the order of the numbers; `trusted` leaves replicas out that this side must not compare. */
export function sharedTrees(
  ring: Ring,
  me: NodeNumber,
  trusted: (partition: PartitionId, n: number) => boolean,
): SharedTrees[] {
  const byPeer = new Map<NodeNumber, number[]>();
  for (const { number, status } of ring.members) if (status !== "left" && number !== me) byPeer.set(number, []);
  for (const n of ring.listSizes) {
    for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
      if (!ring.isOwner(p, n, me) || ring.pendingOf(p, n) !== undefined || !trusted(p, n)) continue;
      const list = ring.preferenceList(p, n);
      for (let i = 0; i < Math.min(n, list.length); i += 1) {
        byPeer.get(list[i] as NodeNumber)?.push(treeIdOf(n, p));
      }
    }
  }
  return [...byPeer].map(([peer, trees]) => ({ peer, trees }));
}
