/**
 * HintBudget: how much this node keeps for others. A hint never expires, so what bounds them is a budget of bytes per
 * target: past it a new hint is refused, the coordinator goes to another fallback, and with none left the put is refused.
 * That is not to come as a surprise: an alarm rises with the bytes, in steps.
 *
 * Counting is the store's (`HintCounts`); why a target's hints wait is the delivery's to say (delivery.ts).
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import type { HintCounts } from "../storage/store.ts";

/** What one node may be owed, unless configured otherwise. */
export const hintBytesMaxDefault: number = 4 * 1024 * 1024 * 1024;

/** How full a target's budget is. */
export const HintLevel: Readonly<{ fine: 0; half: 1; high: 2; full: 3 }> = { fine: 0, half: 1, high: 2, full: 3 };
/** One of the levels. */
export type HintLevel = 0 | 1 | 2 | 3;

/** Per mille of the budget from which a level holds. */
const levelFrom = [0, 500, 800, 990] as const;
/** A level is left when the bytes are this much (per mille of the budget) below where it began. */
const slack = 100;

/** Why the hints of a target wait. */
export const hintWaits = ["nothing", "unreachable", "soon", "delivering", "credit", "failing", "unplaced"] as const;
/**
 * `soon`: a pass is about to begin. `credit`: the target takes no more at present. `failing`: it answers with errors, or
 * not at all; tried again later. `unplaced`: it is no owner any more, and the new owners' hints are over their budget.
 */
export type HintWait = (typeof hintWaits)[number];

/** What is kept for one node: a row of `ringtail hints`. */
export interface HintReport {
  readonly target: number;
  readonly count: number;
  /** Of keys and sealed records. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly level: HintLevel;
  /** When the oldest was first kept: seconds since 1970. */
  readonly oldest: number;
  readonly waiting: HintWait;
  /** The last error met, as a status; 0: none since the last success. */
  readonly failure: number;
  /** What delivery may send at present. */
  readonly bytesPerSecond: number;
}

/** Who knows why hints wait: `HintDelivery`. */
export interface HintProgress {
  waitingOf(target: number): HintWait;
  failureOf(target: number): number;
  rateOf(target: number): number;
}

/** What a budget tells the node around it. */
export interface HintBudgetEffects {
  /** The target's level is another one now: for the log, the metrics and the event journal. */
  levelChanged(now: Instant, target: number, level: HintLevel, bytes: number): void;
}

/** What a `HintBudget` is made of. */
export interface HintBudgetOptions {
  readonly counts: HintCounts;
  readonly effects: HintBudgetEffects;
  /** Bytes per target; default 4 GiB. More: longer outages under load; less: less disk for the dead. */
  readonly bytesMax?: number;
}

/** The budgets of all targets. */
export class HintBudget {
  readonly bytesMax: number;
  readonly #counts: HintCounts;
  readonly #effects: HintBudgetEffects;
  readonly #levels: Map<number, HintLevel> = new Map();

  constructor(options: HintBudgetOptions) {
    this.bytesMax = options.bytesMax ?? hintBytesMaxDefault;
    assert(this.bytesMax >= 1, "a budget has bytes");
    this.#counts = options.counts;
    this.#effects = options.effects;
  }

  /** Whether the hints for `target` may grow by so many bytes: the `HintRoom` of a replica. */
  fits(target: number, growth: number): boolean {
    return this.#counts.bytesOf(target) + growth <= this.bytesMax;
  }

  /** The level that was told last. */
  levelOf(target: number): HintLevel {
    return this.#levels.get(target) ?? HintLevel.fine;
  }

  /** Looks at all targets and tells of levels that have changed. Once a second is often enough. */
  check(now: Instant): void {
    for (const target of this.#counts.targets()) this.#look(now, target);
    for (const target of [...this.#levels.keys()]) this.#look(now, target);
  }

  #look(now: Instant, target: number): void {
    const before = this.levelOf(target);
    const bytes = this.#counts.bytesOf(target);
    const level = decideLevel(before, bytes, this.bytesMax);
    if (level === before) return;
    if (level === HintLevel.fine) this.#levels.delete(target);
    else this.#levels.set(target, level);
    this.#effects.levelChanged(now, target, level, bytes);
  }

  /** One row for each node that is owed anything, by number. */
  report(progress: HintProgress): HintReport[] {
    return this.#counts.targets().map((target) => ({
      target,
      count: this.#counts.countOf(target),
      bytes: this.#counts.bytesOf(target),
      bytesMax: this.bytesMax,
      level: decideLevel(this.levelOf(target), this.#counts.bytesOf(target), this.bytesMax),
      oldest: this.#counts.oldestOf(target),
      waiting: progress.waitingOf(target),
      failure: progress.failureOf(target),
      bytesPerSecond: progress.rateOf(target),
    }));
  }
}

/** The level of so many bytes: it rises where the next one begins, and falls only well below that, so as not to flutter. */
export function decideLevel(before: HintLevel, bytes: number, bytesMax: number): HintLevel {
  const perMille = Math.floor((bytes * 1000) / bytesMax);
  for (let level: number = HintLevel.full; level > HintLevel.fine; level -= 1) {
    const from = levelFrom[level as HintLevel];
    if (perMille >= (level <= before ? from - slack : from)) return level as HintLevel;
  }
  return HintLevel.fine;
}
