// CPU time of processes, as the kernel counts it: what the nodes and the generator had of the machine between two looks.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The kernel counts in ticks of 10 ms, on every Linux that Node runs on. */
const ticksPerSecond = 100;

function cpuSeconds(pid) {
  const afterName = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(afterName[11]) + Number(afterName[12])) / ticksPerSecond;
}

/** A look at the CPU time of all of these processes together. */
export function lookAt(pids) {
  return { at: Date.now(), seconds: pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) };
}

/** Their share of all CPUs of the machine since that look. */
export function shareSince(before, pids) {
  const now = lookAt(pids);
  const passed = ((now.at - before.at) / 1000) * availableParallelism();
  return passed <= 0 ? 0 : (now.seconds - before.seconds) / passed;
}
