/**
 * TopKeys: the hottest keys of a stream of requests in fixed memory: SpaceSaving (Metwally, Agrawal, El Abbadi 2005). A
 * key that is not among the counted takes the place of the least counted one and inherits its count, as its `excess`: so
 * a count is never too low, and too high by no more than its excess; and a key with more than one of `hotKeysMax` of all
 * requests is always among them. Counts are halved again and again, so that what was hot is forgotten.
 */
import type { DurationUs, Instant } from "../base/time.ts";

/** So many keys are counted. */
export const hotKeysMax = 64;
/** Every so often what was counted counts half. */
const halfLifeUs: DurationUs = 10_000_000;
/** Bytes of a key that are kept. */
const keyBytesKept = 128;
/** Places are found by the low bits of their hash: chains of one or two. */
const chains = 2 * hotKeysMax;
const none = -1;

/** A key and its rate. */
export interface HotKey {
  /** Its first bytes, where it is longer. */
  readonly fullKey: Uint8Array;
  readonly isCut: boolean;
  /** Requests per second, at most. */
  readonly perSecond: number;
  /** So much of that may be others' requests. */
  readonly excess: number;
}

/** The sketch over one kind of request. */
export class TopKeys {
  readonly #heads = new Int16Array(chains).fill(none);
  readonly #next = new Int16Array(hotKeysMax).fill(none);
  readonly #high = new Uint32Array(hotKeysMax);
  readonly #low = new Uint32Array(hotKeysMax);
  readonly #counts = new Float64Array(hotKeysMax);
  readonly #excess = new Float64Array(hotKeysMax);
  readonly #keys = new Uint8Array(hotKeysMax * keyBytesKept);
  readonly #lengths = new Uint16Array(hotKeysMax);
  #size = 0;
  /** No count is lower, and none before the cursor is as low: so the least counted is found in a few steps. */
  #least = 0;
  #cursor = 0;
  #total = 0;
  /** What the counts were gathered in, halved with them. */
  #windowUs = 0;
  #since: Instant | undefined = undefined;

  /** One request; the key's bytes are borrowed. */
  record(now: Instant, high: number, low: number, fullKey: Uint8Array): void {
    this.#since ??= now;
    if (now - this.#since >= halfLifeUs) this.#age(now, this.#since);
    this.#total += 1;
    const known = this.#find(high, low);
    if (known !== none) (this.#counts[known] as number) += 1;
    else this.#admit(high, low, fullKey);
  }

  #find(high: number, low: number): number {
    let place = this.#heads[low % chains] as number;
    while (place !== none && (this.#low[place] !== low || this.#high[place] !== high))
      place = this.#next[place] as number;
    return place;
  }

  #admit(high: number, low: number, fullKey: Uint8Array): void {
    const isFull = this.#size === hotKeysMax;
    const place = isFull ? this.#takeLeast() : this.#size++;
    if (isFull) this.#unlink(place);
    this.#excess[place] = this.#counts[place] as number;
    (this.#counts[place] as number) += 1;
    this.#high[place] = high;
    this.#low[place] = low;
    this.#next[place] = this.#heads[low % chains] as number;
    this.#heads[low % chains] = place;
    this.#lengths[place] = fullKey.length;
    const kept = Math.min(fullKey.length, keyBytesKept);
    for (let i = 0; i < kept; i += 1) this.#keys[place * keyBytesKept + i] = fullKey[i] as number;
  }

  #unlink(place: number): void {
    const chain = (this.#low[place] as number) % chains;
    const after = this.#next[place] as number;
    let before = this.#heads[chain] as number;
    if (before === place) {
      this.#heads[chain] = after;
      return;
    }
    while (this.#next[before] !== place) before = this.#next[before] as number;
    this.#next[before] = after;
  }

  #takeLeast(): number {
    for (;;) {
      for (; this.#cursor < hotKeysMax; this.#cursor += 1) {
        if ((this.#counts[this.#cursor] as number) <= this.#least) return this.#cursor++;
      }
      this.#seekLeast();
    }
  }

  #seekLeast(): void {
    this.#cursor = 0;
    this.#least = this.#counts.reduce((least, count) => Math.min(least, count), Number.POSITIVE_INFINITY);
  }

  #age(now: Instant, since: Instant): void {
    const lives = Math.floor((now - since) / halfLifeUs);
    for (let life = 0; life < lives && life < 64; life += 1) {
      this.#windowUs = (this.#windowUs + halfLifeUs) / 2;
      this.#total /= 2;
      for (let place = 0; place < this.#size; place += 1) {
        (this.#counts[place] as number) /= 2;
        (this.#excess[place] as number) /= 2;
      }
    }
    this.#since = (since + lives * halfLifeUs) as Instant;
    this.#seekLeast();
  }

  #seconds(now: Instant): number {
    if (this.#since !== undefined && now - this.#since >= halfLifeUs) this.#age(now, this.#since);
    return Math.max(1, (this.#windowUs + (this.#since === undefined ? 0 : now - this.#since)) / 1_000_000);
  }

  /** Requests per second, whatever their keys. */
  perSecond(now: Instant): number {
    const seconds = this.#seconds(now);
    return this.#total / seconds;
  }

  /** The keys, hottest first. What is below one request in the time that counts is left out. */
  hottest(now: Instant): HotKey[] {
    const seconds = this.#seconds(now);
    const places = Array.from({ length: this.#size }, (_, place) => place);
    places.sort((a, b) => (this.#counts[b] as number) - (this.#counts[a] as number));
    return places.flatMap((place) => {
      const count = this.#counts[place] as number;
      if (count < 1) return [];
      const length = this.#lengths[place] as number;
      const from = place * keyBytesKept;
      return {
        fullKey: this.#keys.slice(from, from + Math.min(length, keyBytesKept)),
        isCut: length > keyBytesKept,
        perSecond: count / seconds,
        excess: (this.#excess[place] as number) / seconds,
      };
    });
  }
}
