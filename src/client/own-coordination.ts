/**
 * OwnCoordination: gets that the client coordinates itself, without a node in between (Dynamo 6.4): all N owners are
 * asked for their copies at once, and the R-th answer is the application's. Where that does not work, because an owner
 * is away, busy, or still receiving the partition, a node coordinates, as ever: it knows of fallbacks and hints.
 *
 * Owners whose copies differ are repaired by a node: one is asked for the same key, and what a get finds it repairs.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { GetReply } from "../wire/gen/codecs.ts";
import { Copies } from "./copies.ts";
import { type AnyReply, copyRequest, defaultOptions, getRequest, type Request, type RequestEvents } from "./request.ts";

/** Who coordinates gets of single keys. */
export type Coordination = "node" | "client";

/** What it uses of the client. */
export interface OwnCoordinationHost {
  readonly ring: Ring;
  /** Whether a request can be sent to that node now; it is dialled if it has no connection. */
  canSendTo(now: Instant, number: number): boolean;
  /** Begins a request that a node coordinates, or that is for one node; an error: refused. */
  beginAsIs(now: Instant, request: Request<AnyReply>): RingtailError | null;
  cancel(now: Instant, request: Request<AnyReply>): void;
  /** Whether one more request than the application asked for may be sent. */
  takeRetry(now: Instant): boolean;
}

const nobody: RequestEvents<GetReply> = { onReply: () => undefined, onFailure: () => undefined };

/** One get. */
class OwnGet implements RequestEvents<GetReply> {
  readonly #host: OwnCoordinationHost;
  readonly #get: Request<GetReply>;
  readonly #copies: Copies;
  readonly #requests: Request<GetReply>[] = [];
  readonly #acks: number[] = [];
  #over = false;
  readonly #onOver: (get: Request<GetReply>) => void;

  constructor(
    host: OwnCoordinationHost,
    get: Request<GetReply>,
    copies: Copies,
    onOver: (get: Request<GetReply>) => void,
  ) {
    this.#host = host;
    this.#get = get;
    this.#copies = copies;
    this.#onOver = onOver;
  }

  /** Asks the owners; an error: refused. */
  start(now: Instant, owners: Uint16Array): RingtailError | null {
    const { bucket, key, options } = this.#get;
    this.#get.started = now;
    this.#get.sentAt = now;
    this.#get.attempts = 1;
    for (let slot = 0; slot < owners.length; slot += 1) {
      const request = copyRequest(bucket, key, owners[slot] as number, options, this);
      const refusal = this.#host.beginAsIs(now, request);
      if (refusal !== null) {
        this.cancel(now);
        return refusal;
      }
      this.#requests.push(request);
    }
    return null;
  }

  cancel(now: Instant): void {
    this.#over = true;
    for (const request of this.#requests) this.#host.cancel(now, request);
  }

  onReply(now: Instant, _request: Request<GetReply>, reply: GetReply): void {
    const copies = this.#copies;
    copies.add(reply);
    this.#acks.push(reply.coordinator);
    if (!this.#over && copies.isMet) this.#answer(now, reply);
    this.#settle(now);
  }

  onFailure(now: Instant, _request: Request<GetReply>, error: RingtailError): void {
    this.#copies.fail();
    if (!this.#over && error.code === "CLIENT_CLOSED") {
      this.#end();
      this.#get.events.onFailure(now, this.#get, error);
    } else if (!this.#over && this.#copies.isImpossible) this.#passOn(now);
    this.#settle(now);
  }

  #end(): void {
    this.#over = true;
    this.#onOver(this.#get);
  }

  #answer(now: Instant, last: GetReply): void {
    const merged = this.#copies.merged();
    if (merged === null) {
      this.#passOn(now);
      return;
    }
    this.#end();
    const { bucket, options, events } = this.#get;
    const policy = this.#host.ring.policyOf(bucket);
    const stalePossible = (options.r || policy.r) + (options.w || policy.w) <= policy.n;
    const { epoch, elapsedUs, lww } = last;
    events.onReply(now, this.#get, {
      ...{ record: merged.record, context: merged.context, epoch, acks: this.#acks },
      ...{ coordinator: 0, elapsedUs, stalePossible, lww, hedged: false, queue: 0, busy: 0, slow: false, phases: [] },
    });
  }

  /** A node coordinates after all, in the time that is left. */
  #passOn(now: Instant): void {
    this.#over = true;
    const get = this.#get;
    const timeoutUs = Math.max(1, get.options.timeoutUs - (now - get.started));
    const again = getRequest(
      get.bucket,
      get.key,
      { ...get.options, timeoutUs },
      {
        onReply: (at, asked, reply) => {
          get.sentAt = asked.sentAt;
          get.attempts = 1 + asked.attempts;
          this.#onOver(get);
          get.events.onReply(at, get, reply);
        },
        onFailure: (at, _asked, error) => {
          this.#onOver(get);
          get.events.onFailure(at, get, error);
        },
      },
    );
    for (const request of this.#requests) this.#host.cancel(now, request);
    this.#requests.length = 0;
    this.#requests.push(again);
    const refusal = this.#host.beginAsIs(now, again);
    if (refusal === null) return;
    this.#onOver(get);
    get.events.onFailure(now, get, refusal);
  }

  /** Everybody has answered. */
  #settle(now: Instant): void {
    const { isOver, differ } = this.#copies;
    if (!isOver || !differ || !this.#host.takeRetry(now)) return;
    const { bucket, key, options } = this.#get;
    this.#host.beginAsIs(now, getRequest(bucket, key, { ...defaultOptions, timeoutUs: options.timeoutUs }, nobody));
  }
}

export class OwnCoordination {
  readonly #host: OwnCoordinationHost;
  /** Gets that have not ended. */
  readonly #gets = new Map<Request<AnyReply>, OwnGet>();

  constructor(host: OwnCoordinationHost) {
    this.#host = host;
  }

  /** Begins the get, if it can be coordinated here now; undefined: a node must. An error: refused. */
  begin(now: Instant, get: Request<GetReply>): RingtailError | null | undefined {
    const { ring } = this.#host;
    const { n, r, pr, hostConfirms } = get.options;
    if (n !== 0 || hostConfirms !== 0) return undefined;
    const policy = ring.policyOf(get.bucket);
    const owners = ring.preferenceList(ring.partitionOf(get.hashHigh), policy.n).subarray(0, policy.n);
    if (owners.length < policy.n) return undefined;
    for (const number of owners) if (!this.#host.canSendTo(now, number)) return undefined;
    const needed = Math.max(r === 0 ? policy.r : r, pr);
    const own = new OwnGet(this.#host, get, new Copies(policy.n, needed), (ended) => this.#gets.delete(ended));
    this.#gets.set(get, own);
    const refusal = own.start(now, owners);
    if (refusal !== null) this.#gets.delete(get);
    return refusal;
  }

  /** Whether the get was this one's; it is given up. */
  cancel(now: Instant, get: Request<AnyReply>): boolean {
    const own = this.#gets.get(get);
    if (own === undefined) return false;
    this.#gets.delete(get);
    own.cancel(now);
    return true;
  }
}
