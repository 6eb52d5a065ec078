/** The controller of background work: it gives way to clients and to a late event loop, and never to nothing. */
import { expect, it } from "vitest";
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
