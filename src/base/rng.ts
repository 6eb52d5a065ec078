/**
 * A small deterministic random generator: xoshiro128** (Blackman and Vigna), seeded through splitmix32. Integers only:
 * no float ever decides anything on floors 0-4. In production it is seeded from the operating system, in the simulator
 * from the run's seed. Named forks give independent streams, so that removing one user does not shift the others.
 */

function splitmix32(state: number): () => number {
  let x = state | 0;
  return () => {
    x = (x + 0x9e3779b9) | 0;
    let z = x;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** Not for secrets. */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  readonly #origin: number;

  constructor(seed: number) {
    this.#origin = seed >>> 0;
    const next = splitmix32(seed);
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next();
  }

  /** The next 32 bits, as an unsigned integer. */
  u32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in 0..limit-1; `limit` is 1..2^32. */
  below(limit: number): number {
    const fence = 0x1_0000_0000 - (0x1_0000_0000 % limit);
    for (;;) {
      const value = this.u32();
      if (value < fence) return value % limit;
    }
  }

  /** Uniform in low..high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `perMille` of 1,000 draws. */
  chance(perMille: number): boolean {
    return this.below(1000) < perMille;
  }

  /** One element; the list is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Shuffles in place (Fisher-Yates) and returns the same list. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      const held = list[i] as T;
      list[i] = list[j] as T;
      list[j] = held;
    }
    return list;
  }

  /** Fills `target` with random bytes and returns it. */
  fill(target: Uint8Array): Uint8Array {
    for (let i = 0; i < target.length; i += 1) target[i] = this.u32() >>> 24;
    return target;
  }

  /** An independent stream named `name`: it depends on the seed and the name alone, not on what was drawn here. */
  fork(name: string): Rng {
    let h = this.#origin ^ 0x811c9dc5;
    for (let i = 0; i < name.length; i += 1) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
    return new Rng(h);
  }
}
