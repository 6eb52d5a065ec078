/**
 * Deleting a copy page by page, for both ends of a transfer. It may be interrupted anywhere: it begins anew from the
 * start of the partition, where nothing is left by then. A write that was under way when the copy was given up may
 * land behind the cursor, so the end is looked at again. A tree that still says something when nothing is left has
 * counted a record that could not be read: it is made true, and then says nothing.
 */
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { Transfer } from "./transfer.ts";
import type { TransferTable } from "./transfer-table.ts";

/** Times that the partition is gone through before its tree is doubted. */
const roundsMax = 3;

/** One page of a deletion, or an error. */
export interface ErasedPage {
  readonly deleted: number;
  /** Where to go on; null: the end. */
  readonly cursor: Uint8Array | null;
}

/** Asks for the next page of the transfer's deletion; true: nothing is left to delete. */
export function eraseCopy(now: Instant, table: TransferTable, transfer: Transfer): boolean {
  const { partition, n } = transfer;
  if (transfer.deleteCursor === null) {
    if (!table.effects.holds(partition, n)) {
      transfer.deleteRounds = 0;
      return true;
    }
    if (transfer.deleteRounds >= roundsMax) {
      mark("transfers.tree-doubted");
      transfer.deleteRounds = 0;
      table.effects.rebuildTrees(now, partition);
      table.retry(now, transfer, "disk", table.config.pollUs);
      return false;
    }
  }
  const token = table.askDeletion(now, transfer);
  if (token !== 0) table.effects.deletePage(now, partition, n, transfer.deleteCursor, token);
  return false;
}

/** A page was deleted; null: the store could not. */
export function onErased(now: Instant, table: TransferTable, transfer: Transfer, page: ErasedPage | null): void {
  if (page === null) {
    table.backOff(now, transfer, "disk");
    return;
  }
  transfer.attempts = 0;
  transfer.deleteCursor = page.cursor;
  if (page.cursor === null) transfer.deleteRounds += 1;
}
