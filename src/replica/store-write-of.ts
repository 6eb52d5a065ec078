/**
 * StoreWriteOf: what every write of an op tells the store. What is peculiar to a record or to a hint, its writer adds
 * (replica.ts, hint-ops.ts).
 */
import { Durability } from "../base/durability.ts";
import type { Hash64 } from "../base/hash.ts";
import { StoreWrite, SyncMode } from "../storage/store.ts";
import type { ReplicaOp } from "./replica-op.ts";

/** The sync that a durability asks of this replica's write. */
export function syncModeOf(durability: Durability): SyncMode {
  if (durability === Durability.durable) return SyncMode.now;
  return durability === Durability.oneDurable ? SyncMode.designated : SyncMode.none;
}

/** A write of `sealed` under the op's key, answered to the op. */
export function storeWriteOf(op: ReplicaOp<unknown>, sealed: Uint8Array): StoreWrite {
  const write = new StoreWrite();
  write.fullKey = op.fullKey;
  write.hashHigh = op.hashHigh;
  write.hashLow = op.hashLow;
  write.n = op.n;
  write.partition = op.partition;
  write.sealed = sealed;
  write.sync = syncModeOf(op.durability);
  write.token = op.id;
  return write;
}

/** A write of the record `sealed`; the causal hashes are those of what the key held and of what it holds then. */
export function recordWriteOf(
  op: ReplicaOp<unknown>,
  sealed: Uint8Array,
  before: Readonly<Hash64>,
  after: Readonly<Hash64>,
): StoreWrite {
  const write = storeWriteOf(op, sealed);
  write.deltaHigh = (before.high ^ after.high) >>> 0;
  write.deltaLow = (before.low ^ after.low) >>> 0;
  write.memory = op.durability === Durability.memory;
  return write;
}
