// CPU time as the kernel counts it, in ticks of 10 ms on every Linux that Node runs on.
import { readFileSync } from "node:fs";

const tickUs = 10_000;

/** Microseconds of a process (its pid) or of one thread (PID/task/TID) until now: all, and the kernel's part. */
export function cpuTime(place) {
  const afterName = readFileSync(`/proc/${place}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const kernelUs = Number(afterName[12]) * tickUs;
  return { us: Number(afterName[11]) * tickUs + kernelUs, kernelUs };
}
