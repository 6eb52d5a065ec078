// CPU time as the kernel counts it, in ticks of 10 ms on every Linux that Node runs on.
import { readFileSync } from "node:fs";

/** Microseconds of one tick. */
export const tickUs = 10_000;

/**
 * Microseconds of a process (its pid, or "self") or of one thread (PID/task/TID) until now: all, the kernel's part, and what
 * the children used that have ended.
 */
export function cpuTime(place) {
  const afterName = readFileSync(`/proc/${place}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [ownUs, kernelUs, childUs, childKernelUs] = afterName.slice(11, 15).map((ticks) => Number(ticks) * tickUs);
  return { us: ownUs + kernelUs, kernelUs, childrenUs: childUs + childKernelUs };
}
