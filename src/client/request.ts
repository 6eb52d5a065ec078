/**
 * Request: one get, put, delete or multi-get in flight, and the callbacks it ends in. This is the SDK's own low-level
 * interface, without promises, which the load generator drives through `Client.raw`: internal, and free to change.
 * One object per request, with every field set in one order; arguments come first, then what the core keeps.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import type { ErrorCode, RingtailError } from "../base/errors.ts";
import { fullKeyOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { instant } from "../base/time.ts";
import { fastestOf } from "../version/context.ts";
import type { MessageCodec } from "../wire/codec.ts";
import { GetReply, MultiGetReply, PutReply } from "../wire/gen/codecs.ts";

/** What is asked. The values index tables; they are not on the wire. */
export const RequestKind = { get: 0, put: 1, delete: 2, multiGet: 3, copy: 4 } as const;
/** One of the kinds. */
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

/** Checked numbers as the wire takes them: 0 or false stands for the bucket's. Shared between requests. */
export interface RequestOptions {
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly pr: number;
  readonly pw: number;
  readonly dw: number;
  readonly hostConfirms: number;
  readonly strict: boolean;
  readonly overwrite: boolean;
  readonly durability: Durability;
  readonly timeoutUs: DurationUs;
}

/** Nothing of its own, and one second. */
export const defaultOptions: RequestOptions = {
  n: 0,
  r: 0,
  w: 0,
  pr: 0,
  pw: 0,
  dw: 0,
  hostConfirms: 0,
  strict: false,
  overwrite: false,
  durability: Durability.bucket,
  timeoutUs: 1_000_000,
};

/** What every reply says. */
export interface AnyReply {
  readonly epoch: number;
  readonly coordinator: number;
  readonly elapsedUs: number;
  /** What the coordinator says of itself: requests that it works on, how busy it is, of 100, and whether its store is slow. */
  readonly queue: number;
  readonly busy: number;
  readonly slow: boolean;
}

/** An attempt that was sent and is not answered. */
export interface Attempt {
  readonly node: number;
  readonly connection: number;
  readonly number: number;
  readonly sentAt: Instant;
}

/** How a request ends: exactly one of the two, unless it was cancelled; never inside the call that began it. */
export interface RequestEvents<R extends AnyReply> {
  /** The answer. Its bytes are borrowed: copy what outlives this call. */
  onReply(now: Instant, request: Request<R>, reply: R): void;
  onFailure(now: Instant, request: Request<R>, error: RingtailError): void;
}

/** Where a request is. */
export const RequestState = { waiting: 0, sent: 1, delayed: 2, ended: 3 } as const;
/** One of the states. */
export type RequestState = (typeof RequestState)[keyof typeof RequestState];

const hash = new Hash64();
const noKeys: readonly Uint8Array[] = [];

export class Request<R extends AnyReply> {
  readonly kind: RequestKind;
  readonly bucket: Uint8Array;
  /** The key; of a multi-get the first one, which decides where it goes. */
  readonly key: Uint8Array;
  /** Of a multi-get. */
  readonly keys: readonly Uint8Array[];
  readonly hashHigh: number;
  /** Must not change until the request has ended: a retry sends it again. */
  readonly value: Uint8Array;
  readonly context: Uint8Array;
  /** 16 bytes for a put and a delete. The same in every attempt: that makes them one write. */
  readonly requestId: Uint8Array;
  readonly options: RequestOptions;
  readonly codec: MessageCodec<R>;
  readonly events: RequestEvents<R>;
  /** The node that should be tried first, by its number; 0: any. */
  readonly prefer: number;

  id = -1;
  state: RequestState = RequestState.ended;
  /** Attempts so far. */
  attempts = 0;
  /** How the last attempt ended after which a put may have happened although it was not acknowledged; null: none. */
  uncertain: ErrorCode | null = null;
  /** The number of the node that the last attempt failed at; 0: none. */
  failedAt = 0;
  started: Instant = instant(0);
  deadline: Instant = instant(0);
  /** Of the attempt under way: which one it is, from 0, and when it was sent. */
  attempt = 0;
  sentAt: Instant = instant(0);
  /** A get that was late: the other attempt that is under way; null: there is none. */
  other: Attempt | null = null;
  /** A get that was asked of a second node because the first was late. */
  hedged = false;
  /** While delayed: when the next attempt begins. */
  dueAt: Instant = instant(0);
  /** The number of the node it waits at or was sent to; 0: none. */
  node = 0;
  /** While sent: the connection's id; 0: none. */
  connection = 0;
  previousWaiting: Request<AnyReply> | undefined = undefined;
  nextWaiting: Request<AnyReply> | undefined = undefined;

  constructor(fields: RequestFields, codec: MessageCodec<R>, events: RequestEvents<R>) {
    this.kind = fields.kind;
    this.bucket = fields.bucket;
    this.key = fields.key;
    this.keys = fields.keys;
    hashKey(fullKeyOf(fields.bucket, fields.key), hash);
    this.hashHigh = hash.high;
    this.value = fields.value;
    this.context = fields.context;
    this.requestId = fields.requestId;
    this.options = fields.options;
    this.codec = codec;
    this.events = events;
    this.prefer = fields.prefer === 0 ? fastestOf(fields.context) : fields.prefer;
  }

  /** How many of a connection's places it takes: nodes count each key of a multi-get. */
  get weight(): number {
    return this.kind === RequestKind.multiGet ? this.keys.length : 1;
  }

  /** Whether it is for one node alone: it is tried once, there. */
  get isPinned(): boolean {
    return this.kind === RequestKind.copy;
  }

  get isWrite(): boolean {
    return this.kind === RequestKind.put || this.kind === RequestKind.delete;
  }
}

interface RequestFields {
  kind: RequestKind;
  bucket: Uint8Array;
  key: Uint8Array;
  keys: readonly Uint8Array[];
  value: Uint8Array;
  context: Uint8Array;
  requestId: Uint8Array;
  options: RequestOptions;
  prefer: number;
}

// Filled in for each new request, which reads it at once: arguments by name without an object per request.
const fields: RequestFields = {
  kind: RequestKind.get,
  bucket: noBytes,
  key: noBytes,
  keys: noKeys,
  value: noBytes,
  context: noBytes,
  requestId: noBytes,
  options: defaultOptions,
  prefer: 0,
};

function fill(kind: RequestKind, bucket: Uint8Array, key: Uint8Array, options: RequestOptions): RequestFields {
  fields.kind = kind;
  fields.bucket = bucket;
  fields.key = key;
  fields.keys = noKeys;
  fields.value = noBytes;
  fields.context = noBytes;
  fields.requestId = noBytes;
  fields.options = options;
  fields.prefer = 0;
  return fields;
}

/** A get. Bucket and key have been checked and stay unchanged until it ends. */
export function getRequest(
  bucket: Uint8Array,
  key: Uint8Array,
  options: RequestOptions,
  events: RequestEvents<GetReply>,
): Request<GetReply> {
  return new Request(fill(RequestKind.get, bucket, key, options), GetReply, events);
}

/** A get of the copy that one owner holds, from the node of number `owner` and no other. */
export function copyRequest(
  bucket: Uint8Array,
  key: Uint8Array,
  owner: number,
  options: RequestOptions,
  events: RequestEvents<GetReply>,
): Request<GetReply> {
  fill(RequestKind.copy, bucket, key, options);
  fields.prefer = owner;
  return new Request(fields, GetReply, events);
}

/** A put of `value`, or with a null value a delete. All bytes stay unchanged until it ends. */
export function putRequest(
  bucket: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | null,
  context: Uint8Array,
  requestId: Uint8Array,
  options: RequestOptions,
  events: RequestEvents<PutReply>,
): Request<PutReply> {
  fill(value === null ? RequestKind.delete : RequestKind.put, bucket, key, options);
  fields.value = value ?? noBytes;
  fields.context = context;
  fields.requestId = requestId;
  return new Request(fields, PutReply, events);
}

/** A get of 1..256 keys of one bucket from the node of number `prefer`, an owner of all of them. */
export function multiGetRequest(
  bucket: Uint8Array,
  keys: readonly Uint8Array[],
  prefer: number,
  options: RequestOptions,
  events: RequestEvents<MultiGetReply>,
): Request<MultiGetReply> {
  fill(RequestKind.multiGet, bucket, keys[0] as Uint8Array, options);
  fields.keys = keys;
  fields.prefer = prefer;
  return new Request(fields, MultiGetReply, events);
}
