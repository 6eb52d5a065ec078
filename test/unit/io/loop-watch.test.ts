/** LoopWatch: a loop that is held up is seen, by what reads next, and as a pause; so is the collector. */
import { stat } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { LoopWatch } from "../../../src/io/loop-watch.ts";
import { PauseKind } from "../../../src/metrics/pauses.ts";
import { until } from "../../support/until.ts";

let watch: LoopWatch | undefined;

afterEach(() => watch?.stop());

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

function noted(kind: PauseKind): number {
  let longest = 0;
  watch?.pauses.forEach((one, from, ended) => {
    if (one === kind) longest = Math.max(longest, ended - from);
  });
  return longest;
}

it("tells how long what is read after a stall may have waited, and notes the stall", async () => {
  watch = new LoopWatch(systemClock);
  watch.waitUs(systemClock.now());
  await sleep(1);
  block(80);
  // Still in the same callback, as a socket that was ready before it would be read.
  const waited = watch.waitUs(systemClock.now());
  expect(waited).toBeGreaterThan(60_000);
  expect(noted(PauseKind.loop)).toBeGreaterThan(60_000);
});

it("remembers a beat that came late until what waited has been read", async () => {
  const mine = new LoopWatch(systemClock);
  watch = mine;
  mine.waitUs(systemClock.now());
  const told = new Promise<number>((resolve) => {
    setImmediate(() => {
      // Answered by a thread during the stall, and told of after the timers, as what sockets bring.
      stat(".", () => resolve(mine.waitUs(systemClock.now())));
      block(80);
    });
  });
  expect(await told).toBeGreaterThan(60_000);
  await sleep(30);
  expect(mine.waitUs(systemClock.now())).toBeLessThan(60_000);
});

it("beats rarely while nobody asks, and still sees a long stall", async () => {
  watch = new LoopWatch(systemClock);
  const began = systemClock.now();
  watch.waitUs(began);
  // Nobody asks for longer than the close beats last: time itself is what is waited for.
  await sleep(60);
  block(250);
  const ended = systemClock.now();
  const waited = watch.waitUs(ended);
  expect(waited).toBeGreaterThan(100_000);
  expect(waited).toBeLessThan(ended - began);
});

it("notes collections of garbage", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  watch = new LoopWatch(systemClock);
  const kept = Array.from({ length: 300_000 }, (_, i) => ({ i }));
  const began = systemClock.now();
  collect();
  const ended = systemClock.now();
  await until(() => noted(PauseKind.gc) > 0);
  expect(kept.length).toBe(300_000);
  expect(watch.pauses.overlap(PauseKind.gc, began, ended)).toBeGreaterThan(0);
  expect(watch.pauses.overlap(PauseKind.gc, instant(0), began)).toBeLessThanOrEqual(began);
});
