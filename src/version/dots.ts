/**
 * Sorted lists of dots: what names one written value. Nearly always one dot; two or more when several coordinators
 * minted for the same request id and met (mechanisms 3.3, retries). The order is that of the schema: actor, then
 * counter, unsigned. Lists are shared between sets and never changed.
 */
import { writeWord } from "../base/words.ts";
import type { Dot } from "./version-vector.ts";
import { compareActors } from "./version-vector.ts";

/** Negative, zero or positive. */
export function compareDots(a: Dot, b: Dot): number {
  return compareActors(a.actorHigh, a.actorLow, b.actorHigh, b.actorLow) || a.counter - b.counter;
}

/** Negative, zero or positive: dot by dot, a prefix first. */
export function compareDotLists(a: readonly Dot[], b: readonly Dot[]): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i += 1) {
    const order = compareDots(a[i] as Dot, b[i] as Dot);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Whether the list holds the dot. */
export function holdsDot(dots: readonly Dot[], dot: Dot): boolean {
  for (let i = 0; i < dots.length; i += 1) if (compareDots(dots[i] as Dot, dot) === 0) return true;
  return false;
}

/** Whether the lists have a dot in common. */
export function sharesDot(a: readonly Dot[], b: readonly Dot[]): boolean {
  for (let i = 0; i < a.length; i += 1) if (holdsDot(b, a[i] as Dot)) return true;
  return false;
}

/** Whether every dot of `part` is in `whole`. */
function holdsDots(whole: readonly Dot[], part: readonly Dot[]): boolean {
  for (let i = 0; i < part.length; i += 1) if (!holdsDot(whole, part[i] as Dot)) return false;
  return true;
}

/** All dots of both, sorted, each once. Returns an argument where it is the result, `a` by preference. */
export function uniteDots(a: readonly Dot[], b: readonly Dot[]): readonly Dot[] {
  if (holdsDots(a, b)) return a;
  if (holdsDots(b, a)) return b;
  const united = a.slice();
  for (let i = 0; i < b.length; i += 1) if (!holdsDot(a, b[i] as Dot)) united.push(b[i] as Dot);
  return united.sort(compareDots);
}

/** Writes the dot as three words at `at`; returns where the next one goes. */
export function writeDot(bytes: Uint8Array, at: number, dot: Dot): number {
  return writeWord(bytes, writeWord(bytes, writeWord(bytes, at, dot.counter), dot.actorLow), dot.actorHigh);
}
