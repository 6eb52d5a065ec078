/** Contexts: round trip, fixed bytes, and a clear refusal of whatever is not this key's context. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf, utf8 } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { fullKeyOf } from "../../../src/base/full-key.ts";
import {
  ContextKey,
  contextBytesMax,
  fastestOf,
  joinContexts,
  openContext,
  readContext,
  sealContext,
} from "../../../src/version/context.ts";
import { type Dot, VersionVector } from "../../../src/version/version-vector.ts";
import { anySet } from "../../support/any-set.ts";
import { fromHex, readVectors } from "../../support/vectors.ts";

const key = new ContextKey(
  1,
  Uint8Array.from({ length: 16 }, (_, i) => i),
);
const cart = fullKeyOf(utf8("carts"), utf8("user:42"));
const version = VersionVector.empty.with({ actorHigh: 0x1_beef, actorLow: 5, counter: 7 });

function refusal(context: Uint8Array, fullKey: Uint8Array = cart, under: ContextKey = key): string {
  try {
    openContext(under, fullKey, context);
  } catch (error) {
    if (error instanceof RingtailError && error.code === "INVALID_ARGUMENT") return error.message;
    throw error;
  }
  return "opened";
}

describe("a context", () => {
  it("opens to what was sealed", () => {
    fc.assert(
      fc.property(anySet, fc.nat({ max: 0xffff }), fc.nat({ max: 0xffff_ffff }), (set, fastest, epoch) => {
        const opened = openContext(key, cart, sealContext(key, cart, set.version, fastest, epoch));
        expect(opened.version.words).toEqual(set.version.words);
        expect([opened.fastest, opened.epoch]).toEqual([fastest, epoch]);
      }),
    );
  });

  it("carries the writer's own last write beside the vector", () => {
    fc.assert(
      fc.property(anySet, fc.nat({ max: 0xffff_ffff }), (set, counter) => {
        const own = {
          dot: { actorHigh: 0x0003_abcd, actorLow: 0xfedc_ba98, counter },
          requestId: new Uint8Array(16).fill(7),
        };
        const sealed = sealContext(key, cart, set.version, 3, 9, own);
        const opened = openContext(key, cart, sealed);
        expect(opened.own).toEqual(own);
        expect(opened.version.words).toEqual(set.version.words);
        expect([opened.fastest, opened.epoch, fastestOf(sealed)]).toEqual([3, 9, 3]);
        sealed[20] = (sealed[20] as number) ^ 1;
        expect(() => openContext(key, cart, sealed)).toThrow("damaged");
      }),
    );
  });

  it("of no bytes has read nothing", () => {
    expect(openContext(key, cart, new Uint8Array(0))).toEqual({
      version: VersionVector.empty,
      own: null,
      fastest: 0,
      epoch: 0,
    });
  });

  it("is these bytes for ever", () => {
    const vectors =
      readVectors<{ fullKey: string; words: number[]; fastest: number; epoch: number; context: string }[]>("contexts");
    expect(vectors.length).toBeGreaterThan(2);
    for (const { fullKey, words, fastest, epoch, context } of vectors) {
      const vector = VersionVector.fromWords(words) as VersionVector;
      expect(hexOf(sealContext(key, fromHex(fullKey), vector, fastest, epoch))).toBe(context);
    }
  });

  it("is refused for another bucket or key, and under another secret", () => {
    const context = sealContext(key, cart, version, 3, 9).slice();
    expect(refusal(context)).toBe("opened");
    expect(refusal(context, fullKeyOf(utf8("carts"), utf8("user:43")))).toContain("not one of this bucket and key");
    expect(refusal(context, fullKeyOf(utf8("cart"), utf8("suser:42")))).toContain("not one of this bucket and key");
    expect(refusal(context, cart, new ContextKey(1, new Uint8Array(16)))).toContain("in this cluster");
    expect(refusal(context, cart, new ContextKey(2, new Uint8Array(16)))).toBe(
      "the context was made under key 1; this cluster uses key 2",
    );
  });

  it("is refused if any bit of it changed", () => {
    const context = sealContext(key, cart, version, 3, 9).slice();
    for (let bit = 0; bit < 8 * context.length; bit += 1) {
      const changed = context.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(refusal(changed)).not.toBe("opened");
    }
  });

  it("is refused, with a word about why, if it is cut, too long or of another format", () => {
    const context = sealContext(key, cart, version, 3, 9).slice();
    for (let length = 1; length < context.length; length += 1) {
      expect(refusal(context.subarray(0, length))).toContain(length === 16 ? "not one of" : "cut off");
    }
    expect(refusal(new Uint8Array(contextBytesMax + 1))).toBe("the context has 8193 bytes; at most 8192 are allowed");
    expect(refusal(Uint8Array.of(9, ...context.subarray(1)))).toBe("context format 9 is unknown here (known: 1 to 3)");
  });

  it("cannot be moved to a shorter key whose rest it would continue", () => {
    // The tag covers the key's length: else these two would hash the same bytes.
    const long = fullKeyOf(utf8("b"), utf8("k-and-twelve.."));
    const short = long.subarray(0, long.length - 12);
    const context = sealContext(key, long, version, 3, 9);
    const forged = new Uint8Array(context.length + 12);
    forged.set(context.subarray(0, 10));
    forged.set(long.subarray(long.length - 12), 10);
    forged.set(context.subarray(10), 22);
    expect(refusal(forged, short)).toContain("not one of this bucket and key");
  });

  it("of a vector with too many actors is refused when it comes back", () => {
    let many = VersionVector.empty;
    for (let actor = 1; actor <= 681; actor += 1) many = many.with({ actorHigh: 1, actorLow: actor, counter: 1 });
    expect(refusal(sealContext(key, cart, many, 0, 0))).toBe("opened");
    many = many.with({ actorHigh: 2, actorLow: 1, counter: 1 });
    expect(refusal(sealContext(key, cart, many, 0, 0))).toContain("at most 8192");
  });

  it("takes a key number of one byte", () => {
    expect(() => new ContextKey(256, new Uint8Array(16))).toThrow("one byte");
  });
});

describe("a list of contexts, as a client makes that coordinates itself", () => {
  const key = new ContextKey(
    3,
    Uint8Array.from({ length: 16 }, (_, i) => i),
  );
  const fullKey = utf8("key");
  const dotOf = (node: number, counter: number): Dot => ({ actorHigh: node << 16, actorLow: 1, counter });
  const contextOf = (...dots: Dot[]): Uint8Array => {
    const version = dots.reduce((all, one) => all.with(one), VersionVector.empty);
    return sealContext(key, fullKey, version, 2, 9).slice();
  };
  const old = contextOf(dotOf(1, 1));
  const one = contextOf(dotOf(1, 4), dotOf(2, 1));
  const other = contextOf(dotOf(2, 3));

  it("is the one context that covers all, where there is one", () => {
    expect(joinContexts([])).toEqual(new Uint8Array(0));
    expect(joinContexts([old, one, one])).toBe(one);
    expect(joinContexts([contextOf(), other])).toBe(other);
  });

  it("covers what its contexts cover, and names the node that answered first", () => {
    const list = joinContexts([old, one, other]) as Uint8Array;
    const opened = openContext(key, fullKey, list);
    expect(opened.version).toEqual(VersionVector.empty.with(dotOf(1, 4)).with(dotOf(2, 3)));
    expect([opened.fastest, opened.epoch, opened.own, fastestOf(list)]).toEqual([2, 9, null, 2]);
    expect(readContext(list)).toEqual(opened);
  });

  it("is refused if one of its tags is not genuine, if it is cut off, and inside another list", () => {
    const list = joinContexts([one, other]) as Uint8Array;
    for (let at = 18; at < list.length; at += 1) {
      const changed = list.slice();
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => openContext(key, fullKey, changed)).toThrow();
      if (at !== 18 && at !== 18 + one.length) expect(() => openContext(key, fullKey, list.subarray(0, at))).toThrow();
    }
    expect(() => openContext(key, utf8("other key"), list)).toThrow(/not one of this bucket and key/);
    const nested = Uint8Array.of(...list.subarray(0, 16), list.length, 0, ...list);
    expect(() => openContext(key, fullKey, nested)).toThrow(/list is damaged/);
  });
});
