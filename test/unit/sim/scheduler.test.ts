/** The scheduler: time only rises, ties are permuted by the seed, and one seed gives one order. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant, never } from "../../../src/base/time.ts";
import { Scheduler } from "../../../src/sim/scheduler.ts";

function orderOfTies(seed: number): number[] {
  const scheduler = new Scheduler(new Rng(seed));
  const order: number[] = [];
  for (let i = 0; i < 20; i += 1) scheduler.at(instant(5), () => order.push(i));
  while (scheduler.step(never));
  return order;
}

describe("Scheduler", () => {
  it("runs events in the order of their times, whatever the order of asking", () => {
    const rng = new Rng(3);
    const scheduler = new Scheduler(new Rng(1));
    const seen: number[] = [];
    const times = Array.from({ length: 500 }, () => rng.below(100));
    for (const time of times) scheduler.at(instant(time), (now) => seen.push(now));
    while (scheduler.step(never));
    expect(seen).toEqual([...times].sort((a, b) => a - b));
    expect(scheduler.done).toBe(500);
  });

  it("permutes events of one instant by the seed alone", () => {
    expect(orderOfTies(1)).toEqual(orderOfTies(1));
    expect(orderOfTies(1)).not.toEqual(orderOfTies(2));
    expect([...orderOfTies(1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it("runs what is asked for the past at once, but never inside the call", () => {
    const scheduler = new Scheduler(new Rng(1));
    const seen: string[] = [];
    scheduler.at(instant(10), () => {
      scheduler.at(instant(3), (now) => seen.push(`late ${now}`));
      seen.push("asked");
    });
    while (scheduler.step(never));
    expect(seen).toEqual(["asked", "late 10"]);
  });

  it("stops before an event that lies after the limit, and has got there itself", () => {
    const scheduler = new Scheduler(new Rng(1));
    scheduler.at(instant(100), () => {});
    expect(scheduler.step(instant(50))).toBe(false);
    expect(scheduler.now).toBe(50);
    expect(scheduler.pending).toBe(1);
    expect(scheduler.step(instant(100))).toBe(true);
  });
});
