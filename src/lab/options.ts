/** BenchOptions: what a bench runs, and how; plain data, so that it can be handed to another process. */
import type { LoadMode } from "./load-phase.ts";
import type { RunPlan } from "./result.ts";
import type { Workload } from "./workloads.ts";

export interface BenchOptions {
  readonly seedNodes: readonly string[];
  readonly workload: Workload;
  readonly plan: RunPlan;
  readonly load: LoadMode;
  /** Of each operation. */
  readonly timeoutMs: number;
  /** Generators; more than one are processes of their own. */
  readonly processes: number;
  /** Whether the generator asks for real-time scheduling. */
  readonly prior: boolean;
  /** Whether recordings have intervals. */
  readonly keepsIntervals: boolean;
  /** Whether an idle process measures the machine's own stalls. */
  readonly hiccups: boolean;
}
