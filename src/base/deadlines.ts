/**
 * DeadlineQueue: deadlines of ops, drained from one host tick instead of one timer per request.
 *
 * Requests that share a timeout arrive in deadline order, so a plain queue per timeout (a lane) needs no heap: an op
 * is pushed with its id and deadline, and `expired` hands out ids whose time has come. An op that finished early is
 * simply not found any more when its id comes up. Timeouts are rounded up (to 1 ms below 128 ms, to 10 ms below 2.5 s,
 * to 100 ms above), and an empty lane is reused, so the number of lanes stays small whatever the clients ask for.
 */
import { assert } from "./assert.ts";
import type { DurationUs, Instant } from "./time.ts";
import { after, never } from "./time.ts";

class Lane {
  readonly timeout: DurationUs;
  readonly step: DurationUs;
  ids: number[] = [];
  deadlines: number[] = [];
  head = 0;

  constructor(timeout: DurationUs) {
    this.timeout = timeout;
    this.step = stepOf(timeout);
  }

  get empty(): boolean {
    return this.head === this.ids.length;
  }

  /** When a deadline of this lane is looked at. */
  due(deadline: number): number {
    return Math.ceil(deadline / this.step) * this.step;
  }

  compact(): void {
    if (this.head < 1024 || this.head * 2 < this.ids.length) return;
    this.ids = this.ids.slice(this.head);
    this.deadlines = this.deadlines.slice(this.head);
    this.head = 0;
  }
}

function stepOf(timeout: DurationUs): DurationUs {
  return timeout < 128_000 ? 1_000 : timeout < 2_500_000 ? 10_000 : 100_000;
}

function rounded(timeout: DurationUs): DurationUs {
  const step = stepOf(timeout);
  return Math.ceil(timeout / step) * step;
}

/** Deadlines are honoured within one tick and one rounding step, never early. */
export class DeadlineQueue {
  readonly #lanes: Lane[] = [];
  /** What `next` answers; -1: to be looked up again. It is asked after every event, and changes with few of them. */
  #next: number = never;

  /** Queues `id` to expire `timeout` (rounded up) after `now`; returns the deadline. */
  push(now: Instant, id: number, timeout: DurationUs): Instant {
    assert(timeout > 0, "a timeout is positive");
    const lane = this.#lane(rounded(timeout));
    const deadline = after(now, lane.timeout);
    lane.ids.push(id);
    lane.deadlines.push(deadline);
    if (this.#next >= 0) this.#next = Math.min(this.#next, lane.due(deadline));
    return deadline;
  }

  #lane(timeout: DurationUs): Lane {
    let idle = -1;
    for (let i = 0; i < this.#lanes.length; i += 1) {
      const lane = this.#lanes[i] as Lane;
      if (lane.timeout === timeout) return lane;
      if (lane.empty) idle = i;
    }
    const lane = new Lane(timeout);
    if (idle < 0) this.#lanes.push(lane);
    else this.#lanes[idle] = lane;
    return lane;
  }

  /** The next id whose deadline is at or before `now`, or -1. Call until -1. */
  expired(now: Instant): number {
    for (const lane of this.#lanes) {
      if (lane.empty || (lane.deadlines[lane.head] as number) > now) continue;
      const id = lane.ids[lane.head] as number;
      lane.head += 1;
      lane.compact();
      this.#next = -1;
      return id;
    }
    return -1;
  }

  /**
   * When `expired` has something to hand out, or `never`: the earliest deadline, rounded up to a step of its lane. Nearly
   * all ops are through long before their deadline, and a tick for each of them would cost more than the op.
   */
  next(): Instant {
    if (this.#next < 0) this.#next = this.#earliest();
    return this.#next as Instant;
  }

  #earliest(): number {
    let earliest: number = never;
    for (const lane of this.#lanes) {
      if (lane.empty) continue;
      const due = lane.due(lane.deadlines[lane.head] as number);
      if (due < earliest) earliest = due;
    }
    return earliest;
  }
}
