/**
 * The machine under a measurement: what it is, and what it did to the generator while it ran. CPU time taken by other
 * virtual machines (steal) and time spent waiting for a CPU come from the kernel; elsewhere than on Linux both are unknown.
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";

/** What a result is worth nothing without. */
export interface Machine {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** Processes that wanted a CPU in the minute before the run, on average. */
  readonly loadAverage: number;
}

/** This machine. */
export function thisMachine(): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    cpuModel: all[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** What the generator's process and the machine had used up at one moment. */
export interface Usage {
  readonly cpuUs: number;
  /** Time in which the generator's main thread could have run, but another had the CPU; null: unknown. */
  readonly waitedUs: number | null;
  /** Null: unknown. */
  readonly ticks: CpuTicks | null;
}

/** Usage now. */
export function usageNow(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, waitedUs: waitedUs(), ticks: cpuTicks() };
}

/** Usage between two moments. */
export interface UsageBetween {
  readonly cpuUs: number;
  readonly waitedUs: number | null;
  /** 0 to 1; null: unknown. */
  readonly stealShare: number | null;
}

/** The difference of two moments. */
export function usageBetween(before: Usage, after: Usage): UsageBetween {
  const [from, to] = [before.ticks, after.ticks];
  const total = from === null || to === null ? 0 : to.total - from.total;
  return {
    cpuUs: after.cpuUs - before.cpuUs,
    waitedUs: before.waitedUs === null || after.waitedUs === null ? null : after.waitedUs - before.waitedUs,
    stealShare: total > 0 ? ((to?.stolen ?? 0) - (from?.stolen ?? 0)) / total : null,
  };
}

/** `/proc/self/schedstat`: nanoseconds on a CPU, nanoseconds waiting for one, time slices. */
function waitedUs(): number | null {
  const fields = procFields("/proc/self/schedstat");
  const waited = Number(fields[1]);
  return fields.length >= 3 && Number.isFinite(waited) ? waited / 1000 : null;
}

/** CPU time of the whole machine since it started, in the kernel's ticks. */
export interface CpuTicks {
  /** Taken by other virtual machines. */
  readonly stolen: number;
  readonly busy: number;
  readonly total: number;
}

/** By the first line of `/proc/stat`: "cpu user nice system idle iowait irq softirq steal guest guest_nice". */
export function cpuTicks(): CpuTicks | null {
  const numbers = procFields("/proc/stat").slice(1, 9).map(Number);
  if (numbers.length < 8 || numbers.some((ticks) => !Number.isFinite(ticks))) return null;
  const total = numbers.reduce((sum, ticks) => sum + ticks, 0);
  const [idle, ioWait, stolen] = [3, 4, 7].map((i) => numbers[i]) as [number, number, number];
  return { stolen, busy: total - idle - ioWait - stolen, total };
}

function procFields(path: string): string[] {
  try {
    const text = readFileSync(path, "utf8");
    return text.slice(0, text.indexOf("\n")).trim().split(/\s+/);
  } catch {
    return [];
  }
}
