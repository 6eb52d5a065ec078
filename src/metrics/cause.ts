/**
 * Causes: why an operation was slow, decided from its phase vector and from when processes stood still. The whole of its
 * time is dealt out among the causes; the one with the most is its cause. Pure: the node's totals and `ringtail why` say
 * the same of the same operation.
 *
 * The path that counts is the one of the answer that completed the operation: the others cost nothing. On it lie, in
 * this order: what the coordinator's process stood still; what passed before the completing slot was asked (a put's own
 * replica, which mints first; or others that failed first); then that replica's wait for the key, its storage, its
 * process's lateness; and what is left of the way there and back is the link's.
 */
import type { DurationUs } from "../base/time.ts";
import { type Phases, PhaseWord } from "./phases.ts";

/** What makes operations slow. Where two took as much, the first is named. */
export const causes = ["disk", "gc", "loop", "link", "hot-key", "peer", "queue"] as const;
/** One of the causes. */
export type Cause = (typeof causes)[number];

/** What each means, for people. */
export const causeMeanings: Readonly<Record<Cause, string>> = {
  disk: "the store had to read, write or sync",
  gc: "the garbage collector stopped the process",
  loop: "the event loop of the process was held up",
  link: "the way between two nodes",
  "hot-key": "one key came first: other changes of the same key, or turns that went to one key",
  peer: "a replica had to fail or be given up first, or nobody answered",
  queue: "short waits: other requests' work came first",
};

/** A process that is late by less than this has work to do; by more, it was held up. */
export const stallUs: DurationUs = 5_000;

/** How long, while an operation went on, a process stood still for the collector, in calls to its disk, and for one key. */
export interface Stood {
  readonly gcUs: DurationUs;
  readonly diskUs: DurationUs;
  readonly keyUs: DurationUs;
}

/** It did not. */
export const neverStood: Stood = { gcUs: 0, diskUs: 0, keyUs: 0 };

/** An operation as the coordinator told of it. */
export interface SlowOperation {
  readonly isPut: boolean;
  readonly elapsedUs: DurationUs;
  readonly phases: Phases;
}

/** The time of one operation by cause: at its coordinator, and at the node whose answer completed it. */
export class Anatomy {
  readonly #own: Map<Cause, DurationUs> = new Map();
  readonly #far: Map<Cause, DurationUs> = new Map();
  /** Of the operation, not dealt out yet. */
  #left: DurationUs;

  constructor(us: DurationUs) {
    this.#left = us;
  }

  /** Deals out so much, or what is left. */
  give(cause: Cause, us: DurationUs, far: boolean): void {
    const given = Math.max(0, Math.min(us, this.#left));
    this.#left -= given;
    const side = far ? this.#far : this.#own;
    side.set(cause, (side.get(cause) ?? 0) + given);
  }

  get left(): DurationUs {
    return this.#left;
  }

  /** What the cause took, on both sides. */
  us(cause: Cause): DurationUs {
    return (this.#own.get(cause) ?? 0) + (this.#far.get(cause) ?? 0);
  }

  /** What took the most. */
  get cause(): Cause {
    let most: Cause = causes[0];
    for (const cause of causes) if (this.us(cause) > this.us(most)) most = cause;
    return most;
  }

  /** Whether most of the cause's time passed elsewhere: at the completing node, or on the way to it. */
  get isFar(): boolean {
    const { cause } = this;
    return (this.#far.get(cause) ?? 0) > (this.#own.get(cause) ?? 0);
  }
}

/** Deals out how a process stood still: what the collector, the disk and one key are known to have taken, and the lateness beyond. */
function giveStanding(anatomy: Anatomy, lateUs: DurationUs, { gcUs, diskUs, keyUs }: Stood, far: boolean): void {
  anatomy.give("gc", gcUs, far);
  anatomy.give("disk", diskUs, far);
  anatomy.give("hot-key", keyUs, far);
  anatomy.give(lateUs >= stallUs ? "loop" : "queue", lateUs - gcUs - diskUs - keyUs, far);
}

/** Takes an operation apart. `own` and `far`: how the coordinator and the completing node stood still meanwhile. */
export function dissect({ isPut, elapsedUs, phases }: SlowOperation, own: Stood, far: Stood): Anatomy {
  const waitedUs = phases.word(PhaseWord.waited);
  const anatomy = new Anatomy(waitedUs + elapsedUs);
  giveStanding(anatomy, waitedUs + Math.min(phases.word(PhaseWord.held), elapsedUs), own, false);
  const slot = phases.completing;
  if (slot < 0) {
    anatomy.give("peer", anatomy.left, false);
    return anatomy;
  }
  const askedUs = phases.word(PhaseWord.asked);
  const isFar = slot !== phases.own;
  if (phases.added) anatomy.give("peer", askedUs, false);
  else if (isPut && isFar) {
    anatomy.give("hot-key", Math.min(phases.keyUs(phases.own), askedUs), false);
    anatomy.give("disk", askedUs - phases.keyUs(phases.own), false);
  }
  anatomy.give("hot-key", phases.keyUs(slot), isFar);
  anatomy.give("disk", phases.storageUs(slot), isFar);
  if (isFar) giveStanding(anatomy, phases.loopUs(slot), far, true);
  anatomy.give(isFar ? "link" : "queue", anatomy.left, isFar);
  return anatomy;
}
