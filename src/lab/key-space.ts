/**
 * KeySpace: the keys and values of a workload. Keys are all made before the run, in one array, so that making them costs
 * the run nothing; values are a few random ones, since nobody reads what they say.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";

const valuesKept = 16;
const letterK = 0x6b;
const digit0 = 0x30;

/** The fewest bytes in which so many keys can be told apart. */
export function keyBytesMin(keys: number): number {
  return String(keys - 1).length;
}

export class KeySpace {
  readonly count: number;
  readonly keyBytes: number;
  readonly #keys: Uint8Array;
  readonly #values: Uint8Array[] = [];

  /** Key i is "k", zeros, and i in decimal; without the "k" where there is no room for it. */
  constructor(options: { count: number; keyBytes: number; valueBytes: number; rng: Rng }) {
    const { count, keyBytes, valueBytes, rng } = options;
    assert(keyBytes >= keyBytesMin(count), "keys have room for their numbers");
    this.count = count;
    this.keyBytes = keyBytes;
    this.#keys = new Uint8Array(count * keyBytes).fill(digit0);
    for (let i = 0; i < count; i += 1) this.#write(i);
    for (let i = 0; i < valuesKept; i += 1) this.#values.push(rng.fill(new Uint8Array(valueBytes)));
  }

  #write(index: number): void {
    const start = index * this.keyBytes;
    this.#keys[start] = letterK;
    let rest = index;
    let at = start + this.keyBytes - 1;
    do {
      this.#keys[at] = digit0 + (rest % 10);
      rest = Math.floor(rest / 10);
      at -= 1;
    } while (rest > 0);
    if (this.keyBytes === keyBytesMin(this.count) && at >= start) this.#keys[start] = digit0;
  }

  /** A view: not to be changed. */
  key(index: number): Uint8Array {
    return this.#keys.subarray(index * this.keyBytes, (index + 1) * this.keyBytes);
  }

  /** One of the values; any number picks one. */
  value(number: number): Uint8Array {
    return this.#values[number % valuesKept] as Uint8Array;
  }
}
