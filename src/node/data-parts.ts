/** The parts of a node that move data in the background, tied together: comparing and repairing, and transfers. */
import type { PartitionId } from "../base/ids.ts";
import type { Comparisons } from "./comparisons.ts";
import type { Part } from "./part.ts";
import { Repairing } from "./repairing.ts";
import { type TransferResources, Transferring } from "./transferring.ts";

/** Builds them and hands them to `add`, in the order in which they start. */
export function addDataParts(
  resources: Omit<TransferResources, "comparisons">,
  add: (part: Part) => void,
): { readonly repairing: Repairing; readonly transferring: Transferring } {
  const repairing = new Repairing(resources);
  const comparisons = (): Comparisons => repairing.comparisons as Comparisons;
  const transferring = new Transferring({ ...resources, comparisons });
  repairing.holdsGivenUp = (partition, n) => transferring.core?.isGivenUp(partition as PartitionId, n) === true;
  add(repairing);
  add(transferring);
  return { repairing, transferring };
}
