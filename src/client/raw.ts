/**
 * RawClient: requests with callbacks instead of promises, on bytes that nobody checks. For the load generator and other
 * tools of this package, where a promise per request would be measured along with the cluster. Internal: applications use
 * `Bucket`.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { GetReply, PutReply } from "../wire/gen/codecs.ts";
import type { CallHost } from "./call.ts";
import { getRequest, putRequest, type RequestEvents, type RequestOptions } from "./request.ts";

/** Every method returns null when the request has begun (its events follow), or why it was refused (none follows). */
export class RawClient {
  readonly #host: CallHost;

  constructor(host: CallHost) {
    this.#host = host;
  }

  /** The clock that events are told. */
  now(): Instant {
    return this.#host.env.now();
  }

  get ring(): Ring {
    return this.#host.core.ring;
  }

  /** Requests that have not ended. */
  get inFlight(): number {
    return this.#host.core.inFlight;
  }

  get(
    bucket: Uint8Array,
    key: Uint8Array,
    options: RequestOptions,
    events: RequestEvents<GetReply>,
  ): RingtailError | null {
    return this.#host.core.begin(this.now(), getRequest(bucket, key, options, events));
  }

  /** `value` must not change until the request has ended. */
  put(
    bucket: Uint8Array,
    key: Uint8Array,
    value: Uint8Array,
    context: Uint8Array,
    options: RequestOptions,
    events: RequestEvents<PutReply>,
  ): RingtailError | null {
    const { core, env } = this.#host;
    return core.begin(env.now(), putRequest(bucket, key, value, context, env.randomBytes(16), options, events));
  }

  delete(
    bucket: Uint8Array,
    key: Uint8Array,
    context: Uint8Array,
    options: RequestOptions,
    events: RequestEvents<PutReply>,
  ): RingtailError | null {
    const { core, env } = this.#host;
    return core.begin(env.now(), putRequest(bucket, key, null, context, env.randomBytes(16), options, events));
  }
}
