/** The controller of background work: it gives way to clients and to a late event loop, and never to nothing. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { Background, slicesMax } from "../../../src/node/background.ts";

const second = 1_000_000;

/** Lets seconds pass in which clients wait so long. */
function live(background: Background, from: number, seconds: number, us: number, lateUs = 0): void {
  for (let s = from; s < from + seconds; s += 1) {
    for (let i = 0; i < 200; i += 1) background.onAnswered(instant(s * second), us);
    for (let i = 0; i < 20; i += 1) background.onTick(lateUs);
    background.tick(instant((s + 1) * second - 1));
    background.tick(instant((s + 1) * second));
  }
}

it("grows to all slices while clients are well", () => {
  const background = new Background();
  live(background, 1, 60, 2_000);
  expect(background.slices).toBe(slicesMax);
  expect(background.shareOf(3_200)).toBe(3_200);
});

it("halves its slices when clients wait half as long again, down to one, and comes back", () => {
  const background = new Background();
  live(background, 1, 60, 4_000);
  live(background, 61, 20, 20_000);
  expect(background.slices).toBe(1);
  expect(background.shareOf(10)).toBe(1);
  live(background, 81, 120, 4_000);
  expect(background.slices).toBe(slicesMax);
});

it("gives way to an event loop that is late, whatever clients see", () => {
  const background = new Background();
  live(background, 1, 60, 2_000);
  live(background, 61, 6, 2_000, 50_000);
  expect(background.slices).toBe(1);
});

it("works where nobody asks anything", () => {
  const background = new Background();
  for (let s = 1; s < 60; s += 1) background.tick(instant(s * second));
  expect(background.foregroundUs(instant(60 * second))).toBe(0);
  expect(background.slices).toBe(slicesMax);
});

it("stays at all slices where it is told not to govern", () => {
  const background = new Background(true);
  live(background, 1, 60, 2_000);
  live(background, 61, 20, 200_000, 50_000);
  expect(background.slices).toBe(slicesMax);
});

/** The same law over plain lists: every sample of the last minute, sorted anew each second. */
class NaiveBackground {
  slices = 8;
  #samples: { second: number; us: number }[] = [];
  readonly #lowestOf = new Map<number, number>();

  /** Judges at the beginning of `second` what was seen before. */
  judge(second: number, samples: readonly number[], lateTicks: number, ticks: number): void {
    for (const us of samples) this.#samples.push({ second: second - 1, us });
    const seen = this.#percentile(second);
    const minute = Math.floor(second / 60);
    const known = this.#lowestOf.get(minute);
    if (seen > 0 && (known === undefined || seen < known)) this.#lowestOf.set(minute, seen);
    const lowest = [...this.#lowestOf].filter(([of]) => of > minute - 10).map(([, us]) => us);
    const limit = lowest.length === 0 ? 0 : Math.max(3_000, Math.floor(Math.min(...lowest) * 1.5));
    const late = lateTicks > 1 && lateTicks / ticks > 0.01;
    if (late || (limit > 0 && seen > limit)) this.slices = Math.max(1, Math.floor(this.slices / 2));
    else if (seen <= 0.8 * limit) this.slices = Math.min(slicesMax, this.slices + 1);
  }

  /** Of the last ten seconds, this one included, or of as many more, up to a minute, as hold a thousand. */
  #percentile(second: number): number {
    let inside: number[] = [];
    for (let seconds = 1; seconds <= 60 && (seconds <= 10 || inside.length < 1_000); seconds += 1) {
      inside = this.#samples.filter((sample) => sample.second > second - seconds).map(({ us }) => us);
    }
    if (inside.length < 100) return 0;
    const sorted = inside.sort((a, b) => a - b);
    return boundOf(sorted[sorted.length - 1 - Math.floor(sorted.length / 1000)] as number);
  }
}

/** The end of the eighth of an octave that a duration lies in. */
function boundOf(us: number): number {
  for (let octave = 1; ; octave *= 2)
    for (let eighth = 1; eighth <= 8; eighth += 1)
      if (us < octave + (octave * eighth) / 8) return Math.floor(octave + (octave * eighth) / 8);
}

it("is what plain lists say", () => {
  const phase = fc.record({
    seconds: fc.integer({ min: 1, max: 25 }),
    perSecond: fc.constantFrom(0, 5, 40, 300),
    us: fc.integer({ min: 500, max: 60_000 }),
    late: fc.constantFrom(0, 0, 1, 3),
  });
  fc.assert(
    fc.property(fc.array(phase, { minLength: 1, maxLength: 8 }), fc.nat(), (phases, seed) => {
      const background = new Background();
      const naive = new NaiveBackground();
      const rng = new Rng(seed);
      let second = 100;
      for (const { seconds, perSecond, us, late } of phases) {
        for (let i = 0; i < seconds; i += 1, second += 1) {
          const samples = Array.from({ length: perSecond }, () => us + rng.below(us));
          for (const one of samples) background.onAnswered(instant(second * 1_000_000), one);
          for (let t = 0; t < 50; t += 1) background.onTick(t < late ? 6_000 : 0);
          background.tick(instant((second + 1) * 1_000_000));
          naive.judge(second + 1, samples, late, 50);
          expect(background.slices).toBe(naive.slices);
        }
      }
    }),
    { numRuns: 30 },
  );
});
