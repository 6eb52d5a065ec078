/**
 * The hash space cut into Q equal ranges, Q a power of two fixed when the cluster is created: a key's partition is the
 * top log2 Q bits of its hash, found by one shift. Who owns a partition is the ring's business (Dynamo 6.2, strategy 3).
 */
import { RingtailError } from "../base/errors.ts";
import type { PartitionId } from "../base/ids.ts";

/** The fewest partitions: small clusters of the simulator. A real one has 64 or more. */
export const partitionsMin = 8;
/** The most partitions: beyond this the owner table is no longer small. */
export const partitionsMax = 16_384;

/** Throws `INVALID_ARGUMENT` unless `partitions` is a power of two, 8..16384. */
export function checkPartitions(partitions: number): void {
  const inRange = Number.isInteger(partitions) && partitions >= partitionsMin && partitions <= partitionsMax;
  if (!inRange || (partitions & (partitions - 1)) !== 0) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `not a number of partitions: ${partitions} (a power of two, ${partitionsMin}..${partitionsMax})`,
    );
  }
}

/** How far `hashHigh` is shifted right to give its partition: 32 - log2 `partitions`. */
export function partitionShift(partitions: number): number {
  return 1 + Math.clz32(partitions);
}

/** The partition of a key; `hashHigh` is the high half of its hash, `shift` comes from `partitionShift`. */
export function partitionOf(hashHigh: number, shift: number): PartitionId {
  return (hashHigh >>> shift) as PartitionId;
}
