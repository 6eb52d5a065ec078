/** The transfers and synced replicas of a node as the bytes of its state file "transfers", and back. */
import { noBytes } from "../base/bytes.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { encode } from "../wire/codec.ts";
import { type TransferProgress, TransfersFile } from "../wire/gen/codecs.ts";
import type { Synced } from "./synced.ts";
import { endOf, Transfer, type TransferState, transferStates } from "./transfer.ts";

/** States of a receiver in which nothing is deleted under what it stores. */
const keepsWrites: readonly TransferState[] = ["copying", "catching-up", "confirmed"];

/** The file's payload. Bounded: one entry per replica at the most that moves or was given up, each up to 1.5 KiB. */
export function fileOf(transfers: Iterable<Transfer>, synced: Synced): Uint8Array {
  const list: TransferProgress[] = [];
  for (const transfer of transfers) list.push(progressOf(transfer));
  return encode(TransfersFile, { transfers: list, synced: synced.saved() });
}

/** What is spread comes last: first, it makes an object that costs ten times as much, and there are hundreds. */
function progressOf(transfer: Transfer): TransferProgress {
  return {
    cursor: transfer.cursor ?? noBytes,
    source: transfer.source,
    copied: transfer.copied,
    distrusted: transfer.distrusted,
    flipEpoch: transfer.flipEpoch,
    ...endOf(transfer),
  };
}

/**
 * A transfer after a restart. What was only known in memory is found out again: a comparison starts over; a deletion under a
 * pending transfer too; that the replaced member was asked to close is forgotten, it may be asked twice.
 */
export function transferOf(saved: TransferProgress): Transfer {
  const name = {
    ...saved,
    partition: saved.partition as PartitionId,
    joining: saved.joining as NodeNumber,
    replaced: saved.replaced as NodeNumber,
  };
  const transfer = new Transfer(name, saved.sending, stateAfterRestart(saved));
  transfer.cursor = saved.cursor.length === 0 ? null : saved.cursor.slice();
  transfer.source = saved.source;
  transfer.copied = [...saved.copied];
  transfer.distrusted = saved.distrusted;
  transfer.flipEpoch = saved.flipEpoch;
  transfer.bytes = saved.bytes;
  transfer.records = saved.records;
  transfer.cleared = !saved.sending && keepsWrites.includes(transfer.state);
  return transfer;
}

function stateAfterRestart(saved: TransferProgress): TransferState {
  const state = transferStates[saved.state] ?? "pending";
  if (saved.sending) return state === "confirming" ? "confirmed" : state;
  if (state === "clearing") return "pending";
  return state === "confirming" ? "catching-up" : state;
}
