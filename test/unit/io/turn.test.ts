/** The host's turn end and alarm: one call however often it is asked for, and never early. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Clock, instant, never } from "../../../src/base/time.ts";
import { Alarm, TurnEnd } from "../../../src/io/turn.ts";

let nowUs = 0;
const clock: Clock = { now: () => instant(nowUs), wallMs: () => 0 };

beforeEach(() => {
  nowUs = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function pass(ms: number): void {
  for (let i = 0; i < ms; i += 1) {
    nowUs += 1000;
    vi.advanceTimersByTime(1);
  }
}

describe("Alarm", () => {
  function newAlarm(): { alarm: Alarm; rings: number[] } {
    const rings: number[] = [];
    return { alarm: new Alarm(clock, (now) => rings.push(now)), rings };
  }

  it("rings once, at or after its instant", () => {
    const { alarm, rings } = newAlarm();
    alarm.set(instant(10_500));
    pass(50);
    expect(rings).toEqual([11_000]);
  });

  it("obeys the latest call, earlier or later, with one timer", () => {
    const { alarm, rings } = newAlarm();
    alarm.set(instant(20_000));
    alarm.set(instant(5_000));
    alarm.set(instant(30_000));
    expect(vi.getTimerCount()).toBe(1);
    pass(50);
    expect(rings).toEqual([30_000]);
  });

  it("is cancelled by never, and leaves no timer", () => {
    const { alarm, rings } = newAlarm();
    alarm.set(instant(5_000));
    alarm.set(never);
    expect(vi.getTimerCount()).toBe(0);
    pass(20);
    expect(rings).toEqual([]);
    alarm.set(instant(25_000));
    pass(20);
    expect(rings.length).toBe(1);
  });

  it("rings soon for an instant that has passed, but not inside the call", () => {
    const { alarm, rings } = newAlarm();
    pass(10);
    alarm.set(instant(3_000));
    expect(rings).toEqual([]);
    pass(2);
    expect(rings.length).toBe(1);
  });

  it("may be set again from inside its ring", () => {
    const rings: number[] = [];
    const alarm: Alarm = new Alarm(clock, (now) => {
      rings.push(now);
      if (rings.length < 3) alarm.set(instant(now + 2_000));
    });
    alarm.set(instant(1_000));
    pass(20);
    expect(rings).toEqual([1_000, 3_000, 5_000]);
  });
});

describe("TurnEnd", () => {
  it("runs once per turn, and again for a wish made while it runs", () => {
    let runs = 0;
    const turnEnd: TurnEnd = new TurnEnd(clock, () => {
      runs += 1;
      if (runs === 1) turnEnd.want();
    });
    turnEnd.want();
    turnEnd.want();
    expect(runs).toBe(0);
    pass(5);
    expect(runs).toBe(2);
  });

  it("runs no more once it is stopped", () => {
    let runs = 0;
    const turnEnd = new TurnEnd(clock, () => {
      runs += 1;
    });
    turnEnd.want();
    turnEnd.stop();
    pass(5);
    expect(runs).toBe(0);
  });
});
