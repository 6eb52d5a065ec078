/** One walk over two sorted lists: what it keeps, against the definition, and the cases that it leaves to others. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Sibling } from "../../../src/version/sibling.ts";
import { mergeSorted, type Others } from "../../../src/version/sorted-merge.ts";
import type { Dot } from "../../../src/version/version-vector.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import { idOf } from "../../support/version-world.ts";

function dotOf(actor: number, counter: number): Dot {
  return { actorHigh: actor << 16, actorLow: 1, counter };
}

/** The write that was minted under this dot; ids are as unique as dots. */
function siblingOf(actor: number, counter: number, more: Partial<Sibling> = {}): Sibling {
  const id = idOf(`${actor}.${counter}`);
  const common = { requestId: id, value: new Uint8Array([actor]), tombstone: false, second: 9, stamp: 0 };
  return { dots: [dotOf(actor, counter)], ...common, ...more };
}

function namesOf(siblings: readonly Sibling[]): string[] {
  return siblings.map(({ dots: [dot] }) => `${(dot as Dot).actorHigh >>> 16}.${(dot as Dot).counter}`);
}

/** A replica that has seen each actor up to a counter, and holds some of what it has seen. */
interface Held {
  readonly seen: readonly number[];
  readonly held: readonly (readonly number[])[];
}

const actors = 3;
const counters = 6;
const replica = fc.array(fc.nat(counters), { minLength: actors, maxLength: actors }).chain((seen) =>
  fc.record({
    seen: fc.constant(seen),
    held: fc.tuple(...seen.map((most) => fc.subarray(Array.from({ length: most }, (_, i) => i + 1)))),
  }),
);

function setOf({ seen, held }: Held): Others {
  const siblings = held.flatMap((own, actor) => own.map((counter) => siblingOf(actor + 1, counter)));
  let version = VersionVector.empty;
  for (const [actor, most] of seen.entries()) if (most > 0) version = version.with(dotOf(actor + 1, most));
  return { siblings, version };
}

describe("one walk over both", () => {
  it("keeps what both hold, and of the rest what the other has not seen", () => {
    fc.assert(
      fc.property(replica, replica, (mine, theirs) => {
        const live: string[] = [];
        const gone: string[] = [];
        for (let actor = 0; actor < actors; actor += 1) {
          for (let counter = 1; counter <= counters; counter += 1) {
            const [here, there] = [mine, theirs].map(({ held }) => held[actor]?.includes(counter) === true);
            if (here !== true && there !== true) continue;
            const other = here === true ? theirs : mine;
            const isGone = here !== there && counter <= (other.seen[actor] as number);
            (isGone ? gone : live).push(`${actor + 1}.${counter}`);
          }
        }
        const merged = mergeSorted(setOf(mine), setOf(theirs));
        expect([namesOf(merged?.live ?? []), namesOf(merged?.superseded ?? [])]).toEqual([live, gone]);
      }),
    );
  });

  it("keeps its own copies", () => {
    const mine = { siblings: [siblingOf(1, 1)], version: VersionVector.empty.with(dotOf(1, 1)) };
    const theirs = { siblings: [siblingOf(1, 1)], version: mine.version };
    expect(mergeSorted(mine, theirs)?.live[0]).toBe(mine.siblings[0]);
  });
});

describe("what it leaves to others", () => {
  const version = VersionVector.empty;
  const plain: Others = { siblings: [siblingOf(1, 1), siblingOf(2, 1)], version };

  it.each<[string, readonly Sibling[]]>([
    ["a write that was minted twice", [siblingOf(1, 1, { dots: [dotOf(1, 1), dotOf(3, 1)] })]],
    ["one id under two dots", [siblingOf(3, 1, { requestId: idOf("2.1") })]],
    ["one dot for two ids", [siblingOf(1, 1, { requestId: idOf("another") })]],
    ["one dot for two values", [siblingOf(2, 1, { value: new Uint8Array(2) })]],
    ["one dot with two stamps", [siblingOf(2, 1, { stamp: 7 })]],
    ["two siblings of one dot on one side", [siblingOf(3, 1), siblingOf(3, 1, { requestId: idOf("another") })]],
  ])("%s", (_name, siblings) => {
    expect(mergeSorted(plain, { siblings, version })).toBe(null);
    expect(mergeSorted({ siblings, version }, plain)).toBe(null);
  });
});
