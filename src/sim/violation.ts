/** Violation: something that a run has shown to be untrue although it must hold. */
import type { Instant } from "../base/time.ts";

export interface Violation {
  readonly at: Instant;
  /** The invariant's or rule's name: what a minimised run must still violate. */
  readonly invariant: string;
  readonly text: string;
  /** The key it is about, if it is about one. */
  readonly key?: string;
}

/** Takes violations. A checker reports and goes on: one run may show several. */
export type Report = (violation: Violation) => void;
