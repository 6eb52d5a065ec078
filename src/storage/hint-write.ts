/** Writing and deleting a hint: its record under its key and its entry in the target's list, always in one batch. */
import { assert } from "../base/assert.ts";
import type { EngineBatch } from "./engine.ts";
import { hintKey, hintListKey, hintValue, u64Bytes } from "./keys.ts";
import type { HintChange, StoreWrite } from "./store-write.ts";

/** Adds a write of a hint to a batch. */
export function composeHint(batch: EngineBatch, write: StoreWrite, hint: HintChange): void {
  const { fullKey, hashHigh, hashLow, sealed } = write;
  assert(hint.target > 0 && hint.target <= 0xffff, "a hint is kept for a node");
  const key = hintKey(fullKey, hashHigh, hashLow, hint.target);
  const listed = hintListKey(fullKey, hashHigh, hashLow, hint.target);
  if (sealed.length === 0) {
    batch.del(key);
    batch.del(listed);
    return;
  }
  batch.put(key, hintValue(hint.second, sealed));
  batch.put(listed, u64Bytes(hint.second, sealed.length));
}
