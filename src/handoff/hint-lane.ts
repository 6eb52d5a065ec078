/**
 * What delivery remembers per target (HintLane: the pass over its hints, and how fast they go) and per hint under way
 * (HintSend), and its two small decisions: what an error means, and what becomes of the rate. The core that moves them
 * is delivery.ts.
 */
import { type Status, wireOf } from "../base/errors.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { HintEntry } from "../storage/keys.ts";
import type { HintPage } from "../storage/store.ts";
import type { HintWait } from "./hints.ts";
import { Pace } from "./pace.ts";

/** Where a hint under way is. */
export const HintStep: Readonly<{ reading: 0; delivering: 1; keeping: 2; dropping: 3 }> = {
  /** Its record is being read here. */
  reading: 0,
  /** The target has not answered. */
  delivering: 1,
  /** It is being written as a hint for its new owners. */
  keeping: 2,
  /** It is safe elsewhere, and is being deleted here. */
  dropping: 3,
};
/** One of the steps. */
export type HintStep = 0 | 1 | 2 | 3;

/** One hint under way. */
export class HintSend {
  /** Names it in answers. */
  id = -1;
  readonly target: number;
  /** Owned by the send. */
  readonly fullKey: Uint8Array;
  readonly hashHigh: number;
  readonly hashLow: number;
  /** What it counts for in windows and rates. */
  readonly bytes: number;
  /** When it was first kept: a hint for another target inherits it. */
  readonly second: number;
  /** The causal hash of the record that is sent: only the hint that still has it is deleted. */
  causalHigh = 0;
  causalLow = 0;
  step: HintStep = HintStep.reading;
  /** The target is no owner any more: these are. Empty: it is one. */
  readonly newOwners: readonly number[];
  /** Owners whose hint is not written yet. */
  owed: number;
  /** Why it cannot be deleted: some owner's hint was refused. */
  refused: Status = 0;

  constructor(entry: HintEntry, newOwners: readonly number[]) {
    this.target = entry.target;
    this.fullKey = entry.fullKey;
    this.hashHigh = entry.hashHigh;
    this.hashLow = entry.hashLow;
    this.bytes = entry.fullKey.length + entry.bytes;
    this.second = entry.second;
    this.newOwners = newOwners;
    this.owed = newOwners.length;
  }
}

/** Idle: waits for a trigger. Waiting: begins a pass at `at`. Scanning: waits for a page. Passing: works through one. */
export type LaneState = "idle" | "waiting" | "scanning" | "passing";

const noEntries: readonly HintEntry[] = [];
/** A scan's token: its lane's target, and above it how many scans the lane has begun. */
const laneBits = 16;
const scansMask = 0x3fff;
/** Between two changes of a lane's rate: the answers of one burst tell one thing. */
const rateEveryUs: DurationUs = 1_000_000;

/** The target whose lane asked for the scan with this token. */
export function targetOfScan(token: number): number {
  return token & ((1 << laneBits) - 1);
}

/** Where a rate ends, and by how much it grows. */
export interface RateBounds {
  readonly rateLeast: number;
  readonly rateStep: number;
}

/** One target. */
export class HintLane {
  readonly target: number;
  reachable = false;
  state: LaneState = "idle";
  /** When to go on: the pass, while waiting; the next send, while passing. */
  at: Instant = never;
  /** Something happened during the pass that asks for another. */
  again = false;
  /** The page in work and the place in it. */
  entries: readonly HintEntry[] = noEntries;
  next = 0;
  cursor: Uint8Array | null = null;
  /** Grows with each page asked for, so that a late one is known. */
  scans = 0;
  inFlight = 0;
  inFlightBytes = 0;
  /** Bytes that the receiver wants under way at the most. */
  window: number;
  rate: number;
  readonly pace: Pace;
  /** When the rate was last changed. */
  rateAt: Instant = 0 as Instant;
  /** Passes that failed in a row. */
  failures = 0;
  lastFailure: Status = 0;
  /** In this pass: hints that left, and hints that nobody could take. */
  gone = 0;
  unplaced = 0;

  constructor(target: number, rate: number, window: number) {
    this.target = target;
    this.rate = rate;
    this.window = window;
    this.pace = new Pace(rate);
  }

  /** A pass begins at `at`, or earlier if one was to already. */
  waitUntil(at: Instant): void {
    this.at = this.state === "waiting" ? instant(Math.min(this.at, at)) : at;
    this.state = "waiting";
  }

  /** `window`: what a target whose window was 0 a moment ago is tried with. */
  beginPass(window: number): void {
    this.again = false;
    this.gone = 0;
    this.unplaced = 0;
    this.clear();
    if (this.window === 0) this.window = window;
  }

  /** The next page is asked for; returns the token of its answer. */
  beginScan(): number {
    this.state = "scanning";
    this.at = never;
    this.scans = (this.scans + 1) & scansMask;
    return (this.scans << laneBits) | this.target;
  }

  /** Whether this is the token of the page that was asked for last, and the lane still wants it. */
  awaits(token: number): boolean {
    return this.state === "scanning" && token >>> laneBits === this.scans;
  }

  take(page: HintPage): void {
    this.entries = page.entries;
    this.next = 0;
    this.cursor = page.cursor;
    this.state = "passing";
  }

  adjust(now: Instant, { rateLeast, rateStep }: RateBounds, rateMost: number, slow: boolean): void {
    if (now < after(this.rateAt, rateEveryUs)) return;
    this.rateAt = now;
    this.#setRate(now, decideRate(this.rate, slow, rateLeast, rateMost, rateStep));
  }

  /** The rate is no higher than this from now on. */
  limit(now: Instant, rateMost: number): void {
    if (this.rate > rateMost) this.#setRate(now, rateMost);
  }

  #setRate(now: Instant, rate: number): void {
    this.rate = rate;
    this.pace.setRate(now, rate);
  }

  /** Why its hints wait, if there are any. */
  get waiting(): HintWait {
    if (this.unplaced > 0) return "unplaced";
    if (this.state === "scanning" || this.state === "passing") return this.reachable ? "delivering" : "unreachable";
    if (!this.reachable) return "unreachable";
    if (this.failures > 0) return "failing";
    return this.window === 0 ? "credit" : "soon";
  }

  /** The entries of a page that is given up are scanned again. */
  clear(): void {
    this.entries = noEntries;
    this.next = 0;
    this.cursor = null;
  }
}

const ofOneHint: ReadonlySet<Status> = new Set<Status>([
  wireOf("INVALID_ARGUMENT"),
  wireOf("WRONG_OWNER"),
  wireOf("STORAGE_FAILED"),
  wireOf("NOT_SYNCED"),
  wireOf("PERMISSION_DENIED"),
]);

/** Whether an error of the target concerns one hint alone, so that the others go on. */
export function concernsOneHint(status: Status): boolean {
  return ofOneHint.has(status);
}

/** The next rate: half of it after trouble, a step more after success (AIMD). */
export function decideRate(rate: number, slow: boolean, least: number, most: number, step: number): number {
  return slow ? Math.max(least, Math.floor(rate / 2)) : Math.min(most, rate + step);
}
