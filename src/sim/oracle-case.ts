/** What the oracle's rules share about one key: what was asked of it, what was seen, and under which dots. */
import type { Instant } from "../base/time.ts";
import { type Dot, VersionVector } from "../version/version-vector.ts";
import { type Coverage, certainDot, coveredByContexts, type Operation, possibleDots } from "./history.ts";
import { sameDot } from "./ledger.ts";
import type { Report } from "./violation.ts";

/** What holds for the run that is judged. */
export interface OracleOptions {
  /**
   * R + W > N, and no fault that can take an acknowledged copy away: a get sees every put acknowledged before it, if
   * owners alone acknowledged both. Until hints are delivered, quorums with a fallback in them need not meet (G3).
   */
  readonly recency: boolean;
  /** The dots of a write as the white-box side knows them. */
  readonly dotsOf?: (requestId: string) => readonly Dot[];
  /** What of a key's history the cluster has forgotten for good, as the white-box side knows it. */
  readonly forgotten?: (key: string) => VersionVector;
  /** Whether the last write wins there; without it, nowhere. */
  readonly isLastWrite?: (key: string) => boolean;
  /** The least stamp of a write, as the white-box side knows it; 0: unknown. */
  readonly stampOf?: (requestId: string) => number;
}

/** What the rules share about one key. */
export class Case {
  readonly key: string;
  readonly writes: Map<string, Operation> = new Map();
  readonly reads: Operation[] = [];
  readonly finals: Operation[] = [];
  /** Everything that some write's context covers: nothing else may disappear. */
  readonly covered: Coverage;
  readonly forgotten: VersionVector;
  readonly report: Report;
  readonly #dots = new Map<string, Dot[]>();

  constructor(key: string, operations: readonly Operation[], options: OracleOptions, report: Report) {
    this.key = key;
    this.report = report;
    this.forgotten = options.forgotten?.(key) ?? VersionVector.empty;
    for (const one of operations) {
      if (one.isWrite) this.writes.set(one.requestId, one);
      else if (one.outcome === "ok") this.reads.push(one);
      // A write that was tried twice may be shown under its other dot alone, and superseded under this one.
      const acknowledged = one.isWrite && one.outcome === "ok" ? certainDot(one) : null;
      if (acknowledged !== null) this.#learn(one.requestId, [acknowledged]);
    }
    this.covered = coveredByContexts(this.writes.values());
    this.finals.push(...this.reads.filter((one) => one.final));
    for (const read of this.reads) for (const shown of read.siblings) this.#learn(shown.requestId, shown.dots);
    if (options.dotsOf === undefined) return;
    for (const id of this.writes.keys()) this.#learn(id, options.dotsOf(id));
  }

  #learn(requestId: string, dots: readonly Dot[]): void {
    const known = this.#dots.get(requestId);
    if (known === undefined) this.#dots.set(requestId, [...dots]);
    else for (const dot of dots) if (!known.some((one) => sameDot(one, dot))) known.push(dot);
  }

  /** The dots a write is known under; empty: nobody ever saw it. */
  dotsOf(write: Operation): readonly Dot[] {
    return this.#dots.get(write.requestId) ?? [];
  }

  /** The dots that may be the write's; empty: nobody can tell. */
  candidates(write: Operation): readonly Dot[] {
    const known = this.dotsOf(write);
    return known.length > 0 ? known : possibleDots(write);
  }

  blame(rule: string, at: Instant, text: string): void {
    this.report({ at, invariant: rule, key: this.key, text });
  }
}
