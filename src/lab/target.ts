/**
 * Target: the system under load, as the generator sees it: gets and puts of keys, each of which ends in one event. System:
 * that system, connected. `cluster-target.ts` binds both to the client's core and real sockets; `driver-target.ts` to any
 * other client library, so that other stores are put under the very same load; tests bind a target to a made-up server on
 * made-up time, which is how the generator itself is held to account.
 */
import type { RingtailError } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";

/** What a get found. Valid, and its bytes unchanged, until the event returns. */
export interface Answer {
  /** For the next put of the key; empty if none is needed. */
  readonly context: Uint8Array;
  /** How many values the key has, deletions among them. */
  readonly siblings: number;
  /** The size of the first value; undefined: there is none. */
  readonly valueBytes: number | undefined;
}

/** How an operation ends: exactly one of these, never inside the call that began it. */
export interface OperationEvents {
  onGot(now: Instant, answer: Answer): void;
  /** The context is borrowed, and empty if the next put needs none. */
  onWritten(now: Instant, context: Uint8Array): void;
  onFailure(now: Instant, error: RingtailError): void;
}

export interface Target {
  now(): Instant;
  /** Begins a get. An error: it was refused, and no event follows. All bytes stay unchanged until the operation ends. */
  get(now: Instant, key: Uint8Array, events: OperationEvents): RingtailError | null;
  /** Begins a put, as `get` does. */
  put(
    now: Instant,
    key: Uint8Array,
    value: Uint8Array,
    context: Uint8Array,
    events: OperationEvents,
  ): RingtailError | null;
  /** Sends what was begun, without waiting for the turn to end. Not from inside an event of an operation. */
  flush(now: Instant): void;
  /** Asks for one call of `turn` when the events of this turn are through; only the latest `turn` counts. */
  wantTurn(turn: (now: Instant) => void): void;
}

/** What a system said of itself. */
export interface SystemFacts {
  readonly nodes: number;
  readonly epoch: number;
  readonly partitions: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: string;
}

export interface System {
  /** As of now. */
  readonly facts: SystemFacts;
  /** Of two contexts of one key the one that has seen more is kept, and of equal ones the later; bytes `start` to `end`. */
  readonly seenBy: (bytes: Uint8Array, start: number, end: number) => number;
  /** For operations that may take so long. */
  target(timeoutUs: DurationUs): Target;
  /** Resolves when no connection is left. */
  close(): Promise<void>;
}
