/** A cluster on made-up time for the generator's tests: one record per key, a fixed service time, freezes on demand. */
import { noBytes, utf8Text } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { after, type Instant, instant } from "../../../src/base/time.ts";
import type { OperationEvents, Target } from "../../../src/lab/target.ts";

interface Waiting {
  readonly at: Instant;
  readonly key: string;
  /** Undefined: a get. */
  readonly value: Uint8Array | undefined;
  readonly context: Uint8Array;
  readonly events: OperationEvents;
  readonly isRefused: boolean;
}

/** The value and the context under a key. */
export interface Stored {
  readonly value: Uint8Array;
  readonly context: Uint8Array;
}

export class MadeUpCluster implements Target {
  readonly data: Map<string, Stored> = new Map();
  /** What puts carried, in order. */
  readonly puts: { readonly key: string; readonly context: Uint8Array }[] = [];
  gets = 0;
  mostInFlight = 0;
  /** Errors for the next requests, in order. */
  readonly failures: RingtailError[] = [];
  /** Above so many in flight it refuses what comes. */
  inFlightMax: number = Number.POSITIVE_INFINITY;
  refused = 0;
  readonly #serviceUs: number;
  readonly #waiting: Waiting[] = [];
  #now: Instant = instant(0);
  #frozenFrom: Instant = instant(0);
  #frozenTo: Instant = instant(0);
  #turn: ((now: Instant) => void) | undefined;
  #contexts = 0;

  constructor(serviceUs: number) {
    this.#serviceUs = serviceUs;
  }

  /** No answer leaves in between; those that were due then leave at the end. */
  freeze(from: Instant, to: Instant): void {
    this.#frozenFrom = from;
    this.#frozenTo = to;
  }

  now(): Instant {
    return this.#now;
  }

  get(now: Instant, key: Uint8Array, events: OperationEvents): null {
    return this.#begin(now, { key: utf8Text(key), value: undefined, context: noBytes, events });
  }

  put(now: Instant, key: Uint8Array, value: Uint8Array, context: Uint8Array, events: OperationEvents): null {
    return this.#begin(now, { key: utf8Text(key), value, context, events });
  }

  #begin(now: Instant, asked: Omit<Waiting, "at" | "isRefused">): null {
    let at = after(now, this.#serviceUs);
    if (at >= this.#frozenFrom && at < this.#frozenTo) at = this.#frozenTo;
    const isRefused = this.#waiting.length >= this.inFlightMax;
    this.#waiting.push({ at, ...asked, isRefused });
    this.mostInFlight = Math.max(this.mostInFlight, this.#waiting.length);
    return null;
  }

  flush(): void {}

  wantTurn(turn: (now: Instant) => void): void {
    this.#turn = turn;
  }

  /** The next instant at which something happens here; undefined: nothing will. */
  next(): Instant | undefined {
    if (this.#turn !== undefined) return this.#now;
    return this.#waiting[0]?.at;
  }

  /** Time goes on to `now`: answers that are due are given, in order, then the turn ends. */
  advance(now: Instant): void {
    this.#now = now;
    for (let first = this.#waiting[0]; first !== undefined && first.at <= now; first = this.#waiting[0]) {
      this.#waiting.shift();
      if (first.isRefused) this.#refuse(first);
      else this.#answer(first);
    }
    const turn = this.#turn;
    this.#turn = undefined;
    turn?.(now);
  }

  /** Runs until nothing is left to happen. */
  runToEnd(): void {
    for (let next = this.next(); next !== undefined; next = this.next()) this.advance(next);
  }

  #refuse({ events }: Waiting): void {
    this.refused += 1;
    events.onFailure(this.#now, new RingtailError("OVERLOADED"));
  }

  #answer(waiting: Waiting): void {
    const failure = this.failures.shift();
    if (failure !== undefined) waiting.events.onFailure(this.#now, failure);
    else if (waiting.value === undefined) this.#answerGet(waiting);
    else this.#answerPut(waiting, waiting.value);
  }

  #answerGet({ key, events }: Waiting): void {
    this.gets += 1;
    const stored = this.data.get(key);
    const siblings = stored === undefined ? 0 : 1;
    events.onGot(this.#now, { context: stored?.context ?? noBytes, siblings, valueBytes: stored?.value.length });
  }

  #answerPut({ key, context: given, events }: Waiting, value: Uint8Array): void {
    this.puts.push({ key, context: given.slice() });
    this.#contexts += 1;
    const context = new Uint8Array(20).fill(this.#contexts & 0xff);
    context[0] = 1;
    this.data.set(key, { value, context });
    events.onWritten(this.#now, context);
  }
}
