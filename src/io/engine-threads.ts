/**
 * RocksDB's own threads give way to event loops. A flush takes 0.2 s of CPU and a compaction a second, and a thread that is
 * at it keeps its CPU for a slice of some milliseconds although a loop has been woken up on it: with fewer CPUs than busy
 * processes that made the tail. In Linux's idle class a thread runs while nobody else wants the CPU, and stops at once
 * when somebody does; a low priority alone leaves it its slice. It cannot starve for long: a store whose writes wait for
 * a flush slows its own node down. RocksDB has the same for one of its two pools (`LowerThreadPoolCPUPriority`), but the
 * binding does not.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { promisify } from "node:util";
import type { Logger } from "../base/log.ts";

const tasks = "/proc/self/task";
const engineName = "rocksdb:";
const lowestPriority = 19;
const commandMs = 5_000;

const run = promisify(execFile);

/**
 * Puts the engine's threads, which are there as soon as a store is open, into the idle class; where there is no `chrt`
 * (util-linux) they get the lowest priority. Does nothing where threads have no place in `/proc`.
 */
export async function lowerEngineThreads(log: Logger): Promise<void> {
  await Promise.all(engineThreads().map((thread) => lower(thread, log)));
}

/** The numbers by which the kernel knows them. */
export function engineThreads(): number[] {
  try {
    const threads = readdirSync(tasks).filter((id) =>
      readFileSync(`${tasks}/${id}/comm`, "utf8").startsWith(engineName),
    );
    return threads.map(Number);
  } catch {
    // Not Linux, or a thread ended meanwhile.
    return [];
  }
}

async function lower(thread: number, log: Logger): Promise<void> {
  try {
    await run("chrt", ["--idle", "--pid", "0", String(thread)], { timeout: commandMs });
  } catch {
    log.info("without chrt (util-linux) the engine's threads disturb more", { thread });
    lowerPriority(thread);
  }
}

function lowerPriority(thread: number): void {
  try {
    setPriority(thread, lowestPriority);
  } catch {
    // It has ended.
  }
}
