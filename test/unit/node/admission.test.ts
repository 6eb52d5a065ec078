/** The limit of requests in flight follows the latency of answers. */
import { expect, test } from "vitest";
import { type Instant, instant } from "../../../src/base/time.ts";
import { Admission } from "../../../src/node/admission.ts";

/** Answers of one latency, one every millisecond, with so many in flight; returns when it is. */
function answers(admission: Admission, from: Instant, count: number, elapsedUs: number, inFlight: number): Instant {
  let now = from;
  for (let i = 0; i < count; i += 1) {
    now = instant(now + 1_000);
    admission.onAnswer(now, elapsedUs, inFlight);
  }
  return now;
}

test("fast answers leave the limit where it is, at its greatest", () => {
  const admission = new Admission(1000);
  answers(admission, instant(0), 1_000, 5_000, 900);
  expect(admission.limit).toBe(1000);
});

test("late answers bring it down to where the queue is short, and never to nothing", () => {
  const admission = new Admission(16_384);
  const now = answers(admission, instant(0), 250, 300_000, 600);
  expect(admission.limit).toBeLessThanOrEqual(400);
  answers(admission, now, 5_000, 300_000, 600);
  expect(admission.limit).toBe(64);
});

test("a late tail is no overload: the median decides", () => {
  const admission = new Admission(1000);
  let now = instant(0);
  for (let i = 0; i < 1_000; i += 1) {
    now = instant(now + 1_000);
    admission.onAnswer(now, i % 5 === 0 ? 400_000 : 2_000, 100);
  }
  expect(admission.limit).toBe(1000);
});

test("a few late answers prove nothing", () => {
  const admission = new Admission(1000);
  let now = instant(0);
  for (let i = 0; i < 50; i += 1) {
    now = instant(now + 20_000);
    admission.onAnswer(now, 400_000, 100);
  }
  expect(admission.limit).toBe(1000);
});

test("it rises again when answers are fast, and when there are none but refusals", () => {
  const admission = new Admission(1000);
  let now = answers(admission, instant(0), 5_000, 300_000, 500);
  expect(admission.limit).toBe(64);
  now = answers(admission, now, 3_000, 1_000, 10);
  const risen = admission.limit;
  expect(risen).toBeGreaterThan(100);
  for (let i = 0; i < 100; i += 1) {
    now = instant(now + 100_000);
    admission.onRefused(now, 0);
  }
  expect(admission.limit).toBe(1000);
});

test("requests that fail for want of time bring it down like late answers", () => {
  const admission = new Admission(1000);
  const deadlineUs = 1_000_000;
  answers(admission, instant(0), 5_000, deadlineUs, 900);
  expect(admission.limit).toBe(64);
});
