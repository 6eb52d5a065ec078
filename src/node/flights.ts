/**
 * Flights: gets of one key that stand in line together are read once (single flight).
 *
 * A get may only be answered from reads that began after it came: else it could miss a put that was acknowledged before
 * it was sent (G3). So nobody boards a flight that has left. Gets board while the line is being served, and when that
 * is done all flights leave; each reads for the gets that boarded, all of which had come before. Nobody waits for a
 * flight either: it leaves in the turn in which its first get would have been read alone.
 */
import { equalBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { GetOp } from "../coordinator/get.ts";
import type { GetOrigin } from "./request.ts";

export class Flights {
  readonly #boarding: GetOp<GetOrigin>[] = [];
  /** For the planted bug alone. */
  #left: readonly GetOp<GetOrigin>[] = [];

  /**
   * Puts a get on a flight; false: on one of its own. The gets of a flight ask the same replicas for as many answers;
   * it has as much time as the most patient of them.
   */
  board(op: GetOp<GetOrigin>): boolean {
    for (const flight of this.#boarding) {
      if (flight.hashLow !== op.hashLow || flight.hashHigh !== op.hashHigh || flight.quorum !== op.quorum) continue;
      if (!equalBytes(flight.fullKey, op.fullKey)) continue;
      mark("flights.shared");
      op.origin.companion = flight.origin.companion;
      flight.origin.companion = op.origin;
      flight.timeoutUs = Math.max(flight.timeoutUs, op.timeoutUs);
      return true;
    }
    if (canary("boards-a-flight-that-left") && this.#boardLate(op)) return true;
    this.#boarding.push(op);
    return false;
  }

  #boardLate(op: GetOp<GetOrigin>): boolean {
    const late = this.#left.find((flight) => !flight.replied && equalBytes(flight.fullKey, op.fullKey));
    if (late === undefined || late.quorum !== op.quorum) return false;
    op.origin.companion = late.origin.companion;
    late.origin.companion = op.origin;
    return true;
  }

  /** All flights leave, in the order in which they were opened. */
  leave(now: Instant, begin: (now: Instant, op: GetOp<GetOrigin>) => void): void {
    if (canary("boards-a-flight-that-left")) this.#left = [...this.#left, ...this.#boarding].slice(-64);
    for (const flight of this.#boarding) begin(now, flight);
    this.#boarding.length = 0;
  }
}
