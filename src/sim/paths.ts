/**
 * Paths: what a connection needs of the network it runs through. The network implements it and makes the connections;
 * the interface keeps the two files from needing each other.
 */
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { Link } from "../wire/link.ts";
import type { Place } from "./place.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/** How the network behaves when no fault is on; drawn per seed. */
export interface NetworkOptions {
  /** Shortest one-way delay, microseconds. */
  readonly delayMinUs: DurationUs;
  /** Added to it: 0 to this, small values more often. */
  readonly delayJitterUs: DurationUs;
  /** Bytes a connection takes in one direction before `write` returns false. */
  readonly windowBytes: number;
  /** Per mille of deliveries that are cut into smaller pieces. */
  readonly fragmentPerMille: number;
  /** Per mille of writes that the transport keeps for a while although it has room. */
  readonly holdPerMille: number;
  /** Per mille of deliveries that come a little later, together with whatever arrives meanwhile. */
  readonly dawdlePerMille: number;
}

/** Sees bytes at the instant the sender hands them over: how the checkers judge an acknowledgement. */
export type Tap = (now: Instant, from: Link, bytes: Uint8Array) => void;

/** The network as its connections see it. */
export interface Paths {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly rng: Rng;
  readonly options: NetworkOptions;
  readonly tap: Tap | undefined;
  /** One-way delay of a message now, microseconds. */
  delay(from: number, to: number): DurationUs;
  /** Whether messages pass from one place to another now. */
  passes(from: Place, to: Place): boolean;
  /** Whether this delivery is one of those that wait for company. */
  dawdles(): boolean;
}
