/** SiblingSet: put and merge by example, the laws of merge on reachable sets, and what the causal hash covers. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { Hash64 } from "../../../src/base/hash.ts";
import { listenForMarks } from "../../../src/base/mark.ts";
import { openRecord, sealRecord } from "../../../src/version/record.ts";
import type { SiblingWrite } from "../../../src/version/sibling-set.ts";
import { causalHash, SiblingSet } from "../../../src/version/sibling-set.ts";
import type { Dot } from "../../../src/version/version-vector.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import { hash64Hex, readVectors } from "../../support/vectors.ts";
import type { Step } from "../../support/version-world.ts";
import { idOf, liveIds, VersionWorld } from "../../support/version-world.ts";

const operand = fc.nat({ max: 255 });

function dot(node: number, counter: number): Dot {
  return { actorHigh: (node << 16) >>> 0, actorLow: node, counter };
}

function write(id: string, at: Dot, more: Partial<SiblingWrite> = {}): SiblingWrite {
  return {
    context: VersionVector.empty,
    dot: at,
    requestId: idOf(id),
    value: utf8(id),
    tombstone: false,
    second: 1000,
    keepRecentFor: 60,
    ...more,
  };
}

/** The set of these writes, each on top of the one before. */
function chain(...writes: SiblingWrite[]): SiblingSet {
  return writes.reduce((set, next) => set.put({ ...next, context: set.version }), SiblingSet.empty);
}

function recentIds(set: SiblingSet): string[] {
  return set.recent.map(({ requestId }) => String.fromCharCode(...requestId.filter((byte) => byte !== 0)));
}

describe("put", () => {
  it("supersedes exactly what the context covers", () => {
    const one = SiblingSet.empty.put(write("a", dot(1, 1)));
    const two = one.put(write("b", dot(1, 2)));
    expect(liveIds(two)).toEqual(["a", "b"]);
    const three = two.put(write("c", dot(2, 1), { context: one.version }));
    expect(liveIds(three)).toEqual(["b", "c"]);
    expect(liveIds(three.put(write("d", dot(2, 2), { context: three.version })))).toEqual(["d"]);
    expect(liveIds(one)).toEqual(["a"]);
  });

  it("takes over what a context knows beyond the record", () => {
    const beyond = VersionVector.empty.with(dot(3, 7));
    const set = SiblingSet.empty.put(write("a", dot(1, 1), { context: beyond }));
    expect(set.version.counterOf(dot(3, 7).actorHigh, 3)).toBe(7);
  });

  it("remembers, however old, a replaced write that has not come here: it counts as a sibling until it does", () => {
    const blind = write("bread", dot(1, 2), { context: VersionVector.empty, second: 1000 });
    const there = SiblingSet.empty.put(write("milk", dot(1, 1), { second: 999 })).put(blind);
    let here = SiblingSet.empty.put(
      write("jam", dot(2, 1), { own: blind, context: VersionVector.empty, second: 1001 }),
    );
    for (let n = 2; n < 8; n += 1) {
      here = here.put(write(`jam${n}`, dot(2, n), { context: here.version, second: 1000 * n }));
    }
    expect(recentIds(here)).toEqual(["bread"]);
    for (let n = 8; n < 13; n += 1) {
      here = here.put(write(`jam${n}`, dot(2, n), { context: here.version, second: 7000 + n }));
    }
    expect(recentIds(here)).toEqual(["bread", "jam8", "jam9", "jam10", "jam11"]);
    expect(here.weight).toBe(2);
    const both = here.merge(there);
    expect(liveIds(both)).toEqual(["jam12", "milk"]);
    expect(recentIds(both)).toEqual(["jam8", "jam9", "jam10", "jam11"]);
    expect(both.weight).toBe(2);
  });

  it("forgets with an entry of its version the superseded writes that only this covered", () => {
    const both = chain(write("a", dot(1, 1)), write("b", dot(2, 1)), write("c", dot(2, 2)));
    expect(recentIds(both)).toEqual(["a", "b"]);
    expect(recentIds(both.without(both.version.words.slice(0, 3)) as SiblingSet)).toEqual(["b"]);
  });

  it("remembers superseded writes, at most four and while they are young", () => {
    const six = chain(...[1, 2, 3, 4, 5, 6].map((n) => write(`w${n}`, dot(1, n), { second: 1000 + n })));
    expect(recentIds(six)).toEqual(["w2", "w3", "w4", "w5"]);
    expect(six.dotsOf(idOf("w2"))).toEqual([dot(1, 2)]);
    expect(six.dotsOf(idOf("w6"))).toEqual([dot(1, 6)]);
    expect(six.dotsOf(idOf("w1"))).toBeUndefined();
    const later = six.put(write("w7", dot(1, 7), { context: six.version, second: 1064 }));
    expect(recentIds(later)).toEqual(["w5", "w6"]);
    expect(recentIds(later.put(write("w8", dot(1, 8), { context: later.version, second: 9999 })))).toEqual([]);
  });

  it("keeps a tombstone as a sibling", () => {
    const set = chain(write("a", dot(1, 1)), write("b", dot(1, 2), { tombstone: true, value: new Uint8Array(0) }));
    expect(set.siblings.map(({ tombstone }) => tombstone)).toEqual([true]);
    expect(set.isEmpty).toBe(false);
  });

  it("refuses a dot that was seen before, and an id that is known", () => {
    const set = chain(write("a", dot(1, 5)));
    expect(() => set.put(write("b", dot(1, 5)))).toThrow("new to the record");
    expect(() => set.put(write("b", dot(2, 1), { context: set.version.with(dot(2, 3)) }))).toThrow(
      "new to the context",
    );
    expect(() => set.put(write("a", dot(1, 6)))).toThrow("put once");
  });
});

describe("the context after a put", () => {
  it("covers the record if the write is alone, and never a sibling that the context did not cover", () => {
    const operands = fc.array(fc.tuple(operand, operand, operand, operand), { maxLength: 25, size: "max" });
    let own = 0;
    fc.assert(
      fc.property(operands, operand, (list, which) => {
        const world = new VersionWorld(3, true);
        world.run(list);
        const { pair } = world.replicas[which % 3] as { pair: { set: SiblingSet } };
        const { version } = (world.states[which % world.states.length] as { set: SiblingSet }).set;
        const at = dot(9, 1);
        const after = pair.set.put(write("new", at, { context: version }));
        const { version: context, own: named } = after.contextAfter(version, { dot: at, requestId: idOf("new") });
        expect(context.coversAll(version)).toBe(true);
        for (const { dots } of after.siblings) {
          if (!dots.some((one) => one.actorHigh === at.actorHigh)) expect(context.coversAny(dots)).toBe(false);
        }
        if (context.covers(at) || named?.dot === at) own += 1;
        if (after.siblings.length === 1) expect(context).toBe(after.version);
      }),
      { numRuns: 200 },
    );
    expect(own).toBe(200);
  });

  it("names the write by itself where a vector would take in an unseen sibling of the same actor", () => {
    const first = SiblingSet.empty.put(write("a", dot(1, 1)));
    const second = first.put(write("b", dot(1, 2)));
    const own = { dot: dot(1, 2), requestId: idOf("b") };
    expect(second.contextAfter(VersionVector.empty, own)).toEqual({ version: VersionVector.empty, own });
    const third = second.put(write("c", dot(1, 3), { context: VersionVector.empty, own }));
    expect(third.siblings.map(({ dots }) => dots[0]?.counter)).toEqual([1, 3]);
    const seen = third.put(write("d", dot(1, 4), { context: third.version }));
    const whole = { version: seen.version, own: null };
    expect(seen.contextAfter(third.version, { dot: dot(1, 4), requestId: idOf("d") })).toEqual(whole);
  });

  it("a put that names an own write unknown here drops it when it comes", () => {
    const there = SiblingSet.empty.put(write("a", dot(1, 1))).put(write("b", dot(1, 2)));
    const own = { dot: dot(1, 2), requestId: idOf("b") };
    const here = SiblingSet.empty.put(write("c", dot(2, 1), { context: VersionVector.empty, own }));
    for (const merged of [here.merge(there), there.merge(here)]) {
      expect(merged.siblings.map(({ requestId }) => requestId)).toEqual([idOf("a"), idOf("c")]);
      expect(merged.dotsOf(idOf("b"))).toEqual([dot(1, 2)]);
    }
  });
});

describe("merge", () => {
  it("keeps concurrent writes and drops what the other side has superseded", () => {
    const base = chain(write("a", dot(1, 1)));
    const left = base.put(write("b", dot(1, 2), { context: base.version }));
    const right = base.put(write("c", dot(2, 1), { context: base.version }));
    expect(liveIds(left.merge(right))).toEqual(["b", "c"]);
    expect(recentIds(left.merge(right))).toEqual(["a"]);
    expect(left.merge(base)).toBe(left);
    expect(base.merge(left)).toBe(left);
    expect(base.merge(SiblingSet.empty)).toBe(base);
    expect(SiblingSet.empty.merge(base)).toBe(base);
  });

  it("unites twins: both dots, and the content of the copy with the smallest", () => {
    const left = SiblingSet.empty.put(write("a", dot(2, 1), { value: utf8("of node 2"), second: 7 }));
    const right = SiblingSet.empty.put(write("a", dot(1, 1), { value: utf8("of node 1"), second: 9 }));
    for (const merged of [left.merge(right), right.merge(left)]) {
      expect(merged.siblings).toEqual([
        {
          dots: [dot(1, 1), dot(2, 1)],
          requestId: idOf("a"),
          value: utf8("of node 1"),
          tombstone: false,
          second: 9,
          stamp: 0,
        },
      ]);
      expect(merged.merge(left)).toBe(merged);
    }
  });

  it("drops a twin whose brother was superseded, and remembers its dots", () => {
    const brother = chain(write("a", dot(1, 1)), write("b", dot(1, 2)));
    const twin = SiblingSet.empty.put(write("a", dot(2, 1)));
    for (const merged of [brother.merge(twin), twin.merge(brother)]) {
      expect(liveIds(merged)).toEqual(["b"]);
      expect(merged.dotsOf(idOf("a"))).toEqual([dot(1, 1), dot(2, 1)]);
      expect(merged.version.covers(dot(2, 1))).toBe(true);
    }
  });

  it("drops united twins if either dot was superseded", () => {
    const united = chain(write("a", dot(1, 1))).merge(chain(write("a", dot(2, 1))));
    const later = chain(write("a", dot(2, 1))).put(
      write("b", dot(2, 2), { context: VersionVector.empty.with(dot(2, 1)), keepRecentFor: 0 }),
    );
    expect(later.recent).toEqual([]);
    expect(liveIds(united.merge(later))).toEqual(["b"]);
    expect(liveIds(later.merge(united))).toEqual(["b"]);
  });

  it("unites what both sides remember of one write: all its dots, and the later second", () => {
    const left = chain(write("a", dot(1, 1), { second: 999 }), write("b", dot(1, 2)));
    const right = chain(write("a", dot(2, 1), { second: 997 }), write("c", dot(2, 2)));
    for (const merged of [left.merge(right), right.merge(left)]) {
      expect(liveIds(merged)).toEqual(["b", "c"]);
      expect(merged.recent).toEqual([{ requestId: idOf("a"), dots: [dot(1, 1), dot(2, 1)], second: 999 }]);
    }
  });

  it("keeps the newest four superseded writes of both sides", () => {
    const left = chain(...[1, 2, 3, 4].map((n) => write(`l${n}`, dot(1, n), { second: 1000 + 2 * n })));
    const right = chain(...[1, 2, 3, 4].map((n) => write(`r${n}`, dot(2, n), { second: 1001 + 2 * n })));
    expect(recentIds(left.merge(right))).toEqual(["l2", "r2", "l3", "r3"]);
    expect(sealRecord(left.merge(right))).toEqual(sealRecord(right.merge(left)));
  });

  it("keeps both values of one dot, on every replica alike, and marks the conflict", () => {
    const marks: string[] = [];
    const before = listenForMarks((name) => marks.push(name));
    const cases: [SiblingWrite, SiblingWrite][] = [
      [write("a", dot(1, 1)), write("b", dot(1, 1))],
      [write("a", dot(1, 1)), write("a", dot(1, 1), { value: utf8("damaged") })],
      [write("a", dot(1, 1)), write("b", dot(1, 1), { value: utf8("a") })],
    ];
    for (const [mine, theirs] of cases) {
      const left = SiblingSet.empty.put(mine);
      const right = SiblingSet.empty.put(theirs);
      const merged = left.merge(right);
      expect(merged.siblings.length).toBe(2);
      expect(sealRecord(right.merge(left))).toEqual(sealRecord(merged));
      expect(merged.merge(left)).toBe(merged);
      expect(merged.merge(openRecord(sealRecord(merged)))).toBe(merged);
      const resolved = merged.put(write("c", dot(1, 2), { context: merged.version }));
      expect(liveIds(resolved.merge(left))).toEqual(["c"]);
    }
    listenForMarks(before);
    expect(new Set(marks)).toEqual(new Set(["dot.conflict"]));
  });
});

const steps = fc.array(fc.tuple(fc.nat({ max: 9 }), operand, operand, operand), { maxLength: 30, size: "max" });

/** Three sets that replicas of one key went through. */
function reachable(withTwins: boolean): fc.Arbitrary<[SiblingSet, SiblingSet, SiblingSet, VersionWorld]> {
  return fc.tuple(steps, operand, operand, operand).map(([list, a, b, c]: [Step[], number, number, number]) => {
    const world = new VersionWorld(3, withTwins);
    world.run(list);
    const at = (i: number): SiblingSet => (world.states[i % world.states.length] as { set: SiblingSet }).set;
    return [at(a), at(b), at(c), world];
  });
}

describe("the laws of merge", () => {
  it("commutative, associative and idempotent to the byte, where no write was minted twice", () => {
    fc.assert(
      fc.property(reachable(false), ([x, y, z]) => {
        expect(sealRecord(x.merge(y))).toEqual(sealRecord(y.merge(x)));
        expect(sealRecord(x.merge(y).merge(z))).toEqual(sealRecord(x.merge(y.merge(z))));
        expect(x.merge(openRecord(sealRecord(x)))).toBe(x);
        expect(x.merge(y).merge(y).merge(x).sameCausally(x.merge(y))).toBe(true);
      }),
      { numRuns: 600 },
    );
  });

  it("commutative and idempotent with twins too; associative but for the counted residue, which loses nothing", () => {
    let same = 0;
    let residue = 0;
    fc.assert(
      fc.property(reachable(true), ([x, y, z, world]) => {
        expect(sealRecord(x.merge(y))).toEqual(sealRecord(y.merge(x)));
        expect(x.merge(openRecord(sealRecord(x)))).toBe(x);
        const left = x.merge(y).merge(z);
        const right = x.merge(y.merge(z));
        if (left.sameCausally(right)) same += 1;
        else {
          residue += 1;
          const either = new Set([...liveIds(left), ...liveIds(right)]);
          const both = liveIds(left).filter((id) => liveIds(right).includes(id));
          for (const id of either) expect(both.includes(id) || world.twins.has(id)).toBe(true);
        }
      }),
      { numRuns: 600, seed: 2 },
    );
    expect(residue / (same + residue)).toBeLessThan(0.02);
  });

  it("returns an argument itself exactly where that is the merge", () => {
    fc.assert(
      fc.property(reachable(true), ([x, y]) => {
        const merged = x.merge(y);
        const bytes = sealRecord(new SiblingSet(merged.version, merged.siblings, merged.recent));
        const isX = Buffer.compare(bytes, sealRecord(x)) === 0;
        const isY = Buffer.compare(bytes, sealRecord(y)) === 0;
        expect(merged === x || merged === y).toBe(isX || isY);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the causal state", () => {
  const key = utf8("\u0005cartsuser:42");
  const out = new Hash64();

  function hashOf(set: SiblingSet, fullKey: Uint8Array = key): string {
    causalHash(set, fullKey, out);
    return hash64Hex(out);
  }

  it("is vector, dots and tombstone flags; not values, ids, seconds or recent writes", () => {
    const set = chain(write("a", dot(1, 1)), write("b", dot(1, 2)));
    const other = SiblingSet.empty.put(
      write("x", dot(1, 2), { context: VersionVector.empty.with(dot(1, 1)), second: 5 }),
    );
    expect(set.sameCausally(other)).toBe(true);
    expect(hashOf(set)).toBe(hashOf(other));
    const tombstone = SiblingSet.empty.put(
      write("b", dot(1, 2), { context: VersionVector.empty.with(dot(1, 1)), tombstone: true }),
    );
    const newer = set.put(write("c", dot(2, 1)));
    for (const different of [tombstone, newer, chain(write("b", dot(1, 3))), SiblingSet.empty]) {
      expect(set.sameCausally(different)).toBe(false);
      expect(hashOf(set)).not.toBe(hashOf(different));
    }
    expect(hashOf(set)).not.toBe(hashOf(set, utf8("\u0005cartsuser:43")));
    expect(hashOf(SiblingSet.empty)).toBe("0000000000000000");
  });

  it("has equal hashes exactly where sets are causally equal", () => {
    fc.assert(
      fc.property(reachable(true), ([x, y]) => {
        expect(hashOf(x) === hashOf(y)).toBe(x.sameCausally(y));
      }),
      { numRuns: 300 },
    );
  });

  it("hashes to the fixed vectors", () => {
    const vectors = readVectors<{ what: string; sealed: string; causalHash: string }[]>("records");
    expect(vectors.length).toBeGreaterThan(4);
    for (const { what, sealed, causalHash: expected } of vectors) {
      expect(hashOf(openRecord(Uint8Array.from(Buffer.from(sealed, "hex")))), what).toBe(expected);
    }
  });
});
