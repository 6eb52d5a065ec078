/**
 * Scheduler: simulated time and the queue of what happens in it. A binary heap on (time,
 * random priority, sequence): events of one instant are permuted by the seed, and the sequence makes ties impossible,
 * so one seed gives one order. Nothing is ever cancelled: an event whose time is over finds so itself, by a life
 * number.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";

/** What happens at an instant. */
export type Action = (now: Instant) => void;

class Event {
  readonly at: Instant;
  readonly priority: number;
  readonly sequence: number;
  readonly action: Action;

  constructor(at: Instant, priority: number, sequence: number, action: Action) {
    this.at = at;
    this.priority = priority;
    this.sequence = sequence;
    this.action = action;
  }
}

function before(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.priority !== b.priority) return a.priority < b.priority;
  return a.sequence < b.sequence;
}

/** The only clock of a simulated world. */
export class Scheduler {
  readonly #heap: Event[] = [];
  readonly #rng: Rng;
  #sequence = 0;
  #now: Instant = instant(0);
  #done = 0;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  get now(): Instant {
    return this.#now;
  }

  /** Events run so far. */
  get done(): number {
    return this.#done;
  }

  get pending(): number {
    return this.#heap.length;
  }

  /** Runs `action` at `at`, or at once (but not inside this call) if that is over. */
  at(at: Instant, action: Action): void {
    const event = new Event(at > this.#now ? at : this.#now, this.#rng.u32(), this.#sequence, action);
    this.#sequence += 1;
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
  }

  /** Runs `action` after `delay`. */
  in(delay: DurationUs, action: Action): void {
    assert(delay >= 0, "a delay is not negative");
    this.at(instant(this.#now + delay), action);
  }

  /** Runs the next event unless it lies after `until`; false if there was none, and time is `until` then. */
  step(until: Instant): boolean {
    const event = this.#heap[0];
    if (event === undefined || event.at > until) {
      if (until > this.#now) this.#now = until;
      return false;
    }
    const last = this.#heap.pop() as Event;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    this.#now = event.at;
    this.#done += 1;
    event.action(event.at);
    return true;
  }

  #rise(start: number): void {
    const event = this.#heap[start] as Event;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent] as Event;
      if (!before(event, above)) break;
      this.#heap[index] = above;
      index = parent;
    }
    this.#heap[index] = event;
  }

  #sink(start: number): void {
    const size = this.#heap.length;
    const event = this.#heap[start] as Event;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && before(this.#heap[child + 1] as Event, this.#heap[child] as Event)) child += 1;
      const below = this.#heap[child] as Event;
      if (!before(below, event)) break;
      this.#heap[index] = below;
      index = child;
    }
    this.#heap[index] = event;
  }
}
