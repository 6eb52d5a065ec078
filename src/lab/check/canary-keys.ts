/**
 * The keys of a check: a few at a time, each used a bounded number of times and then left alone until the end, when all
 * of them are read again. So a long run covers many partitions, old keys must survive what happens later, and judging a
 * key costs the same however long the run. Names carry the run, so that runs do not find each other's keys.
 */

/** Operations on one key before another one takes its place. */
const usesMax = 150;

/** The keys in use, and all that ever were. */
export class CanaryKeys {
  readonly #run: string;
  readonly #names: string[];
  readonly #uses: number[];
  readonly #all: string[] = [];

  /** `run`: a text that no other run has. */
  constructor(run: string, count: number) {
    this.#run = run;
    this.#names = Array.from({ length: count }, () => this.#next());
    this.#uses = new Array<number>(count).fill(0);
  }

  #next(): string {
    const name = `${this.#run}-${this.#all.length + 1}`;
    this.#all.push(name);
    return name;
  }

  /** Every key of the run so far. */
  get all(): readonly string[] {
    return this.#all;
  }

  /** How many there are at a time. */
  get count(): number {
    return this.#names.length;
  }

  /** The key at a place, to be used once more. */
  take(place: number): string {
    const uses = this.#uses[place] as number;
    this.#uses[place] = uses + 1;
    if (uses >= usesMax) {
      this.#names[place] = this.#next();
      this.#uses[place] = 1;
    }
    return this.#names[place] as string;
  }
}
