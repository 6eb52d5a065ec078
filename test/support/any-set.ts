/**
 * Arbitrary sibling sets of a small world: few actors, counters and ids, so that any two have much to do with each
 * other, whether replicas could reach them or not. Each satisfies what the record decoder demands.
 */
import * as fc from "fast-check";
import { compareDots } from "../../src/version/dots.ts";
import type { Superseded } from "../../src/version/recent.ts";
import { addRecent, newestRecent } from "../../src/version/recent.ts";
import type { Sibling } from "../../src/version/sibling.ts";
import { compareSiblings } from "../../src/version/sibling.ts";
import { SiblingSet } from "../../src/version/sibling-set.ts";
import type { Dot } from "../../src/version/version-vector.ts";
import { VersionVector } from "../../src/version/version-vector.ts";
import { idOf } from "./version-world.ts";

const dot: fc.Arbitrary<Dot> = fc.record({
  actorHigh: fc.constantFrom(0x1_0000, 0xffff_0001),
  actorLow: fc.constantFrom(7, 0x8000_0000),
  counter: fc.constantFrom(1, 2, 3, 0xffff_ffff),
});

/** Sorted, each once, at least one. */
const dots: fc.Arbitrary<Dot[]> = fc
  .uniqueArray(dot, { minLength: 1, maxLength: 2, comparator: (a, b) => compareDots(a, b) === 0 })
  .map((list) => list.sort(compareDots));

const sibling: fc.Arbitrary<Sibling> = fc.record({
  dots,
  requestId: fc.constantFrom("a", "b", "c", "d", "e").map(idOf),
  value: fc.oneof(fc.uint8Array({ maxLength: 2 }), fc.uint8Array({ minLength: 126, maxLength: 130 })),
  tombstone: fc.boolean(),
  second: fc.constantFrom(0, 1, 0xffff_ffff),
  stamp: fc.constant(0),
});

/** The one content of a write: where no invariant is broken, a request id stands for one value. */
function contentOf(one: Sibling): Sibling {
  const seed = one.requestId[0] as number;
  return { ...one, value: new Uint8Array(seed % 3).fill(seed), tombstone: seed % 5 === 0, second: seed };
}

const superseded: fc.Arbitrary<Superseded> = fc.record({
  requestId: fc.constantFrom("a", "b", "c", "d", "e", "f", "g").map(idOf),
  dots,
  second: fc.constantFrom(0, 1, 97, 98, 99),
});

function setOf(
  version: readonly Dot[],
  siblings: readonly Sibling[],
  recent: readonly Superseded[],
  sound: boolean,
): SiblingSet {
  let vector = version.reduce((all, one) => all.with(one), VersionVector.empty);
  const ids = new Set<number>();
  const kept: Sibling[] = [];
  for (const one of siblings.map((each) => (sound ? contentOf(each) : each)).sort(compareSiblings)) {
    if (kept.some((other) => compareSiblings(other, one) === 0)) continue;
    if (sound && (ids.has(one.requestId[0] as number) || kept.some(sharesWith(one)))) continue;
    ids.add(one.requestId[0] as number);
    kept.push(one);
    for (const each of one.dots) vector = vector.with(each);
  }
  const entries: Superseded[] = [];
  if (vector.size > 0) {
    for (const entry of recent) if (!ids.has(entry.requestId[0] as number)) addRecent(entries, entry);
  }
  return new SiblingSet(vector, kept, newestRecent(entries, vector));
}

function sharesWith(one: Sibling): (other: Sibling) => boolean {
  return (other) => other.dots.some((held) => one.dots.some((mine) => compareDots(held, mine) === 0));
}

/** Three of four are sound; the fourth may hold one dot, or one id, in several siblings. */
export const anySet: fc.Arbitrary<SiblingSet> = fc
  .tuple(
    fc.array(dot, { maxLength: 4 }),
    fc.array(sibling, { maxLength: 3 }),
    fc.array(superseded, { maxLength: 5 }),
    fc.nat({ max: 3 }),
  )
  .map(([version, siblings, recent, kind]) => setOf(version, siblings, recent, kind > 0));
