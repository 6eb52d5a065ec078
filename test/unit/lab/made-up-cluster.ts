/** A cluster on made-up time for the generator's tests: one record per key, a fixed service time, freezes on demand. */
import { noBytes, utf8Text } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { after, type Instant, instant } from "../../../src/base/time.ts";
import { type AnyReply, type Request, type RequestEvents, RequestKind } from "../../../src/client/request.ts";
import type { Target } from "../../../src/lab/target.ts";
import { recordBody, sealRecord } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import type { GetReply, PutReply } from "../../../src/wire/codec.ts";

interface Waiting {
  readonly at: Instant;
  readonly request: Request<AnyReply>;
  readonly isRefused: boolean;
}

/** The value and the context under a key. */
export interface Stored {
  readonly value: Uint8Array;
  readonly context: Uint8Array;
  readonly record: Uint8Array;
}

const common = { epoch: 1, acks: [], coordinator: 1, elapsedUs: 1, stalePossible: false };

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
  readonly #records: Map<Uint8Array, Uint8Array> = new Map();
  readonly #waiting: Waiting[] = [];
  #now: Instant = instant(0);
  #frozenFrom: Instant = instant(0);
  #frozenTo: Instant = instant(0);
  #turn: ((now: Instant) => void) | undefined;
  #ids = 0;
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

  begin(now: Instant, request: Request<AnyReply>): RingtailError | null {
    let at = after(now, this.#serviceUs);
    if (at >= this.#frozenFrom && at < this.#frozenTo) at = this.#frozenTo;
    const isRefused = this.#waiting.length >= this.inFlightMax;
    this.#waiting.push({ at, request, isRefused });
    this.mostInFlight = Math.max(this.mostInFlight, this.#waiting.length);
    return null;
  }

  flush(): void {}

  wantTurn(turn: (now: Instant) => void): void {
    this.#turn = turn;
  }

  requestId(): Uint8Array {
    this.#ids += 1;
    return new Uint8Array(16).fill(this.#ids & 0xff);
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
      if (first.isRefused) this.#refuse(first.request);
      else this.#answer(first.request);
    }
    const turn = this.#turn;
    this.#turn = undefined;
    turn?.(now);
  }

  /** Runs until nothing is left to happen. */
  runToEnd(): void {
    for (let next = this.next(); next !== undefined; next = this.next()) this.advance(next);
  }

  #refuse(request: Request<AnyReply>): void {
    this.refused += 1;
    request.events.onFailure(this.#now, request, new RingtailError("OVERLOADED"));
  }

  #answer(request: Request<AnyReply>): void {
    const failure = this.failures.shift();
    if (failure !== undefined) request.events.onFailure(this.#now, request, failure);
    else if (request.kind === RequestKind.get) this.#answerGet(request);
    else this.#answerPut(request);
  }

  #answerGet(request: Request<AnyReply>): void {
    this.gets += 1;
    const stored = this.data.get(utf8Text(request.key));
    const { record, context } = stored ?? { record: noBytes, context: noBytes };
    const reply: GetReply = { ...common, record, context };
    (request.events as RequestEvents<GetReply>).onReply(this.#now, request as Request<GetReply>, reply);
  }

  #recordOf(value: Uint8Array): Uint8Array {
    const record = this.#records.get(value) ?? recordOf([value]);
    this.#records.set(value, record);
    return record;
  }

  #answerPut(request: Request<AnyReply>): void {
    const key = utf8Text(request.key);
    this.puts.push({ key, context: request.context.slice() });
    this.#contexts += 1;
    const context = new Uint8Array(20).fill(this.#contexts & 0xff);
    this.data.set(key, { value: request.value, context, record: this.#recordOf(request.value) });
    const reply: PutReply = { ...common, context, forwardedBy: 0 };
    (request.events as RequestEvents<PutReply>).onReply(this.#now, request as Request<PutReply>, reply);
  }
}

/** The body of a record with these values, none of which has seen another. */
export function recordOf(values: readonly Uint8Array[]): Uint8Array {
  let set = SiblingSet.empty;
  for (const [i, value] of values.entries()) {
    const dot = { actorHigh: (i + 1) << 16, actorLow: 7, counter: 1 };
    const requestId = new Uint8Array(16).fill(i + 1);
    const write = { context: VersionVector.empty, dot, requestId, value, tombstone: false, second: 1 };
    set = set.put({ ...write, keepRecentFor: 0 });
  }
  return recordBody(sealRecord(set));
}
