/**
 * RingMaker: when a plan that is under way gets its next ring. Joining nodes confirm their transfers, again and again;
 * a ring carries all that is confirmed, as soon as nothing more is awaited, or thirty seconds after the ring before it:
 * every ring is chosen, saved and taken up by all nodes, which their clients feel, and the next positions do not wait
 * for a straggler. One node makes these rings: by convention the lowest that is reachable (`NodeState.ringMaker`), so
 * that proposals do not hinder each other. If two believe to be it, one of their rings is refused, and nothing is lost.
 */
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import { isMoving } from "../ring/plan.ts";
import { progressRing } from "../ring/progress.ts";
import type { Ring } from "../ring/ring.ts";

const gatherUs: DurationUs = 30_000_000;
const retryUs: DurationUs = 1_000_000;

/** What one node has heard of the transfers of its ring. */
export class RingMaker {
  #ring: Ring | undefined = undefined;
  /** By id, the fence of each transfer that the ring lists. */
  #listed: ReadonlyMap<number, number> = new Map();
  /** By id, the fence under which it was confirmed: where another list of the partition changes, a transfer begins anew. */
  readonly #confirmed: Map<number, number> = new Map();
  /** When the next ring is to be made, if something follows. */
  #dueAt: Instant = never;

  /** The node obeys this ring: what was confirmed and is listed still holds. */
  onRing(now: Instant, ring: Ring): void {
    this.#listed = new Map(ring.transfers().map(({ id, partition }) => [id, ring.fences[partition] as number]));
    for (const [id, since] of this.#confirmed) if (this.#listed.get(id) !== since) this.#confirmed.delete(id);
    this.#ring = ring;
    this.#dueAt = isMoving(ring) ? this.#dueFrom(now) : never;
  }

  #dueFrom(now: Instant): Instant {
    return this.#confirmed.size === this.#listed.size ? now : after(now, gatherUs);
  }

  /** These transfers are done: pairs of id and fence. Those that the ring does not list any more are passed over. */
  onConfirmed(now: Instant, pairs: ArrayLike<number>): void {
    const before = this.#confirmed.size;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const id = pairs[i] as number;
      const since = pairs[i + 1] as number;
      if (this.#listed.get(id) === since) this.#confirmed.set(id, since);
    }
    if (this.#confirmed.size === before) return;
    const due = this.#dueFrom(now);
    if (due < this.#dueAt) this.#dueAt = due;
  }

  /** The ring to propose now; null: none. It is told once; if it is not chosen, call `again`. */
  next(now: Instant): Ring | null {
    if (this.#ring === undefined || this.#dueAt > now) return null;
    this.#dueAt = never;
    return progressRing(this.#ring, new Set(this.#confirmed.keys()));
  }

  /** The ring that `next` told was not chosen. */
  again(now: Instant): void {
    this.#dueAt = after(now, retryUs);
  }

  /** When `next` may tell a ring. */
  get due(): Instant {
    return this.#dueAt;
  }
}
