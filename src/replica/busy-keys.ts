/**
 * BusyKeys: which keys are being changed, and who waits for them: the lock behind "read, merge, write of one key is
 * atomic".
 *
 * A lock is named by the 64-bit key hash alone: two keys that collide merely wait for each other. Open addressing over
 * typed arrays, linear probing, and backward shift on removal: no allocation and no tombstones. The waiters of a key
 * are a list linked through the waiters themselves, served in the order of their arrival.
 */
import { assert } from "../base/assert.ts";

/** What can wait: it carries its own link, null unless it waits in front of another. */
export interface Waiter<T> {
  nextWaiter: T | null;
}

const slotsMin = 64;

/** The locks of one node's keys. */
export class BusyKeys<T extends Waiter<T>> {
  #mask = slotsMin - 1;
  #highs = new Uint32Array(slotsMin);
  #lows = new Uint32Array(slotsMin);
  #used = new Uint8Array(slotsMin);
  #heads: (T | null)[] = new Array<T | null>(slotsMin).fill(null);
  #tails: (T | null)[] = new Array<T | null>(slotsMin).fill(null);
  #busy = 0;
  #waiting = 0;

  /** Keys locked now. */
  get busy(): number {
    return this.#busy;
  }

  /** Waiters of all keys together. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes the key's lock; false if somebody holds it. */
  take(high: number, low: number): boolean {
    const slot = this.#find(high, low);
    if (this.#used[slot] === 1) return false;
    this.#used[slot] = 1;
    this.#highs[slot] = high;
    this.#lows[slot] = low;
    this.#busy += 1;
    if (this.#busy * 2 > this.#mask) this.#grow();
    return true;
  }

  /** Queues `waiter` behind the holder of the key and everybody who waits for it. */
  wait(high: number, low: number, waiter: T): void {
    const slot = this.#find(high, low);
    assert(this.#used[slot] === 1, "nobody waits for a free key");
    assert(waiter.nextWaiter === null, "a waiter waits once");
    const tail = this.#tails[slot] as T | null;
    if (tail === null) this.#heads[slot] = waiter;
    else tail.nextWaiter = waiter;
    this.#tails[slot] = waiter;
    this.#waiting += 1;
  }

  /** The longest waiter for a key that is held, or null. */
  next(high: number, low: number): T | null {
    const slot = this.#find(high, low);
    assert(this.#used[slot] === 1, "nobody waits for a free key");
    return this.#heads[slot] as T | null;
  }

  /** The holder is done: the longest waiter holds the key now and is returned, or null and the key is free. */
  pass(high: number, low: number): T | null {
    const slot = this.#find(high, low);
    assert(this.#used[slot] === 1, "only a key that is held is passed on");
    const next = this.#heads[slot] as T | null;
    if (next === null) {
      this.#remove(slot);
      return null;
    }
    this.#heads[slot] = next.nextWaiter;
    if (next.nextWaiter === null) this.#tails[slot] = null;
    next.nextWaiter = null;
    this.#waiting -= 1;
    return next;
  }

  /** The key's slot, or the free slot where it would go. */
  #find(high: number, low: number): number {
    let slot = low & this.#mask;
    while (this.#used[slot] === 1 && (this.#lows[slot] !== low || this.#highs[slot] !== high)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  /** Frees a slot and moves back whatever was pushed past it by probing. */
  #remove(slot: number): void {
    let hole = slot;
    for (let at = (slot + 1) & this.#mask; this.#used[at] === 1; at = (at + 1) & this.#mask) {
      const home = (this.#lows[at] as number) & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#move(at, hole);
      hole = at;
    }
    this.#used[hole] = 0;
    this.#heads[hole] = null;
    this.#tails[hole] = null;
    this.#busy -= 1;
  }

  #move(from: number, to: number): void {
    this.#highs[to] = this.#highs[from] as number;
    this.#lows[to] = this.#lows[from] as number;
    this.#heads[to] = this.#heads[from] as T | null;
    this.#tails[to] = this.#tails[from] as T | null;
  }

  #grow(): void {
    const highs = this.#highs;
    const lows = this.#lows;
    const used = this.#used;
    const heads = this.#heads;
    const tails = this.#tails;
    const slots = used.length * 2;
    this.#mask = slots - 1;
    this.#highs = new Uint32Array(slots);
    this.#lows = new Uint32Array(slots);
    this.#used = new Uint8Array(slots);
    this.#heads = new Array<T | null>(slots).fill(null);
    this.#tails = new Array<T | null>(slots).fill(null);
    for (let old = 0; old < used.length; old += 1) {
      if (used[old] === 0) continue;
      const slot = this.#find(highs[old] as number, lows[old] as number);
      this.#used[slot] = 1;
      this.#highs[slot] = highs[old] as number;
      this.#lows[slot] = lows[old] as number;
      this.#heads[slot] = heads[old] as T | null;
      this.#tails[slot] = tails[old] as T | null;
    }
  }
}
