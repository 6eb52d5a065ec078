// CPU time of a process's threads, as the scheduler counts it (nanoseconds), by what they are for.
import { readdirSync, readFileSync } from "node:fs";
import { cpuTime } from "../shared/cpu-time.mjs";

/** The kinds of threads: what they are called in tables. */
export const threadKinds = {
  main: "main thread",
  v8: "V8's threads (compiler, collector)",
  pool: "libuv's pool (RocksDB's calls, syncs)",
  engine: "RocksDB's own threads",
};

/** Node names none of its threads, so a process tells which there were before it did anything: those are V8's. */
function kindOf(tid, pid, name, ofV8) {
  if (tid === pid) return "main";
  if (name.startsWith("rocksdb:")) return "engine";
  if (name.startsWith("v8:")) return "sampler";
  return ofV8.includes(tid) ? "v8" : "pool";
}

/** Microseconds of CPU by kind of thread until now, and what the kernel had of the main thread's. */
export function lookAtThreads(pid, ofV8) {
  const us = { main: 0, v8: 0, pool: 0, engine: 0, sampler: 0 };
  const tasks = `/proc/${pid}/task`;
  for (const tid of readdirSync(tasks).map(Number)) {
    const read = (name) => readFileSync(`${tasks}/${tid}/${name}`, "utf8");
    us[kindOf(tid, pid, read("comm").trim(), ofV8)] += Number(read("schedstat").split(" ")[0]) / 1000;
  }
  return { us, kernelUs: cpuTime(`${pid}/task/${pid}`).kernelUs };
}
