/** What the store counts: plain fields that only grow, read by the metrics endpoint and by tests. */
export class StoreCounters {
  /** Writes asked for. */
  writes = 0;
  /** Memory writes that joined an earlier one of their key and cost no engine write. */
  coalesced = 0;
  /** Memory writes that had to wait for their batch. */
  memoryWaits = 0;
  batches = 0;
  /** Keys and values given to the engine, in bytes. */
  batchBytes = 0;
  leavesWritten = 0;
  syncs = 0;
  bufferHits = 0;
  bufferMisses = 0;
  /** Engine reads that did not enter the object buffer because a write of their key began meanwhile. */
  fillsDropped = 0;
  engineReads = 0;
  /** Records whose checksum failed. */
  unreadable = 0;
  deleted = 0;
}
