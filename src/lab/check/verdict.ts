/** The verdict on a recorded history, of a run or from a file: the oracle's, with the counts that a report shows. */
import { judge } from "../../sim/oracle.ts";
import type { Violation } from "../../sim/violation.ts";
import type { RecordedHistory } from "./history-file.ts";

/** The shape of `violations` in `check --json`. */
export interface ShownViolation {
  readonly rule: string;
  readonly key: string;
  readonly text: string;
}

/** Part of `check --json`. */
export interface Verdict {
  readonly operations: { readonly get: number; readonly put: number; readonly delete: number };
  /** `unknown`: nobody can tell whether it happened. */
  readonly outcomes: { readonly ok: number; readonly refused: number; readonly unknown: number };
  readonly acknowledgedWrites: number;
  /** Acknowledged writes that some last read does not reflect. */
  readonly acknowledgedWritesLost: number;
  readonly finalReads: number;
  readonly keys: number;
  /** Whether gets were held to what was acknowledged before them. */
  readonly recency: boolean;
  readonly violations: readonly ShownViolation[];
}

/** Rules that say that an acknowledged write is gone. */
const losses: ReadonlySet<string> = new Set(["acked-write-lost", "acked-write-discarded"]);

/** Judges. Reads are held to recency only if no answer came from another ring: while owners change, G3 promises nothing. */
export function verdictOf({ head, history, epochs }: RecordedHistory): Verdict {
  const recency = head.recency && epochs.size <= 1;
  const violations: Violation[] = [];
  judge(history.operations, { recency }, (violation) => violations.push(violation));
  const operations = { get: 0, put: 0, delete: 0 };
  const outcomes = { ok: 0, refused: 0, unknown: 0 };
  let acknowledgedWrites = 0;
  let finalReads = 0;
  for (const { kind, outcome, isWrite, final } of history.operations) {
    operations[kind] += 1;
    if (outcome === "fail") outcomes.refused += 1;
    else outcomes[outcome === "ok" ? "ok" : "unknown"] += 1;
    if (isWrite && outcome === "ok") acknowledgedWrites += 1;
    if (final && outcome === "ok") finalReads += 1;
  }
  return {
    operations,
    outcomes,
    acknowledgedWrites,
    acknowledgedWritesLost: violations.filter(({ invariant }) => losses.has(invariant)).length,
    finalReads,
    keys: history.keys().length,
    recency,
    violations: violations.map(({ invariant: rule, key = "", text }) => ({ rule, key, text })),
  };
}
