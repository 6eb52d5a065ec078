/**
 * The system's clocks. `now` is monotonic and starts at the process's start, so that instants stay small integers;
 * `performance.now()` because `process.hrtime.bigint()` allocates.
 */
import { performance } from "node:perf_hooks";
import type { Clock, Instant, WallMs } from "../base/time.ts";

/** The clock of every host in this process. */
export const systemClock: Clock = {
  now(): Instant {
    return Math.floor(performance.now() * 1000) as Instant;
  },
  wallMs(): WallMs {
    return Date.now();
  },
};
