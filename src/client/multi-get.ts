/**
 * MultiGet: many gets of one bucket, with one frame per node. Every key has an answer of its own: one that did not fit
 * into its frame, or that failed in a way that another attempt may cure, is asked for again by itself, and a slow or
 * failed key never fails the others.
 */
import { codeOf, errorTable, RingtailError, statusOk } from "../base/errors.ts";
import { fullKeyOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import type { GetReply, MultiGetReply, MultiGetResult } from "../wire/gen/codecs.ts";
import { keysPerMultiGetMax } from "../wire/limits.ts";
import type { CallHost, ReplyReader } from "./call.ts";
import type { Codec } from "./codecs.ts";
import { receiptOf } from "./receipt.ts";
import { getRequest, multiGetRequest, type Request, type RequestEvents, type RequestOptions } from "./request.ts";
import { type GetResult, getResultOf } from "./results.ts";
import { timingOf } from "./timing.ts";

/** Keys in one frame are also bounded by their bytes, so that a frame is written in one piece of bearable size. */
const keysBytesPerFrame = 64 * 1024;

/** The keys that go into one frame, and where they are in the caller's list. */
class Group {
  readonly node: number;
  readonly keys: Uint8Array[] = [];
  readonly indexes: number[] = [];
  bytes = 0;

  constructor(node: number) {
    this.node = node;
  }

  hasRoom(key: Uint8Array): boolean {
    return this.keys.length < keysPerMultiGetMax && this.bytes + key.length <= keysBytesPerFrame;
  }

  add(key: Uint8Array, index: number): void {
    this.keys.push(key);
    this.indexes.push(index);
    this.bytes += key.length;
  }
}

const hash = new Hash64();

/** One call of `getMany`. `onDone` is called once, with the answers in the order of the keys. */
export class MultiGet<T> {
  readonly #host: CallHost;
  readonly #bucket: Uint8Array;
  readonly #codec: Codec<T>;
  readonly #options: RequestOptions;
  readonly #single: ReplyReader<GetReply, GetResult<T>>;
  readonly #onDone: (results: (GetResult<T> | RingtailError)[]) => void;
  readonly #results: (GetResult<T> | RingtailError)[];
  readonly #requests = new Set<Request<MultiGetReply> | Request<GetReply>>();
  #deadline: Instant;
  #left: number;
  #isCancelled = false;

  constructor(options: {
    readonly host: CallHost;
    readonly bucket: Uint8Array;
    readonly codec: Codec<T>;
    readonly options: RequestOptions;
    /** Reads the answer to a get of one key. */
    readonly single: ReplyReader<GetReply, GetResult<T>>;
    readonly keyCount: number;
    readonly onDone: (results: (GetResult<T> | RingtailError)[]) => void;
  }) {
    this.#host = options.host;
    this.#bucket = options.bucket;
    this.#codec = options.codec;
    this.#options = options.options;
    this.#single = options.single;
    this.#onDone = options.onDone;
    this.#results = new Array<GetResult<T> | RingtailError>(options.keyCount);
    this.#left = options.keyCount;
    this.#deadline = after(options.host.env.now(), options.options.timeoutUs);
  }

  start(now: Instant, keys: readonly Uint8Array[]): void {
    for (const group of this.#group(now, keys)) this.#ask(now, group);
  }

  /** Gives up everything; `onDone` is not called. */
  cancel(now: Instant): void {
    this.#isCancelled = true;
    for (const request of this.#requests) this.#host.core.cancel(now, request);
  }

  /** The keys by the node they go to. */
  #group(now: Instant, keys: readonly Uint8Array[]): readonly Group[] {
    const groups: Group[] = [];
    const open = new Map<number, Group>();
    const query = { bucket: this.#bucket, hashHigh: 0, options: this.#options, prefer: 0, failedAt: 0 };
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] as Uint8Array;
      hashKey(fullKeyOf(this.#bucket, key), hash);
      query.hashHigh = hash.high;
      const node = this.#host.core.nodeFor(now, query);
      let group = open.get(node);
      if (group === undefined || !group.hasRoom(key)) {
        group = new Group(node);
        open.set(node, group);
        groups.push(group);
      }
      group.add(key, index);
    }
    return groups;
  }

  #ask(now: Instant, group: Group): void {
    const request = multiGetRequest(this.#bucket, group.keys, group.node, this.#options, {
      onReply: (at, asked, reply) => {
        this.#requests.delete(asked);
        this.#onGroup(at, asked, group, reply);
      },
      onFailure: (_at, asked, error) => {
        this.#requests.delete(asked);
        for (const index of group.indexes) this.#settle(index, error);
      },
    });
    this.#requests.add(request);
    const refusal = this.#host.core.begin(now, request);
    if (refusal === null) return;
    this.#requests.delete(request);
    for (const index of group.indexes) this.#settle(index, refusal);
  }

  #onGroup(now: Instant, request: Request<MultiGetReply>, group: Group, reply: MultiGetReply): void {
    for (let i = 0; i < group.keys.length; i += 1) {
      const index = group.indexes[i] as number;
      const key = group.keys[i] as Uint8Array;
      const result = reply.results[i];
      if (result === undefined) {
        const text = `${group.keys.length} keys were asked for, and ${reply.results.length} were answered`;
        this.#settle(index, new RingtailError("PROTOCOL_MISMATCH", text));
      } else if (result.askAlone) this.#askAlone(now, key, index, null);
      else if (result.status === statusOk) this.#settle(index, this.#read(now, request, reply, result));
      else this.#onKeyFailed(now, key, index, result.status);
    }
  }

  #read(
    now: Instant,
    request: Request<MultiGetReply>,
    reply: MultiGetReply,
    result: MultiGetResult,
  ): GetResult<T> | RingtailError {
    const { epoch, coordinator, elapsedUs, lww } = reply;
    const { acks, stalePossible } = result;
    const fields = { epoch, coordinator, elapsedUs, acks, stalePossible, lww };
    const receipt = receiptOf(this.#host.core.ring, timingOf(now, request), fields);
    return guarded(() => getResultOf(this.#codec, result.record, result.context, receipt));
  }

  #onKeyFailed(now: Instant, key: Uint8Array, index: number, status: number): void {
    const code = codeOf(status);
    const row = errorTable[code];
    const error = new RingtailError(row.internal ? "QUORUM_NOT_MET" : code);
    if (row.retryable && code !== "DEADLINE_EXCEEDED" && this.#host.core.takeRetry(now)) {
      this.#askAlone(now, key, index, error);
    } else this.#settle(index, error);
  }

  /** Gets one key by itself in the time that is left; `error` is its answer if there is none left. */
  #askAlone(now: Instant, key: Uint8Array, index: number, error: RingtailError | null): void {
    const timeoutUs = this.#deadline - now;
    if (timeoutUs <= 0) {
      this.#settle(index, error ?? new RingtailError("DEADLINE_EXCEEDED", "the time was over before this key's turn"));
      return;
    }
    const events: RequestEvents<GetReply> = {
      onReply: (at, asked, reply) => {
        this.#requests.delete(asked);
        this.#settle(
          index,
          guarded(() => this.#single.read(at, asked, reply)),
        );
      },
      onFailure: (_at, asked, failure) => {
        this.#requests.delete(asked);
        this.#settle(index, failure);
      },
    };
    const request = getRequest(this.#bucket, key, { ...this.#options, timeoutUs }, events);
    this.#requests.add(request);
    const refusal = this.#host.core.begin(now, request);
    if (refusal === null) return;
    this.#requests.delete(request);
    this.#settle(index, refusal);
  }

  #settle(index: number, result: GetResult<T> | RingtailError): void {
    this.#results[index] = result;
    this.#left -= 1;
    if (this.#left === 0 && !this.#isCancelled) this.#onDone(this.#results);
  }
}

/** A codec that throws fails its own key only. */
function guarded<T>(read: () => GetResult<T>): GetResult<T> | RingtailError {
  try {
    return read();
  } catch (error) {
    if (error instanceof RingtailError) return error;
    return new RingtailError("INVALID_ARGUMENT", `the codec failed: ${error instanceof Error ? error.message : error}`);
  }
}
