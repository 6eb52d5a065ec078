/**
 * FlapScore: how often a member has died and returned lately. Every death adds a penalty, half of which is forgotten
 * every five minutes. Above `suppress` the member counts as flapping, below `reuse` it no longer does; the gap between
 * the two keeps the verdict itself from flapping (BGP's route flap damping, RFC 2439). A flapping member keeps its place
 * in the ring and is routed around.
 *
 * Integers only: the score decays by whole steps of a sixtieth of the half-life, so that it does not depend on how
 * often anybody looks.
 */
import { type DurationUs, type Instant, instant } from "../base/time.ts";

/** Time in which half of a score is forgotten. */
export const flapHalfLifeUs: DurationUs = 300_000_000;
/** Added by each death. */
export const flapPenalty = 500;
/** From here on a member is flapping. */
export const flapSuppress = 5_000;
/** Below this it is so no longer. */
export const flapReuse = 2_500;

const steps = 60;
const stepUs = flapHalfLifeUs / steps;
/** 2^(-1/60) in units of 2^-16, rounded. */
const stepFactor = 64_783;
/** Scores are kept in 1/1,024. */
const scale = 1_024;

/** The score of one member. */
export class FlapScore {
  #scaled = 0;
  /** To when the score has been brought; a whole number of steps from the first penalty. */
  #at: Instant = instant(0);

  #decay(now: Instant): void {
    let due = Math.floor((now - this.#at) / stepUs);
    if (due <= 0) return;
    this.#at = instant(this.#at + due * stepUs);
    if (due >= 32 * steps) this.#scaled = 0;
    for (; due >= steps; due -= steps) this.#scaled >>>= 1;
    for (; due > 0; due -= 1) this.#scaled = Math.floor((this.#scaled * stepFactor) / 65_536);
  }

  /** The score now. */
  score(now: Instant): number {
    if (this.#scaled === 0) return 0;
    this.#decay(now);
    return Math.floor(this.#scaled / scale);
  }

  /** One more death. */
  penalise(now: Instant): void {
    if (this.#scaled === 0) this.#at = now;
    else this.#decay(now);
    this.#scaled += flapPenalty * scale;
  }

  /** Whether a member that was `flapping` until now still is, or has become so. */
  verdict(now: Instant, flapping: boolean): boolean {
    const score = this.score(now);
    return flapping ? score >= flapReuse : score >= flapSuppress;
  }
}
