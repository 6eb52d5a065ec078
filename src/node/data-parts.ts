/** The parts of a node that move data in the background, tied together: comparing and repairing, transfers, forgetting. */
import type { PartitionId } from "../base/ids.ts";
import type { Comparisons } from "./comparisons.ts";
import type { Part } from "./part.ts";
import { Reaping } from "./reaping.ts";
import { Repairing } from "./repairing.ts";
import { type TransferResources, Transferring } from "./transferring.ts";

/** Builds them and hands them to `add`, in the order in which they start. */
export function addDataParts(
  resources: Omit<TransferResources, "comparisons" | "rebuildTrees">,
  add: (part: Part) => void,
): { readonly repairing: Repairing; readonly transferring: Transferring; readonly reaping: Reaping } {
  const repairing = new Repairing(resources);
  const comparisons = (): Comparisons => repairing.comparisons as Comparisons;
  const rebuildTrees: TransferResources["rebuildTrees"] = (now, partition) => repairing.rebuildTrees(now, [partition]);
  const transferring = new Transferring({ ...resources, comparisons, rebuildTrees });
  repairing.holdsGivenUp = (partition, n) => transferring.core?.isGivenUp(partition as PartitionId, n) === true;
  add(repairing);
  add(transferring);
  const reaping = new Reaping(resources);
  add(reaping);
  return { repairing, transferring, reaping };
}
