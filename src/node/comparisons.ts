/**
 * Comparisons: the trees that transfers want compared, each by an `Exchange` of its own: until a tree is equal to a
 * peer's (a transfer's catch-up, a replica that regains its history), or until the owners hold all that is here (a copy
 * that was given up). They end in "equal", or fail; who asked tries again.
 */
import { statusOk } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { emptyList } from "../base/one-shape.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import type { ExchangeResult } from "../repair/exchange.ts";
import { type TreeId, treePartition } from "../repair/merkle-tree.ts";
import { leavesPerTree } from "../storage/keys.ts";
import { ExchangeSeat, nextTickOf, type SeatHost, settleSeats, tickSeats } from "./exchange-seat.ts";

/**
 * Between two looks at a tree that somebody waits for. A write that is under way longer is moved although it would have
 * arrived by itself; that costs a record, and is safe.
 */
const windowMostUs: DurationUs = 250_000;

/** Told how a comparison has ended; never inside the call that began it. */
export type OnCompared = (now: Instant, equal: boolean) => void;

/** Told whether an owner holds all that is here: null when none could be asked. */
export type OnCovered = (now: Instant, covered: boolean | null) => void;

/** A copy given up, and the owners that are still to be asked. */
interface Covering {
  readonly tree: TreeId;
  readonly owners: NodeNumber[];
  readonly done: OnCovered;
  /** Some owner answered. */
  answered: boolean;
  readonly at: Instant;
}

/** Runs them; as many at once as are asked for. */
export class Comparisons {
  readonly #host: SeatHost;
  /** How long a write may be under way. */
  readonly #inFlightUs: DurationUs;
  /** Whether the own tree can be trusted now. */
  readonly #isTrue: (partition: number) => boolean;
  readonly #seats: Set<ExchangeSeat> = new Set();
  #refused: OnCompared[] = emptyList();
  #waiting: Covering[] = emptyList();

  constructor(host: SeatHost, isTrue: (partition: number) => boolean) {
    this.#inFlightUs = host.windowUs;
    this.#host = { ...host, windowUs: Math.min(host.windowUs, windowMostUs) };
    this.#isTrue = isTrue;
  }

  /** Those under way. */
  get seats(): ReadonlySet<ExchangeSeat> {
    return this.#seats;
  }

  /** Compares with the peer until the trees were equal twice in a row, and moves what differs. */
  compare(now: Instant, tree: TreeId, peer: NodeNumber, done: OnCompared): void {
    if (!this.#isTrue(treePartition(tree))) {
      this.#refused.push(done);
      return;
    }
    this.#begin(now, tree, peer, false, (at, result) => {
      const [outcome] = result.trees;
      done(at, result.status === statusOk && outcome !== undefined && outcome.outcome !== "refused");
    });
  }

  /**
   * Has one of the owners hold all that is here: what it lacks is sent to it. A record that was never acknowledged by a
   * quorum may be here alone. It begins when writes under way at the flip have reached the tree.
   */
  cover(now: Instant, tree: TreeId, owners: readonly NodeNumber[], done: OnCovered): void {
    const at = after(now, this.#inFlightUs);
    this.#waiting.push({ tree, owners: [...owners], done, answered: false, at });
  }

  #askNext(now: Instant, covering: Covering): void {
    const owner = covering.owners.shift();
    if (owner === undefined) {
      covering.done(now, covering.answered ? false : null);
      return;
    }
    this.#begin(now, covering.tree, owner, true, (at, { status, trees }) => {
      const outcome = trees[0]?.outcome;
      if (status === statusOk && (outcome === "equal" || outcome === "repaired")) {
        covering.done(at, true);
        return;
      }
      if (status === statusOk && outcome !== "refused") covering.answered = true;
      this.#askNext(at, covering);
    });
  }

  #begin(
    now: Instant,
    tree: TreeId,
    peer: NodeNumber,
    givesOnly: boolean,
    end: (now: Instant, result: ExchangeResult) => void,
  ): void {
    const seat = new ExchangeSeat(this.#host, givesOnly, (at, result) => {
      this.#seats.delete(seat);
      end(at, result);
    });
    this.#seats.add(seat);
    seat.begin(now, {
      peer,
      trees: [{ tree, cursor: 0 }],
      leavesMax: leavesPerTree,
      direction: "both",
      preview: false,
      untilEqual: givesOnly ? 0 : 2,
    });
  }

  tick(now: Instant): void {
    tickSeats(now, this.#seats);
    if (this.#waiting.length === 0) return;
    for (const covering of this.#waiting.filter(({ at }) => at <= now)) {
      this.#waiting.splice(this.#waiting.indexOf(covering), 1);
      this.#askNext(now, covering);
    }
  }

  nextTick(): Instant {
    let next = nextTickOf(this.#seats);
    for (const { at } of this.#waiting) if (at < next) next = at;
    return next;
  }

  settle(now: Instant): void {
    if (this.#refused.length > 0) for (const done of this.#refused.splice(0)) done(now, false);
    settleSeats(now, this.#seats);
  }
}
