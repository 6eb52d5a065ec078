/**
 * Real-time scheduling of this process, its collector's threads among them: it waits for no other that wants the CPU. A
 * generator that shares its machine with the nodes is late by milliseconds without it, and a hiccup meter measures the
 * nodes. Node has no call for it: `chrt` (util-linux) has.
 */
import { execFileSync } from "node:child_process";

/** Asks for it; false: not permitted, or no such program. */
export function askRealTime(): boolean {
  try {
    execFileSync("chrt", ["--all-tasks", "--fifo", "--pid", "1", String(process.pid)], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
