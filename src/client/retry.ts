/**
 * Retries: what may be tried again, when, and how often. Pure decisions; the core keeps the ledger.
 *
 * Only errors that another attempt can cure are retried, never past the deadline, and within a budget: retries that
 * follow load make an overload permanent. A put is repeated with its request id, so that it stays one write.
 */
import { type ErrorCode, errorTable } from "../base/errors.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { RecentCount } from "./recent-count.ts";

/** Attempts of one request, the first included. */
export const attemptsMax = 5;
const jitterFirstUs: DurationUs = 10_000;
const jitterMaxUs: DurationUs = 500_000;

/** A failed attempt, as `retryDelay` judges it. */
export interface Failure {
  readonly code: ErrorCode;
  /** How many attempts there were. */
  readonly attempts: number;
  /** The node's own wish; 0: none. */
  readonly retryAfterUs: DurationUs;
  /** Until the deadline. */
  readonly remainingUs: DurationUs;
}

/** Whether another node may well succeed at once: the failure says something about this node only. */
function concernsNodeOnly(code: ErrorCode): boolean {
  return code === "CONNECTION_LOST" || code === "NODE_STOPPING" || code === "NOT_SYNCED" || code === "WRONG_OWNER";
}

/** How long to wait before the next attempt, in microseconds; -1: no further attempt. */
export function retryDelay(failure: Failure, rng: Rng): DurationUs {
  const { code, attempts, retryAfterUs, remainingUs } = failure;
  // A node answers DEADLINE_EXCEEDED when all the time that the request had is over.
  if (!errorTable[code].retryable || code === "DEADLINE_EXCEEDED" || attempts >= attemptsMax) return -1;
  const delay = attempts === 1 && concernsNodeOnly(code) ? 0 : retryAfterUs + fullJitter(attempts, rng);
  return delay < remainingUs ? delay : -1;
}

/** Uniform from nothing to twice as much with each attempt, so that those who failed together do not return together. */
function fullJitter(attempts: number, rng: Rng): DurationUs {
  return rng.below(Math.min(jitterFirstUs * 2 ** (attempts - 1), jitterMaxUs)) + 1;
}

const windowSeconds = 10;
/** Retries allowed in a window however few requests there are. */
const burst = 32;
const requestsPerRetry = 10;

/** Retries in the last ten seconds: at most a tenth of the requests, and 32 more. */
export class RetryBudget {
  readonly #requests = new RecentCount(windowSeconds, 1_000_000);
  readonly #retries = new RecentCount(windowSeconds, 1_000_000);

  /** A request began. */
  count(now: Instant): void {
    this.#requests.add(now);
  }

  /** Takes one retry; false: there is none left. */
  take(now: Instant): boolean {
    if ((this.#retries.sum(now) - burst) * requestsPerRetry >= this.#requests.sum(now)) return false;
    this.#retries.add(now);
    return true;
  }
}
