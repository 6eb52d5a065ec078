/**
 * ReadHedging: when a coordinator fetches a large record from a second replica because the first is late (coordinator/
 * get.ts asks), and which replica is asked for the whole of it in the first place. The decisions are metrics/hedge.ts's.
 */
import { Rng } from "../base/rng.ts";
import type { DurationUs } from "../base/time.ts";
import { HedgeBudget, haveTime, hedgeDelayUs } from "../metrics/hedge.ts";
import type { Counter } from "../metrics/metrics.ts";
import type { RouteHealth } from "./route-health.ts";
import type { NodeState } from "./state.ts";

export class ReadHedging {
  readonly #shared: NodeState;
  readonly #health: RouteHealth;
  readonly #budget = new HedgeBudget();
  readonly #hedged: Counter;

  constructor(shared: NodeState, health: RouteHealth) {
    this.#shared = shared;
    this.#health = health;
    this.#hedged = shared.metrics.counter("reads_hedged");
  }

  /** How late the record may be that the others have told of; 0: however late. Called once per get of a large record. */
  delayUs(): DurationUs {
    this.#budget.earn();
    return hedgeDelayUs(this.#health.peers, this.#shared.config.latencyTargetMs * 1000);
  }

  /** Whether it may be fetched from another replica now; takes that from the budget. */
  take(): boolean {
    if (!haveTime([this.#shared, ...this.#health.peers]) || !this.#budget.take()) return false;
    this.#hedged.value += 1;
    return true;
  }
}

/** Draws of which nothing but the spread of load depends: a node's own, so that nodes do not agree on them. */
export function spreadOf(shared: NodeState): Rng {
  return new Rng(Number.parseInt(shared.nodeId.slice(0, 8), 16));
}
