/**
 * Bucket: what an application does with the keys of one bucket. Arguments are checked before anything is sent; what is
 * wrong with them rejects the call's promise, like every other error.
 *
 * A put never overwrites what it has not read: without the context of a get it adds a sibling (Dynamo 4.4). `update` is
 * the loop that most applications want.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import type { GetReply, PutReply } from "../wire/gen/codecs.ts";
import { Call, type CallHost, type ReplyReader } from "./call.ts";
import type { Codec } from "./codecs.ts";
import { Context } from "./context.ts";
import { MultiGet } from "./multi-get.ts";
import {
  bucketBytes,
  type CallOptions,
  callNames,
  checkOptions,
  checkSignal,
  keyBytes,
  type OptionNames,
  type RequestSettings,
  resolveOptions,
  valueBytes,
  type WriteOptions,
  writeNames,
} from "./options.ts";
import { receiptOf } from "./receipt.ts";
import { getRequest, putRequest, type Request, type RequestOptions } from "./request.ts";
import { type GetResult, getResultOf, type PutResult, type UpdateResult } from "./results.ts";
import { timingOf } from "./timing.ts";

/** Rounds of one update: each repeats the get because the put was refused for too many siblings. */
const updateRoundsMax = 5;

class GetReader<T> implements ReplyReader<GetReply, GetResult<T>> {
  readonly #host: CallHost;
  readonly #codec: Codec<T>;

  constructor(host: CallHost, codec: Codec<T>) {
    this.#host = host;
    this.#codec = codec;
  }

  read(now: Instant, request: Request<GetReply>, reply: GetReply): GetResult<T> {
    const receipt = receiptOf(this.#host.core.ring, timingOf(now, request), reply);
    return getResultOf(this.#codec, reply.record, reply.context, receipt);
  }
}

class PutReader implements ReplyReader<PutReply, PutResult> {
  readonly #host: CallHost;

  constructor(host: CallHost) {
    this.#host = host;
  }

  read(now: Instant, request: Request<PutReply>, reply: PutReply): PutResult {
    const receipt = receiptOf(this.#host.core.ring, timingOf(now, request), reply);
    return { context: Context.of(reply.context), receipt };
  }
}

/** Made by `Client.bucket`; cheap, and may be kept. */
export class Bucket<T> {
  readonly name: string;
  readonly #host: CallHost;
  readonly #bytes: Uint8Array;
  readonly #codec: Codec<T>;
  readonly #defaults: RequestOptions;
  readonly #getReader: GetReader<T>;
  readonly #putReader: PutReader;

  constructor(
    host: CallHost,
    name: string,
    codec: Codec<T>,
    clientDefaults: RequestOptions,
    settings: RequestSettings | undefined,
  ) {
    this.name = name;
    this.#host = host;
    this.#bytes = bucketBytes(name);
    this.#codec = codec;
    this.#defaults = resolveOptions(clientDefaults, settings, host.core.ring.policyOf(this.#bytes));
    this.#getReader = new GetReader(host, codec);
    this.#putReader = new PutReader(host);
  }

  /** All concurrent values of a key, and the context to replace them with. */
  get(key: string | Uint8Array, options?: CallOptions): Promise<GetResult<T>> {
    try {
      return this.#get(keyBytes(key), this.#resolve(options, callNames), options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Writes a value. With a context it replaces exactly what was read; without one it replaces nothing. */
  put(key: string | Uint8Array, value: T, options?: WriteOptions): Promise<PutResult> {
    try {
      const bytes = valueBytes(this.#codec, value);
      return this.#write(keyBytes(key), bytes, options?.context, this.#resolve(options, writeNames), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Get, merge, put: `merge` is given all siblings (none: no such key) and returns the value that replaces them, or
   * undefined to leave the key as it is. It may run several times. The options' timeout spans everything.
   */
  async update(
    key: string | Uint8Array,
    merge: (siblings: T[]) => T | undefined | Promise<T | undefined>,
    options?: CallOptions,
  ): Promise<UpdateResult<T>> {
    if (typeof merge !== "function") throw invalid(`merge is ${typeof merge}; allowed: a function of the siblings`);
    const bytes = keyBytes(key);
    const resolved = this.#resolve(options, callNames);
    const deadline = this.#deadlineOf(resolved);
    for (let round = 1; ; round += 1) {
      const read = await this.#get(bytes, this.#remaining(resolved, deadline), options?.signal);
      const value = await merge(read.siblings);
      if (value === undefined) return { context: read.context, receipt: read.receipt, value };
      const toWrite = valueBytes(this.#codec, value);
      try {
        const left = this.#remaining(resolved, deadline);
        const written = await this.#write(bytes, toWrite, read.context, left, { signal: options?.signal });
        return { context: written.context, receipt: written.receipt, value };
      } catch (error) {
        // The put itself was retried under its request id; only a new get can cure this one.
        const isCurable = error instanceof RingtailError && error.code === "TOO_MANY_SIBLINGS";
        if (!isCurable || round === updateRoundsMax) throw error;
      }
    }
  }

  /** Deletes what the context has read; without one, what a get finds now. A key without a value stays as it is. */
  async delete(key: string | Uint8Array, options?: WriteOptions): Promise<PutResult> {
    const bytes = keyBytes(key);
    const resolved = this.#resolve(options, writeNames);
    if (options?.context !== undefined) return this.#write(bytes, null, options.context, resolved, options);
    const deadline = this.#deadlineOf(resolved);
    const read = await this.#get(bytes, resolved, options?.signal);
    if (read.versions.length === read.tombstones) return { context: read.context, receipt: read.receipt };
    return this.#write(bytes, null, read.context, this.#remaining(resolved, deadline), options);
  }

  /** Many keys at once, with one frame per node: for each key, in order, its result or its error. */
  getMany(keys: readonly (string | Uint8Array)[], options?: CallOptions): Promise<(GetResult<T> | RingtailError)[]> {
    try {
      if (!Array.isArray(keys)) throw invalid(`the keys are ${typeof keys}; allowed: an array`);
      return this.#getMany(keys.map(keyBytes), this.#resolve(options, callNames), options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #resolve<T extends CallOptions>(options: T | undefined, names: OptionNames<T>): RequestOptions {
    checkOptions("the options", options, names);
    checkSignal(options?.signal);
    return resolveOptions(this.#defaults, options, this.#host.core.ring.policyOf(this.#bytes));
  }

  #deadlineOf(options: RequestOptions): Instant {
    return after(this.#host.env.now(), options.timeoutUs);
  }

  /** The same options with the time that is left. */
  #remaining(options: RequestOptions, deadline: Instant): RequestOptions {
    const timeoutUs = deadline - this.#host.env.now();
    if (timeoutUs > 0) return { ...options, timeoutUs };
    throw new RingtailError("DEADLINE_EXCEEDED", "the time was over before the last step; nothing was written");
  }

  #get(key: Uint8Array, options: RequestOptions, signal: AbortSignal | undefined): Promise<GetResult<T>> {
    const call = new Call(this.#getReader);
    return call.begin(this.#host, getRequest(this.#bytes, key, options, call), signal);
  }

  #write(
    key: Uint8Array,
    value: Uint8Array | null,
    context: Context | undefined,
    options: RequestOptions,
    given: WriteOptions | undefined,
  ): Promise<PutResult> {
    const contextBytes = context === undefined ? noBytes : contextBytesOf(context);
    const requestId = given?.requestId === undefined ? this.#host.env.randomBytes(16) : checkedId(given.requestId);
    const call = new Call(this.#putReader);
    const request = putRequest(this.#bytes, key, value, contextBytes, requestId, options, call);
    return call.begin(this.#host, request, given?.signal);
  }

  #getMany(
    keys: readonly Uint8Array[],
    options: RequestOptions,
    signal: AbortSignal | undefined,
  ): Promise<(GetResult<T> | RingtailError)[]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (keys.length === 0) return Promise.resolve([]);
    const host = this.#host;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        multiGet.cancel(host.env.now());
        reject(signal?.reason);
      };
      const multiGet = new MultiGet<T>({
        host,
        bucket: this.#bytes,
        codec: this.#codec,
        options,
        single: this.#getReader,
        keyCount: keys.length,
        onDone: (results) => {
          signal?.removeEventListener("abort", onAbort);
          resolve(results);
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      multiGet.start(host.env.now(), keys);
    });
  }
}

function invalid(message: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", message);
}

function contextBytesOf(context: Context): Uint8Array {
  if (context instanceof Context) return context.bytes;
  throw invalid("the context is none: pass what a get or put returned, or Context.parse(text)");
}

function checkedId(requestId: Uint8Array): Uint8Array {
  if (requestId instanceof Uint8Array && requestId.length === 16) return requestId;
  throw invalid("a request id is a Uint8Array of 16 bytes");
}
