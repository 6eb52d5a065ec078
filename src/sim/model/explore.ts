/**
 * Explore: every state of the small model that so many steps can lead to, each looked at once. Depth first, so that
 * only the path is in memory; states are recognised by 64 bits of their hash, and taken up again only when more steps
 * are left than there were the last time. What breaks a law is looked for again with fewer steps, so that its story is
 * as short as there is one.
 *
 * Where the steps end, the state is left to itself until it is at rest, and what was promised must be true then.
 */
import { breachAtRest, judge, leftAlone } from "./laws.ts";
import { type Budget, defaultBudget, firstState, type ModelState, StateHash } from "./state.ts";
import { type Step, stepsOf, take } from "./steps.ts";
import { storyOf } from "./story.ts";

/** What to explore. */
export interface ModelOptions {
  readonly depth: number;
  readonly budget?: Budget;
  /** Gives up, in states; default: none. */
  readonly statesMax?: number;
  /** Told now and then how many states there are. */
  readonly onProgress?: (states: number) => void;
}

/** What was found. */
export interface ModelResult {
  readonly depth: number;
  readonly states: number;
  readonly steps: number;
  /** States left to themselves at the end of the steps, as far as they differ then. */
  readonly rests: number;
  /** All of it was explored: no law was broken, and `statesMax` was not reached. */
  readonly whole: boolean;
  /** The shortest story that breaks a law, line by line; empty: there is none. */
  readonly story: readonly string[];
}

/** Explores the states within `depth` steps of nothing. */
export function explore(options: ModelOptions): ModelResult {
  const whole = new Search(options).run();
  if (whole.path === null) return whole.result;
  for (let depth = 1; depth < options.depth; depth += 1) {
    const { path, result } = new Search({ ...options, depth }).run();
    if (path !== null) return { ...result, story: storyOf(options.budget ?? defaultBudget, path) };
  }
  return { ...whole.result, story: storyOf(options.budget ?? defaultBudget, whole.path) };
}

const progressEvery = 1 << 17;

class Search {
  readonly #options: ModelOptions;
  readonly #hash = new StateHash();
  readonly #seen = new SeenStates();
  readonly #rested = new SeenStates();
  readonly #path: Step[] = [];
  #steps = 0;
  #rests = 0;
  #found = false;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  run(): { readonly result: ModelResult; readonly path: readonly Step[] | null } {
    const { depth, budget } = this.#options;
    this.#visit(firstState(budget ?? defaultBudget), depth);
    const whole = !this.#found && !this.#full;
    const result = {
      ...{ depth, states: this.#seen.size, steps: this.#steps, rests: this.#rests },
      ...{ whole, story: [] },
    };
    return { result, path: this.#found ? this.#path : null };
  }

  get #full(): boolean {
    return this.#seen.size >= (this.#options.statesMax ?? Number.MAX_SAFE_INTEGER);
  }

  /** Whether a law was broken: then the path leads there. */
  #visit(state: ModelState, left: number): boolean {
    const { high, low } = this.#hash.of(state);
    if (this.#full || !this.#seen.add(high, low, left)) return false;
    if (this.#seen.size % progressEvery === 0) this.#options.onProgress?.(this.#seen.size);
    const steps = left === 0 ? [] : stepsOf(state);
    if (steps.length === 0) return this.#rest(state);
    for (const step of steps) {
      this.#path.push(step);
      this.#steps += 1;
      if (this.#step(state, step, left)) return true;
      this.#path.pop();
    }
    return false;
  }

  #step(state: ModelState, step: Step, left: number): boolean {
    const next = attempt(() => take(state, step));
    this.#found = next === null || judge(state, next) !== null;
    return this.#found || (next !== null && this.#visit(next, left - 1));
  }

  /** Many states are the same once they are left alone. */
  #rest(state: ModelState): boolean {
    const { high, low } = this.#hash.of(leftAlone(state));
    if (!this.#rested.add(high, low, 0)) return false;
    this.#rests += 1;
    this.#found = breachAtRest(state) !== null;
    return this.#found;
  }
}

function attempt<T>(what: () => T): T | null {
  try {
    return what();
  } catch {
    return null;
  }
}

/** Hashes of states, each with the steps that were left when it was last looked at: open addressing in three arrays. */
class SeenStates {
  size = 0;
  #highs: Uint32Array = new Uint32Array(1 << 12);
  #lows: Uint32Array = new Uint32Array(1 << 12);
  /** Steps left and one more; 0: a free place. */
  #lefts: Uint8Array = new Uint8Array(1 << 12);

  /** Whether the state is new, or has more steps left than ever before. */
  add(high: number, low: number, left: number): boolean {
    if (2 * this.size > this.#lefts.length) this.#grow();
    const place = this.#placeOf(high, low);
    const known = this.#lefts[place] as number;
    if (known > left) return false;
    if (known === 0) this.size += 1;
    this.#highs[place] = high;
    this.#lows[place] = low;
    this.#lefts[place] = left + 1;
    return true;
  }

  #placeOf(high: number, low: number): number {
    const mask = this.#lefts.length - 1;
    let place = low & mask;
    while (this.#lefts[place] !== 0 && (this.#highs[place] !== high || this.#lows[place] !== low)) {
      place = (place + 1) & mask;
    }
    return place;
  }

  #grow(): void {
    const [highs, lows, lefts] = [this.#highs, this.#lows, this.#lefts];
    this.#highs = new Uint32Array(2 * highs.length);
    this.#lows = new Uint32Array(2 * lows.length);
    this.#lefts = new Uint8Array(2 * lefts.length);
    for (const [i, left] of lefts.entries()) {
      if (left === 0) continue;
      const place = this.#placeOf(highs[i] as number, lows[i] as number);
      this.#highs[place] = highs[i] as number;
      this.#lows[place] = lows[i] as number;
      this.#lefts[place] = left;
    }
  }
}
