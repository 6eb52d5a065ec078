/** Causes: each is found where it is the only one, and the whole time is dealt out whatever the vector holds. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { causes, dissect, neverStood, type Stood } from "../../../src/metrics/cause.ts";
import { Phases, shapeWord, unanswered, waitsWord } from "../../../src/metrics/phases.ts";

interface Told {
  readonly isPut?: boolean;
  readonly elapsedUs?: number;
  readonly waited?: number;
  readonly held?: number;
  readonly asked?: number;
  readonly completing?: number;
  readonly added?: boolean;
  readonly keyUs?: number;
  readonly loopUs?: number;
  readonly storageUs?: number;
  readonly ownKeyUs?: number;
  readonly own?: Stood;
  readonly far?: Stood;
}

/** An op of 20 ms that node 0 coordinates, and that slot 1, elsewhere, completes. */
function causeIn(told: Told): string {
  const completing = told.completing ?? 1;
  const elapsedUs = told.elapsedUs ?? 20_000;
  const shape = shapeWord(3, completing, 0, false, told.added ?? false);
  const words = [shape, told.waited ?? 0, told.held ?? 0, 0, told.asked ?? 0];
  for (let slot = 0; slot < 3; slot += 1) {
    if (slot === completing) words.push(elapsedUs, waitsWord(told.keyUs ?? 0, told.loopUs ?? 0), told.storageUs ?? 0);
    else if (slot === 0) words.push(unanswered, waitsWord(told.ownKeyUs ?? 0, 0), 0);
    else words.push(unanswered, 0, 0);
  }
  const phases = new Phases(words);
  const anatomy = dissect(
    { isPut: told.isPut ?? true, elapsedUs, phases },
    told.own ?? neverStood,
    told.far ?? neverStood,
  );
  return `${anatomy.cause}${anatomy.isFar ? " far" : ""}`;
}

describe("dissect", () => {
  it("names what took the most", () => {
    expect(causeIn({})).toBe("link far");
    expect(causeIn({ storageUs: 18_000 })).toBe("disk far");
    expect(causeIn({ completing: 0, storageUs: 18_000 })).toBe("disk");
    expect(causeIn({ keyUs: 15_000 })).toBe("hot-key far");
    expect(causeIn({ loopUs: 15_000 })).toBe("loop far");
    expect(causeIn({ elapsedUs: 5_000, loopUs: 4_500 })).toBe("queue far");
    expect(causeIn({ loopUs: 15_000, far: { ...neverStood, gcUs: 12_000 } })).toBe("gc far");
    expect(causeIn({ loopUs: 15_000, far: { ...neverStood, diskUs: 12_000 } })).toBe("disk far");
    expect(causeIn({ waited: 60_000 })).toBe("loop");
    expect(causeIn({ held: 16_000 })).toBe("loop");
    expect(causeIn({ held: 16_000, own: { ...neverStood, gcUs: 14_000 } })).toBe("gc");
    expect(causeIn({ elapsedUs: 300, waited: 3_000 })).toBe("queue");
    expect(causeIn({ completing: -1 })).toBe("peer");
    expect(causeIn({ added: true, asked: 19_000 })).toBe("peer");
  });

  it("knows what a put's own replica took before the others were asked", () => {
    expect(causeIn({ asked: 19_000 })).toBe("disk");
    expect(causeIn({ asked: 19_000, ownKeyUs: 18_000 })).toBe("hot-key");
    // A get asks all at once.
    expect(causeIn({ isPut: false, asked: 0 })).toBe("link far");
  });

  it("deals out the whole time, neither more nor less, of any words", () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    const stood = fc.record({ gcUs: fc.nat(1e6), diskUs: fc.nat(1e6), keyUs: fc.nat(1e6) });
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 29 }),
        fc.nat(1e8),
        fc.boolean(),
        stood,
        stood,
        (words, us, isPut, a, b) => {
          const phases = new Phases(words);
          const anatomy = dissect({ isPut, elapsedUs: us, phases }, a, b);
          const dealt = causes.map((cause) => anatomy.us(cause));
          expect(Math.min(...dealt)).toBeGreaterThanOrEqual(0);
          expect(dealt.reduce((sum, one) => sum + one, 0)).toBe(us + (words[1] ?? 0));
          expect(dealt[causes.indexOf(anatomy.cause)]).toBe(Math.max(...dealt));
        },
      ),
    );
  });
});
