/**
 * Ledger: every request that has not ended, by frame id, by deadline, and by the instant of its next attempt. A frame id
 * is the slab id (29 bits) and above it the attempt, so the answer to an attempt that was given up finds nothing. A get that
 * was asked twice (hedging) is found by either; whichever is found becomes the attempt that counts.
 */
import { assert } from "../base/assert.ts";
import { DeadlineQueue } from "../base/deadlines.ts";
import { Slab } from "../base/slab.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { type AnyReply, type Attempt, type Request, RequestState } from "./request.ts";

const idMask = 0x1fff_ffff;
const attemptShift = 29;
const attemptMask = 7;

export class Ledger {
  readonly #requests: Slab<Request<AnyReply>>;
  readonly #deadlines = new DeadlineQueue();
  /** When a first attempt has had its half of the time. */
  readonly #halves = new DeadlineQueue();
  /** When gets that are not answered may be asked of another node, too. */
  readonly #hedges = new DeadlineQueue();
  readonly #delayed: Request<AnyReply>[] = [];

  constructor(inFlightMax: number) {
    this.#requests = new Slab(inFlightMax);
  }

  get size(): number {
    return this.#requests.size;
  }

  get full(): boolean {
    return this.#requests.full;
  }

  /** Takes in a request, which gets its id and its deadline. The ledger must not be full. */
  add(now: Instant, request: Request<AnyReply>): void {
    assert(request.id === -1, "a request begins once");
    request.id = this.#requests.add(request);
    request.started = now;
    request.deadline = this.#deadlines.push(now, request.id, request.options.timeoutUs);
    this.#halves.push(now, request.id, Math.max(1, request.options.timeoutUs >>> 1));
  }

  /** Forgets a request that is neither sent, waiting nor delayed any more. */
  end(request: Request<AnyReply>): void {
    request.state = RequestState.ended;
    this.#requests.remove(request.id);
  }

  /** The frame id of an attempt of the request. */
  frameIdOf(request: Request<AnyReply>, attempt: number): number {
    return (request.id | ((attempt & attemptMask) << attemptShift)) >>> 0;
  }

  /** The request whose attempt under way has this frame id, if it was sent on this connection. */
  find(frameId: number, connection: number): Request<AnyReply> | undefined {
    const request = this.#requests.get(frameId & idMask);
    if (request === undefined) return undefined;
    const attempt = frameId >>> attemptShift;
    if (request.connection === connection && (request.attempt & attemptMask) === attempt) return request;
    const { other } = request;
    if (other === null || other.connection !== connection || (other.number & attemptMask) !== attempt) return undefined;
    exchangeAttempts(request, other);
    return request;
  }

  /** Those that were sent on a connection; of a get asked twice that attempt is the one that counts. Walks all. */
  sentOn(connection: number): readonly Request<AnyReply>[] {
    const found: Request<AnyReply>[] = [];
    this.#requests.forEach((request) => {
      if (request.connection !== connection && request.other?.connection === connection) {
        exchangeAttempts(request, request.other);
      }
      if (request.connection === connection) found.push(request);
    });
    return found;
  }

  /** The attempt that counted has failed: the other one counts, alone. */
  useOther(request: Request<AnyReply>): void {
    assert(request.other !== null, "there is another attempt");
    exchangeAttempts(request, request.other);
    request.other = null;
  }

  /** Has `nextLate` find the get if it is not answered so long after now. */
  hedgeAfter(now: Instant, request: Request<AnyReply>, delay: DurationUs): void {
    this.#hedges.push(now, request.id, delay);
  }

  /** One get whose only attempt is late. Call until undefined. */
  nextLate(now: Instant): Request<AnyReply> | undefined {
    for (let id = this.#hedges.expired(now); id >= 0; id = this.#hedges.expired(now)) {
      const request = this.#requests.get(id);
      if (request?.state === RequestState.sent && request.attempts === 1) return request;
    }
    return undefined;
  }

  all(): readonly Request<AnyReply>[] {
    const found: Request<AnyReply>[] = [];
    this.#requests.forEach((request) => {
      found.push(request);
    });
    return found;
  }

  /** Keeps a request until its next attempt. The budget of retries bounds how many there are. */
  delay(request: Request<AnyReply>, dueAt: Instant): void {
    request.state = RequestState.delayed;
    request.dueAt = dueAt;
    this.#delayed.push(request);
  }

  /** Takes a delayed request out before its time. */
  undelay(request: Request<AnyReply>): void {
    const index = this.#delayed.indexOf(request);
    assert(index >= 0, "a delayed request is in the list");
    this.#delayed.splice(index, 1);
  }

  /** Takes out one request whose next attempt is due. Call until undefined. */
  takeDue(now: Instant): Request<AnyReply> | undefined {
    const request = this.#delayed.find((one) => one.dueAt <= now);
    if (request !== undefined) this.undelay(request);
    return request;
  }

  /** One request whose deadline has passed. Call until undefined, ending each. */
  nextExpired(now: Instant): Request<AnyReply> | undefined {
    for (let id = this.#deadlines.expired(now); id >= 0; id = this.#deadlines.expired(now)) {
      const request = this.#requests.get(id);
      if (request !== undefined) return request;
    }
    return undefined;
  }

  /** One request whose first attempt has used half of the time and is still under way. Call until undefined. */
  nextSlow(now: Instant): Request<AnyReply> | undefined {
    for (let id = this.#halves.expired(now); id >= 0; id = this.#halves.expired(now)) {
      const request = this.#requests.get(id);
      const slow = request?.state === RequestState.sent && request.attempts === 1;
      if (slow && request.deadline - now <= request.options.timeoutUs >>> 1) return request;
    }
    return undefined;
  }

  nextTick(): Instant {
    let next = Math.min(this.#deadlines.next(), this.#halves.next(), this.#hedges.next()) as Instant;
    for (const { dueAt } of this.#delayed) if (dueAt < next) next = dueAt;
    return next;
  }
}

/** Makes the other attempt the one that counts. */
function exchangeAttempts(request: Request<AnyReply>, other: Attempt): void {
  request.other = attemptOf(request);
  request.node = other.node;
  request.connection = other.connection;
  request.attempt = other.number;
  request.sentAt = other.sentAt;
}

/** The attempt that counts, as one that may come to be the other. */
export function attemptOf(request: Request<AnyReply>): Attempt {
  return {
    node: request.node,
    connection: request.connection,
    number: request.attempt,
    sentAt: request.sentAt,
  };
}
