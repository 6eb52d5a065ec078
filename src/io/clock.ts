/**
 * The system's clocks. `now` is monotonic; `performance.now()` because `process.hrtime.bigint()` allocates.
 *
 * Instants begin beyond 2^32 at the process's start. V8 keeps whole numbers below 2^31 in another form than larger ones,
 * and code that was compiled for the one is thrown away when the other comes: counted from 0, all that handles instants
 * would be compiled anew 36 minutes after the start, on all nodes that were started together at once. Also, what takes
 * an instant for 32 bits fails in its first test, and not after 72 minutes.
 */
import { performance } from "node:perf_hooks";
import type { Clock, Instant, WallMs } from "../base/time.ts";

const originUs = 2 ** 32;

/** The instant of a time that Node tells in milliseconds since the process's start: `performance.now()`, an entry's start. */
export function instantOf(performanceMs: number): Instant {
  return (originUs + Math.floor(performanceMs * 1000)) as Instant;
}

/** The clock of every host in this process. */
export const systemClock: Clock = {
  now(): Instant {
    return instantOf(performance.now());
  },
  wallMs(): WallMs {
    return Date.now();
  },
};
