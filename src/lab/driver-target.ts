/**
 * DriverSystem: any store that can get and put, under the very load that Ringtail gets: a Driver is all that another client
 * library must be dressed up as (tools/versus has some). Promises end where the driver ends; an operation that takes longer
 * than its time fails, whatever the library thinks of it.
 */
import { RingtailError } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import { systemClock } from "../io/clock.ts";
import { TurnEnd } from "../io/turn.ts";
import type { Answer, OperationEvents, System, SystemFacts, Target } from "./target.ts";

/** A connected store. What it rejects with fails the operation, and its message is told. */
export interface Driver {
  readonly facts: SystemFacts;
  /** A key without a value is no error: no siblings, no `valueBytes`. */
  get(key: Uint8Array): Promise<Answer>;
  /** Resolves with the context for the next put of the key; empty where the store has none. */
  put(key: Uint8Array, value: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

const lookMs = 20;

export class DriverSystem implements System {
  /** What contexts of other stores have seen is not for us to read: the latest is kept. */
  readonly seenBy: System["seenBy"] = () => 0;
  readonly turnEnd: TurnEnd;
  readonly driver: Driver;
  readonly #targets: DriverTarget[] = [];
  readonly #timer: NodeJS.Timeout;
  #turn: (now: Instant) => void = () => {};

  constructor(driver: Driver) {
    this.driver = driver;
    this.turnEnd = new TurnEnd(systemClock, (now) => this.#turn(now));
    this.#timer = setInterval(() => {
      for (const target of this.#targets) target.expire(systemClock.now());
    }, lookMs);
  }

  get facts(): SystemFacts {
    return this.driver.facts;
  }

  target(timeoutUs: DurationUs): Target {
    const target = new DriverTarget(this, timeoutUs);
    this.#targets.push(target);
    return target;
  }

  wantTurn(turn: (now: Instant) => void): void {
    this.#turn = turn;
    this.turnEnd.want();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.turnEnd.stop();
    await this.driver.close();
  }
}

/** One operation under way; in a set, and so in the order of deadlines. */
interface Pending {
  readonly events: OperationEvents;
  readonly deadline: Instant;
}

class DriverTarget implements Target {
  readonly #system: DriverSystem;
  readonly #timeoutUs: DurationUs;
  readonly #pending: Set<Pending> = new Set();

  constructor(system: DriverSystem, timeoutUs: DurationUs) {
    this.#system = system;
    this.#timeoutUs = timeoutUs;
  }

  now(): Instant {
    return systemClock.now();
  }

  get(now: Instant, key: Uint8Array, events: OperationEvents): null {
    const pending = this.#begin(now, events);
    this.#system.driver.get(key).then(
      (answer) => {
        if (this.#pending.delete(pending)) events.onGot(systemClock.now(), answer);
      },
      (error: unknown) => this.#fail(pending, error),
    );
    return null;
  }

  put(now: Instant, key: Uint8Array, value: Uint8Array, context: Uint8Array, events: OperationEvents): null {
    const pending = this.#begin(now, events);
    this.#system.driver.put(key, value, context).then(
      (next) => {
        if (this.#pending.delete(pending)) events.onWritten(systemClock.now(), next);
      },
      (error: unknown) => this.#fail(pending, error),
    );
    return null;
  }

  #begin(now: Instant, events: OperationEvents): Pending {
    const pending = { events, deadline: after(now, this.#timeoutUs) };
    this.#pending.add(pending);
    return pending;
  }

  #fail(pending: Pending, error: unknown): void {
    if (!this.#pending.delete(pending)) return;
    const told = error instanceof RingtailError ? error : new RingtailError("CONNECTION_LOST", String(error));
    pending.events.onFailure(systemClock.now(), told);
  }

  /** Fails what is over its time. */
  expire(now: Instant): void {
    for (const pending of this.#pending) {
      if (pending.deadline > now) return;
      this.#fail(pending, new RingtailError("DEADLINE_EXCEEDED"));
    }
  }

  flush(): void {}

  wantTurn(turn: (now: Instant) => void): void {
    this.#system.wantTurn(turn);
  }
}
