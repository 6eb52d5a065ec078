// CPU time of processes, as the kernel counts it: what the nodes and the generator had of the machine between two looks.
import { availableParallelism } from "node:os";
import { cpuTime } from "../shared/cpu-time.mjs";

/** A look at the CPU time of all of these processes together. */
export function lookAt(pids) {
  return { at: Date.now(), seconds: pids.reduce((sum, pid) => sum + cpuTime(pid).us, 0) / 1e6 };
}

/** Their share of all CPUs of the machine since that look. */
export function shareSince(before, pids) {
  const now = lookAt(pids);
  const passed = ((now.at - before.at) / 1000) * availableParallelism();
  return passed <= 0 ? 0 : (now.seconds - before.seconds) / passed;
}
