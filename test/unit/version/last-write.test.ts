/** Where the last write wins: the laws of merge beside a naive twin, the byte path, and buckets that change their resolver. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { Hash64 } from "../../../src/base/hash.ts";
import { checkRecord, mergeSealed, openRecord, sealRecord } from "../../../src/version/record.ts";
import { SealedChange } from "../../../src/version/sealed-change.ts";
import { causalHash, lastWrite, type Sibling, SiblingSet } from "../../../src/version/sibling-set.ts";
import { type Dot, VersionVector } from "../../../src/version/version-vector.ts";
import { idOf, liveIds } from "../../support/version-world.ts";

const nodes = 3;

interface Written {
  readonly name: string;
  readonly stamp: number;
  readonly dot: Dot;
}

/** Replicas of one key that put and tell each other; beside each what a naive one holds: the greatest pair it has heard of. */
class World {
  readonly sets: SiblingSet[] = new Array<SiblingSet>(nodes).fill(SiblingSet.empty);
  readonly naive: (Written | undefined)[] = new Array<Written | undefined>(nodes).fill(undefined);
  /** Every state that a replica was in. */
  readonly states: SiblingSet[] = [SiblingSet.empty];
  #writes = 0;

  put(node: number, ahead: number, stamped = true): void {
    const set = this.sets[node] as SiblingSet;
    this.#writes += 1;
    const name = `w${this.#writes}`;
    const dot = { actorHigh: ((node + 1) << 16) >>> 0, actorLow: 1, counter: this.#writes };
    const stamp = stamped ? set.stamp + 1 + ahead : 0;
    const context = set.version;
    const write = { context, dot, requestId: idOf(name), value: utf8(name), tombstone: ahead % 3 === 0, second: 5 };
    this.sets[node] = set.put({ ...write, stamp, keepRecentFor: 60 });
    this.naive[node] = { name, stamp, dot };
    this.states.push(this.sets[node] as SiblingSet);
  }

  tell(from: number, to: number): void {
    this.sets[to] = (this.sets[to] as SiblingSet).merge(this.sets[from] as SiblingSet);
    const [mine, theirs] = [this.naive[to], this.naive[from]];
    if (mine === undefined || (theirs !== undefined && isLater(theirs, mine))) this.naive[to] = theirs;
    this.states.push(this.sets[to] as SiblingSet);
  }

  run(steps: readonly (readonly [number, number, number])[]): void {
    for (const [what, node, ahead] of steps) {
      if (what % 2 === 0) this.put(node % nodes, ahead % 5);
      else this.tell(node % nodes, ahead % nodes);
    }
  }
}

function isLater(a: Written, b: Written): boolean {
  return a.stamp !== b.stamp ? a.stamp > b.stamp : a.dot.actorHigh > b.dot.actorHigh;
}

const steps = fc.array(fc.tuple(fc.nat(1), fc.nat(2), fc.nat(14)), { maxLength: 25, size: "max" });
const choice = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999));

function hashOf(set: SiblingSet): string {
  const hash = new Hash64();
  causalHash(set, utf8("key"), hash);
  return `${hash.high} ${hash.low}`;
}

describe("merging stamped writes", () => {
  it("keeps the one that a naive replica keeps, and never a second", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const world = new World();
        world.run(list);
        for (const [node, set] of world.sets.entries()) {
          const kept = world.naive[node];
          expect(liveIds(set)).toEqual(kept === undefined ? [] : [kept.name]);
        }
      }),
    );
  });

  it("is commutative, associative and idempotent, also on the bytes", () => {
    fc.assert(
      fc.property(steps, choice, (list, picks) => {
        const world = new World();
        world.run(list);
        const [x, y, z] = picks.map((pick) => world.states[pick % world.states.length] as SiblingSet) as [
          SiblingSet,
          SiblingSet,
          SiblingSet,
        ];
        const left = x.merge(y).merge(z);
        const right = x.merge(y.merge(z));
        expect(left.sameCausally(right)).toBe(true);
        expect(x.merge(y).sameCausally(y.merge(x))).toBe(true);
        expect(left.merge(left)).toBe(left);
        expect(left.merge(x).sameCausally(left)).toBe(true);
        expect(hashOf(left)).toBe(hashOf(right));
        if (x.isEmpty || y.isEmpty) return;
        const sealed = mergeSealed(sealRecord(x), sealRecord(y));
        expect(checkRecord(sealed)).toBeNull();
        expect(openRecord(sealed)).toEqual(x.merge(y));
      }),
    );
  });

  it("a copy of one write that was stamped twice counts as it was stamped last", () => {
    const write = {
      context: VersionVector.empty,
      requestId: idOf("a"),
      tombstone: false,
      second: 5,
      keepRecentFor: 60,
    };
    const at = (node: number): Dot => ({ actorHigh: node << 16, actorLow: 1, counter: 1 });
    const first = SiblingSet.empty.put({ ...write, dot: at(1), value: utf8("a"), stamp: 10 });
    const again = SiblingSet.empty.put({ ...write, dot: at(2), value: utf8("a"), stamp: 12 });
    const other = SiblingSet.empty.put({ ...write, dot: at(3), requestId: idOf("b"), value: utf8("b"), stamp: 11 });
    const replaced = first.put({ ...write, dot: at(3), requestId: idOf("b"), value: utf8("b"), stamp: 11 });
    for (const merged of [first.merge(other).merge(again), again.merge(first).merge(other), replaced.merge(again)]) {
      expect(merged.siblings.map(({ stamp }) => stamp)).toEqual([12]);
    }
    expect(first.merge(replaced)).toBe(replaced);
  });
});

describe("a sealed record with a stamp", () => {
  const write = { context: VersionVector.empty, requestId: idOf("a"), value: utf8("v"), tombstone: false, second: 5 };
  const dot = { actorHigh: 1 << 16, actorLow: 1, counter: 1 };

  it("has a format of its own, and keeps any stamp that a clock can make", () => {
    for (const stamp of [1, 0xffff_ffff, 0x1_0000_0000, 1_790_000_000_000_000, Number.MAX_SAFE_INTEGER]) {
      const sealed = sealRecord(SiblingSet.empty.put({ ...write, dot, stamp, keepRecentFor: 60 }));
      expect(sealed[0]).toBe(2);
      expect(openRecord(sealed).stamp).toBe(stamp);
    }
    expect(sealRecord(SiblingSet.empty.put({ ...write, dot, keepRecentFor: 60 }))[0]).toBe(1);
  });

  it("is refused with a stamp of 2^53 or more, and with two stamped siblings", () => {
    const sealed = sealRecord(SiblingSet.empty.put({ ...write, dot, stamp: 2 ** 53 - 1, keepRecentFor: 60 }));
    sealed[sealed.length - 1] = 1;
    expect(() => openRecord(sealed)).toThrow("not a stamp");
    const sibling = (counter: number): Sibling => {
      return { ...write, dots: [{ ...dot, counter }], requestId: idOf(`${counter}`), stamp: counter };
    };
    const two = new SiblingSet(VersionVector.empty.with({ ...dot, counter: 2 }), [sibling(1), sibling(2)], []);
    expect(() => openRecord(sealRecord(two))).toThrow("two stamped siblings");
  });

  it("tells its stamp while it is merged without being opened", () => {
    const stored = SiblingSet.empty.put({ ...write, dot, stamp: 77, keepRecentFor: 60 });
    const incoming = stored.put({
      ...{ ...write, requestId: idOf("b"), dot: { ...dot, counter: 2 } },
      ...{ stamp: 99, keepRecentFor: 60 },
    });
    const change = new SealedChange(new Hash64(), new Hash64());
    change.read(sealRecord(stored), sealRecord(incoming), utf8("key"), 0, 0);
    expect(change.stamp).toBe(99);
  });
});

describe("a bucket that changes its resolver", () => {
  it("to lww: unstamped siblings stay until a put, and count as older than any stamped write", () => {
    const world = new World();
    world.put(0, 1, false);
    world.put(1, 1, false);
    world.tell(1, 0);
    expect(world.sets[0]?.siblings.length).toBe(2);
    expect(lastWrite(world.sets[0] as SiblingSet)?.requestId).toEqual(idOf("w2"));
    world.put(2, 1);
    world.tell(2, 0);
    expect(lastWrite(world.sets[0] as SiblingSet)?.requestId).toEqual(idOf("w3"));
    world.put(0, 1);
    world.tell(0, 1);
    expect(liveIds(world.sets[0] as SiblingSet)).toEqual(["w4"]);
    expect(liveIds(world.sets[1] as SiblingSet)).toEqual(["w4"]);
  });

  it("back to siblings: what won is a sibling like any other, and no stamp beats a write without one", () => {
    const world = new World();
    world.put(0, 4);
    world.tell(0, 1);
    const held = world.sets[1] as SiblingSet;
    const dot = { actorHigh: 9 << 16, actorLow: 1, counter: 1 };
    const write = { dot, requestId: idOf("new"), value: utf8("new"), tombstone: false, second: 5, keepRecentFor: 60 };
    const blind = held.put({ ...write, context: VersionVector.empty });
    expect(liveIds(blind.merge(world.sets[0] as SiblingSet))).toEqual(["new", "w1"]);
    const covering = held.put({ ...write, context: held.version });
    expect(liveIds((world.sets[0] as SiblingSet).merge(covering))).toEqual(["new"]);
  });
});
