/** Which trees a node shares with which peer: those of the partitions that both own and nobody is about to take over. */
import { type NodeNumber, noNode, type PartitionId } from "../base/ids.ts";
import { treeIdOf } from "../repair/merkle-tree.ts";
import type { SharedTrees } from "../repair/schedule.ts";
import type { Ring } from "../ring/ring.ts";

/**
 * By peer, in the order of the numbers; `trusted` leaves replicas out that this side must not compare. It reads owners
 * alone: the ring's own lists would be written with all their fallbacks, of all partitions, in the turn of each new ring.
 */
export function sharedTrees(
  ring: Ring,
  me: NodeNumber,
  trusted: (partition: PartitionId, n: number) => boolean,
): SharedTrees[] {
  const byPeer = new Map<NodeNumber, number[]>();
  for (const { number, status } of ring.members) if (status !== "left" && number !== me) byPeer.set(number, []);
  const lists = ring.listPair();
  for (const n of ring.listSizes) {
    for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
      lists.read(p, n);
      if (!lists.isOwner(me) || lists.joining !== noNode || !trusted(p, n)) continue;
      for (let i = 0; i < lists.ownerCount; i += 1) byPeer.get(lists.ownerAt(i))?.push(treeIdOf(n, p));
    }
  }
  return [...byPeer].map(([peer, trees]) => ({ peer, trees }));
}
