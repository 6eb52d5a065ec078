/**
 * Workloads are data: what is asked of a cluster, without when or how fast. The named ones are those of YCSB (Cooper and
 * others, SoCC 2010) that a key-value store without scans can run; every field can be overridden.
 */
import type { DurabilityName } from "../base/durability.ts";

/** How keys are chosen: each alike, or by Zipf's law with exponent 0.99 over keys in scrambled order. */
export type Distribution = "uniform" | "zipfian";

/** What is asked of the cluster. */
export interface Workload {
  readonly name: string;
  /** Of 100 operations, how many are gets; the others are puts. */
  readonly readPercent: number;
  readonly keys: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly distribution: Distribution;
  readonly bucket: string;
  /** Null: as the bucket's policy says. */
  readonly durability: DurabilityName | null;
  /** 0: as the bucket's policy says. */
  readonly r: number;
  /** 0: as the bucket's policy says. */
  readonly w: number;
}

const ycsb: Omit<Workload, "name" | "readPercent"> = {
  keys: 100_000,
  keyBytes: 16,
  valueBytes: 1024,
  distribution: "zipfian",
  bucket: "bench",
  durability: null,
  r: 0,
  w: 0,
};

/** By name: `a` half gets, half puts; `b` 95 % gets; `c` gets only. */
export const workloads: Readonly<Record<string, Workload>> = {
  a: { name: "a", readPercent: 50, ...ycsb },
  b: { name: "b", readPercent: 95, ...ycsb },
  c: { name: "c", readPercent: 100, ...ycsb },
};
