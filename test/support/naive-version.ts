/**
 * The data model a second time, without vectors: a replica remembers every dot it ever saw and every write it ever saw
 * superseded, and forgets nothing. What the compressed form must say follows from it by plain set operations, so that the
 * two can be compared after every step.
 */
import type { Dot } from "../../src/version/version-vector.ts";

/** A dot as text. */
export function dotText(dot: Dot): string {
  return `${dot.actorHigh}.${dot.actorLow}.${dot.counter}`;
}

/** The dot that `dotText` has spelled. */
export function dotOf(text: string): Dot {
  const [actorHigh, actorLow, counter] = text.split(".").map(Number) as [number, number, number];
  return { actorHigh, actorLow, counter };
}

/** A vector as a map from actor to counter. */
export type NaiveVector = ReadonlyMap<string, number>;

/** The vector of these dots: each actor's highest counter. */
export function naiveVector(dots: readonly Dot[]): Map<string, number> {
  const vector = new Map<string, number>();
  for (const { actorHigh, actorLow, counter } of dots) {
    const actor = `${actorHigh}.${actorLow}`;
    vector.set(actor, Math.max(counter, vector.get(actor) ?? 0));
  }
  return vector;
}

/** Whether `a` has, for every actor of `b`, at least `b`'s counter. */
export function naiveCovers(a: NaiveVector, b: NaiveVector): boolean {
  return [...b].every(([actor, counter]) => (a.get(actor) ?? 0) >= counter);
}

/** Entry by entry the greater counter. */
export function naiveMerge(a: NaiveVector, b: NaiveVector): Map<string, number> {
  const merged = new Map(a);
  for (const [actor, counter] of b) merged.set(actor, Math.max(counter, merged.get(actor) ?? 0));
  return merged;
}

/** One replica's whole history of one key. Immutable. */
export class NaiveSet {
  static readonly empty = new NaiveSet(new Set(), new Map(), new Set());

  /** Every dot ever seen. */
  readonly seen: ReadonlySet<string>;
  /** Live writes by id, with their dots. */
  readonly live: ReadonlyMap<string, ReadonlySet<string>>;
  /** Ids of superseded writes, all of them for ever. */
  readonly dead: ReadonlySet<string>;

  constructor(seen: ReadonlySet<string>, live: ReadonlyMap<string, ReadonlySet<string>>, dead: ReadonlySet<string>) {
    this.seen = seen;
    this.live = live;
    this.dead = dead;
  }

  put(context: ReadonlySet<string>, dot: string, id: string): NaiveSet {
    const live = new Map([[id, new Set([dot])]]);
    const dead = new Set(this.dead);
    for (const [other, dots] of this.live) {
      if ([...dots].some((held) => context.has(held))) dead.add(other);
      else live.set(other, new Set(dots));
    }
    return new NaiveSet(new Set([...this.seen, ...context, dot]), live, dead);
  }

  merge(other: NaiveSet): NaiveSet {
    const united = new Map<string, Set<string>>();
    for (const side of [this, other]) {
      for (const [id, dots] of side.live) united.set(id, new Set([...(united.get(id) ?? []), ...dots]));
    }
    const dead = new Set([...this.dead, ...other.dead]);
    for (const [id, dots] of united) {
      if ([...dots].some((dot) => this.#superseded(dot) || other.#superseded(dot))) dead.add(id);
    }
    const live = new Map([...united].filter(([id]) => !dead.has(id)));
    return new NaiveSet(new Set([...this.seen, ...other.seen]), live, dead);
  }

  #superseded(dot: string): boolean {
    return this.seen.has(dot) && ![...this.live.values()].some((dots) => dots.has(dot));
  }
}
