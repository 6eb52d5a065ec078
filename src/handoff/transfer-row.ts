/** A transfer as a row for people: how far it is, how fast, how long it may still take, and why it waits. */
import type { Instant } from "../base/time.ts";
import type { TransferRow } from "../wire/gen/codecs.ts";
import { endOf, type Transfer, transferWaits } from "./transfer.ts";

const second = 1_000_000;

/** The row of a transfer. Rate and remaining time are those since this node's copy began, or since its last boot. */
export function rowOf(now: Instant, transfer: Transfer): TransferRow {
  const elapsed = now > transfer.startedAt ? now - transfer.startedAt : 0;
  const copied = transfer.bytes - transfer.bytesAtStart;
  const copying = transfer.state === "copying";
  return {
    ...endOf(transfer),
    wait: transferWaits.indexOf(transfer.wait),
    peer: transfer.peer,
    bytesPerSecond: copying && elapsed > 0 ? Math.floor((copied * second) / elapsed) : 0,
    perMille: perMilleOf(transfer),
    remainingMs: copying ? remainingMs(elapsed, transfer) : 0,
  };
}

function perMilleOf(transfer: Transfer): number {
  const ended = transfer.state === "catching-up" || transfer.state === "confirming" || transfer.state === "confirmed";
  return ended ? 1000 : transfer.perMille;
}

/** From the share of the hash range that was copied since the copy began here; the hashes are spread evenly. */
function remainingMs(elapsed: number, transfer: Transfer): number {
  const done = transfer.perMille - transfer.perMilleAtStart;
  if (done <= 0 || elapsed <= 0) return 0;
  return Math.floor((elapsed * (1000 - transfer.perMille)) / done / 1000);
}
