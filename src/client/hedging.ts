/**
 * Hedging: when a get is asked of a second owner because the first is late. The decisions are
 * metrics/hedge.ts's; the dispatcher sends. Puts are never asked twice for being late alone: they cost what they write.
 */
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant } from "../base/time.ts";
import { HedgeBudget, haveTime, hedgeDelayUs } from "../metrics/hedge.ts";
import type { KnownNode } from "./known-node.ts";

/** The delay is looked up so often at most: it depends on all nodes, and changes slowly. */
const lookEveryUs: DurationUs = 20_000;

export class Hedging {
  readonly #targetUs: DurationUs;
  readonly #nodes: () => Iterable<KnownNode>;
  readonly #budget = new HedgeBudget();
  #delayUs: DurationUs = 0;
  #lookAt: Instant = instant(0);
  #count = 0;

  /** `targetUs`: what nearly every get should take at the most; 0: no get is asked twice. */
  constructor(targetUs: DurationUs, nodes: () => Iterable<KnownNode>) {
    this.#targetUs = targetUs;
    this.#nodes = nodes;
  }

  /** Gets that were asked twice so far. */
  get count(): number {
    return this.#count;
  }

  /** How long the get that begins now may take before it is late; 0: as long as it likes. */
  begin(now: Instant): DurationUs {
    if (this.#targetUs === 0) return 0;
    this.#budget.earn();
    if (now >= this.#lookAt) {
      this.#lookAt = after(now, lookEveryUs);
      this.#delayUs = haveTime(this.#nodes()) ? hedgeDelayUs(this.#nodes(), this.#targetUs) : 0;
    }
    return this.#delayUs;
  }

  /** Whether one more get may be asked twice; takes that from the budget. */
  take(): boolean {
    if (!this.#budget.take()) return false;
    this.#count += 1;
    return true;
  }
}
