/**
 * Continuity: whether this node still holds what it once minted. A new dot seems to cover
 * every older one of its actor, so whoever shows a dot of ours that we do not hold makes us a new actor.
 */
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { VersionVector } from "../version/version-vector.ts";
import type { Actors } from "./actors.ts";

/** Of one replica. */
export class Continuity {
  readonly #actors: Actors;
  readonly #lost: (now: Instant, partition: number) => void;

  /** `lost` is told when a partition has had to become a new actor. */
  constructor(actors: Actors, lost: (now: Instant, partition: number) => void) {
    this.#actors = actors;
    this.#lost = lost;
  }

  /** Whether the version shows more of the partition's actor than is held. */
  showsMore(partition: number, shown: VersionVector, held: VersionVector): boolean {
    return this.#actors.counterIn(partition, shown) > this.#actors.counterIn(partition, held);
  }

  /** Compares what somebody shows with what is held. */
  check(now: Instant, partition: number, shown: VersionVector, held: VersionVector): void {
    if (this.showsMore(partition, shown, held)) this.lose(now, partition);
  }

  /** Somebody has shown a dot of ours that we do not hold. */
  lose(now: Instant, partition: number): void {
    if (canary("ignore-amnesia")) return;
    mark("replica.amnesia");
    this.#actors.renew(now, partition);
    this.#lost(now, partition);
  }
}
