/** What delivery asks of the node around it, what it is told, and its bounds. The core: `delivery.ts`. */
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { HintCounts } from "../storage/store.ts";
import type { HintSend } from "./hint-lane.ts";

const second: DurationUs = 1_000_000;

/** What delivery asks of the node around it. Each that names an event is answered later, once; `deliver` may stay unanswered. */
export interface HintDeliveryEffects {
  /** Reads a page of the list of the target's hints (`Store.scanHints`); `onPage` with the same token. */
  scan(now: Instant, target: number, cursor: Uint8Array | null, keysMax: number, token: number): void;
  /** Reads the hint (`Replica.read`, kind `readHints` with its target); `onRecord`. */
  read(now: Instant, send: HintSend): void;
  /**
   * Has the target merge and sync the record: HINT_DELIVER, or the own replica's `write` if the target is this node;
   * `onDelivered` or `onFailed`. The record is lent until the call returns.
   */
  deliver(now: Instant, send: HintSend, sealed: Uint8Array): void;
  /**
   * Merges the record into the own hint for `owner` (`Replica.changeHint`, kind `keepHint`, durable, first kept at
   * `send.second`); `onKept`. The record is lent until the call returns.
   */
  keep(now: Instant, send: HintSend, owner: number, sealed: Uint8Array): void;
  /** Deletes the hint if its causal hash is `send.causalHigh` and `send.causalLow` (kind `dropHint`); `onDropped`. */
  drop(now: Instant, send: HintSend): void;
  /**
   * A question, not an effect: whose the key is once the active positions have moved; none while there is no ring. Not
   * named is who is about to be replaced: what reached it after its last comparison would be nobody's.
   */
  ownersOf(fullKey: Uint8Array, hashHigh: number): ArrayLike<number>;
  /** A question, too: whether the target has left the ring, so that no event will tell that it can be reached. */
  hasLeft(target: number): boolean;
}

/** What a target answers to a delivery. */
export interface HintAnswer {
  /** The record is on its stable storage. */
  readonly durable: boolean;
  /** Bytes that it wants under way from this node at the most; 0: none for now. */
  readonly creditBytes: number;
  /** A high percentile of its clients' latency, and what that should not exceed; 0: not known. */
  readonly foregroundUs: number;
  readonly limitUs: number;
}

/** Bounds; `defaultHintConfig` has the defaults. */
export interface HintConfig {
  /** Hints under way, all targets together, and per target. More: faster over long ways, more memory. */
  readonly inFlightMax: number;
  readonly inFlightPerTarget: number;
  readonly pageKeys: number;
  /** Of the rate per target: where it starts, its lower bound, and by how much it grows in a second. */
  readonly rateStart: number;
  readonly rateLeast: number;
  readonly rateStep: number;
  /** The window of a target that has not answered yet, and of one whose window was 0 a moment ago. */
  readonly windowStart: number;
  /** A target's first pass waits for a random part of this, so that not all begin at once. */
  readonly jitterUs: DurationUs;
  /** A delivery without an answer has failed. */
  readonly timeoutUs: DurationUs;
  /** The first and the longest wait after failures. */
  readonly retryLeastUs: DurationUs;
  readonly retryMostUs: DurationUs;
  /** Between two looks at everything that is owed to those who can be reached. */
  readonly safetyUs: DurationUs;
}

/** The defaults. */
export const defaultHintConfig: HintConfig = {
  inFlightMax: 256,
  inFlightPerTarget: 32,
  pageKeys: 256,
  rateStart: 1024 * 1024,
  rateLeast: 64 * 1024,
  rateStep: 1024 * 1024,
  windowStart: 64 * 1024,
  jitterUs: 2 * second,
  timeoutUs: 5 * second,
  retryLeastUs: second,
  retryMostUs: 60 * second,
  safetyUs: 300 * second,
};

/** What a `HintDelivery` is made of. */
export interface HintDeliveryOptions {
  readonly effects: HintDeliveryEffects;
  readonly counts: HintCounts;
  readonly rng: Rng;
  readonly config?: Partial<HintConfig>;
}
