/**
 * Which key comes next. The zipfian generator is the one that YCSB uses, from Gray and others, "Quickly Generating
 * Billion-Record Synthetic Databases" (SIGMOD 1994): a draw costs one power, whatever the number of keys. Ranks are
 * scrambled by a hash, so that hot keys lie all over the ring; the hash has no seed, so that the same keys are hot in
 * every run and for every generator. As in YCSB two ranks may fall on one key.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import type { Distribution } from "./workloads.ts";

/** Draws keys, as indices from 0. */
export interface KeyChoice {
  next(): number;
}

/** Uniform in [0, 1), with 53 random bits. */
export function fraction(rng: Rng): number {
  return (rng.u32() * 0x20_0000 + (rng.u32() >>> 11)) / 2 ** 53;
}

/** Every key alike. */
class UniformChoice implements KeyChoice {
  readonly #rng: Rng;
  readonly #keys: number;

  constructor(rng: Rng, keys: number) {
    this.#rng = rng;
    this.#keys = keys;
  }

  next(): number {
    return this.#rng.below(this.#keys);
  }
}

/** YCSB's exponent. */
export const zipfianExponent = 0.99;

/** The sum of 1/i^exponent for i = 1..count: what the hottest key's share is one part of. */
export function zeta(count: number, exponent: number): number {
  let sum = 0;
  for (let i = 1; i <= count; i += 1) sum += i ** -exponent;
  return sum;
}

/** Ranks by Zipf's law, 0 the hottest. */
export class ZipfianRanks implements KeyChoice {
  readonly #rng: Rng;
  readonly #count: number;
  readonly #zeta: number;
  readonly #power: number;
  readonly #eta: number;
  readonly #second: number;

  constructor(rng: Rng, count: number, exponent: number = zipfianExponent) {
    assert(count >= 1 && exponent > 0 && exponent < 1, "zipfian parameters are in range");
    this.#rng = rng;
    this.#count = count;
    this.#zeta = zeta(count, exponent);
    this.#power = 1 / (1 - exponent);
    this.#second = 1 + 0.5 ** exponent;
    this.#eta = count <= 2 ? 0 : (1 - (2 / count) ** (1 - exponent)) / (1 - this.#second / this.#zeta);
  }

  next(): number {
    const u = fraction(this.#rng);
    const share = u * this.#zeta;
    if (share < 1) return 0;
    if (share < this.#second) return Math.min(1, this.#count - 1);
    const rank = Math.floor(this.#count * (this.#eta * u - this.#eta + 1) ** this.#power);
    return Math.min(rank, this.#count - 1);
  }
}

/** The last mixing step of MurmurHash3: changing one bit changes each other with even chance. */
function scrambled(rank: number): number {
  let h = Math.imul(rank + 1, 0x9e3779b9);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Zipfian ranks on keys in scrambled order. */
class ScrambledZipfian implements KeyChoice {
  readonly #ranks: ZipfianRanks;
  readonly #keys: number;

  constructor(rng: Rng, keys: number) {
    this.#ranks = new ZipfianRanks(rng, keys);
    this.#keys = keys;
  }

  next(): number {
    return scrambled(this.#ranks.next()) % this.#keys;
  }
}

/** The choice of that name. */
export function keyChoice(distribution: Distribution, rng: Rng, keys: number): KeyChoice {
  return distribution === "uniform" ? new UniformChoice(rng, keys) : new ScrambledZipfian(rng, keys);
}
