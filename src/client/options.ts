/**
 * What an application may ask for, and the checks before anything is sent: every refusal says what was wrong and what is
 * allowed. Quorum numbers are checked against the ring's policy of the bucket; the node checks again.
 */

import { type DurabilityName, durabilityOf } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { bucketBytesMax, keyBytesMax } from "../base/full-key.ts";
import type { BucketPolicy } from "../ring/ring.ts";
import { valueBytesMax } from "../wire/limits.ts";
import { type Codec, textBytes } from "./codecs.ts";
import type { Context } from "./context.ts";
import type { Coordination } from "./own-coordination.ts";
import { defaultOptions, type RequestOptions } from "./request.ts";

/** Overrides for a bucket or for one call; what is left out is as the bucket's policy says. */
export interface RequestSettings {
  /** Replicas asked: 1 to the bucket's n. */
  readonly n?: number | undefined;
  /** Answers that a get needs: 1 to n. */
  readonly r?: number | undefined;
  /** Acknowledgements that a put needs: 1 to n. */
  readonly w?: number | undefined;
  /** Of the answers to a get, how many must be owners'. */
  readonly pr?: number | undefined;
  /** Of the acknowledgements of a put, how many must be owners'. */
  readonly pw?: number | undefined;
  /** Of the acknowledgements of a put, how many must come after a sync to disk. */
  readonly dw?: number | undefined;
  /** How many distinct hosts must be among those that answered. */
  readonly hostConfirms?: number | undefined;
  /** Only owners count, no fallbacks. */
  readonly strict?: boolean | undefined;
  /**
   * The context that a put or delete returns covers every value that its coordinator holds, those that this writer has not
   * seen included, so that the next put replaces them unread. For values that are replaced as a whole, as in a cache;
   * false, the default, never loses another's write.
   */
  readonly overwrite?: boolean | undefined;
  /** What a replica has done before it acknowledges a put. */
  readonly durability?: DurabilityName | undefined;
  /** Until the call fails with `DEADLINE_EXCEEDED`; 1 to 600,000. */
  readonly timeoutMs?: number | undefined;
}

/** Overrides for one call. */
export interface CallOptions extends RequestSettings {
  /** Aborting it rejects the call with the signal's reason. A write that was sent may still happen. */
  readonly signal?: AbortSignal | undefined;
}

/** For put and delete. */
export interface WriteOptions extends CallOptions {
  /** From a get or an earlier put of the same key: exactly what it has read is replaced. Left out: nothing is. */
  readonly context?: Context | undefined;
  /** 16 bytes that name this write: repeated calls with the same ones are one write. Drawn at random if left out. */
  readonly requestId?: Uint8Array | undefined;
}

/** For `Client.bucket`. */
export interface BucketOptions<T> extends RequestSettings {
  readonly codec?: Codec<T> | undefined;
}

/** For `RingtailClient.connect`. */
export interface ClientOptions {
  /** Addresses of some nodes, "host:port"; asked in this order. */
  readonly seedNodes: readonly string[];
  /** 32 hexadecimal digits; left out: the cluster of the first seed node that answers. */
  readonly clusterId?: string | undefined;
  /** The deadline of calls that name none. Default: 1,000. */
  readonly timeoutMs?: number | undefined;
  /** How long `connect` may take. Default: 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** 1 to 8. Default 1: one pipelined connection is as fast as several until a core is busy. */
  readonly connectionsPerNode?: number | undefined;
  /** Calls at once, 1 to 65,536; more are refused with `OVERLOADED`. Default: 8,192. */
  readonly inFlightMax?: number | undefined;
  /**
   * Who coordinates gets of single keys. `"node"`, the default: one owner asks the others. `"client"`: this client asks all
   * owners itself, which saves a hop and the work of a node, and costs this process three answers and the comparing; it
   * holds connections to all nodes, at most two to each. Where an owner cannot answer, a node coordinates after all.
   */
  readonly coordination?: Coordination | undefined;
  /**
   * What nearly every get should take at the most, 3 to 600,000: a get that takes longer than 95 of 100 do at the two fastest
   * nodes, or a third of this, is asked of a second owner, for 5 % of the gets at the most. 0: never. Default: 30.
   */
  readonly latencyTargetMs?: number | undefined;
}

const timeoutMsMax = 600_000;

/** Checks a whole number; `allowed` completes "allowed: ". */
export function wholeNumber(
  name: string,
  value: number,
  min: number,
  max: number,
  allowed = `${min} to ${max}`,
): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RingtailError("INVALID_ARGUMENT", `${name} is ${String(value)}; allowed: ${allowed}`);
}

/** A timeout in microseconds. */
export function timeoutUsOf(name: string, timeoutMs: number): number {
  const fits = typeof timeoutMs === "number" && timeoutMs >= 1 && timeoutMs <= timeoutMsMax;
  if (fits) return Math.round(timeoutMs * 1000);
  throw new RingtailError("INVALID_ARGUMENT", `${name} is ${String(timeoutMs)}; allowed: 1 to ${timeoutMsMax}`);
}

/** What nearly every get should take at the most, unless said otherwise. */
export const latencyTargetMsDefault = 30;

/** The target in microseconds; 0: none. */
export function latencyTargetUsOf(targetMs: number): number {
  const allowed = `0, 3 to ${timeoutMsMax}`;
  return wholeNumber("latencyTargetMs", targetMs, targetMs === 0 ? 0 : 3, timeoutMsMax, allowed) * 1000;
}

function asksNothing(given: RequestSettings): boolean {
  const { n, r, w, pr, pw, dw, hostConfirms, strict, overwrite, durability, timeoutMs } = given;
  if (n !== undefined || r !== undefined || w !== undefined || timeoutMs !== undefined) return false;
  if (pr !== undefined || pw !== undefined || dw !== undefined || durability !== undefined) return false;
  return hostConfirms === undefined && strict === undefined && overwrite === undefined;
}

/** The names of one kind of options: complete, since the compiler compares them with the type. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

const settingNames: OptionNames<RequestSettings> = {
  n: true,
  r: true,
  w: true,
  pr: true,
  pw: true,
  dw: true,
  hostConfirms: true,
  strict: true,
  overwrite: true,
  durability: true,
  timeoutMs: true,
};
/** Of get, getMany and update. */
export const callNames: OptionNames<CallOptions> = { ...settingNames, signal: true };
/** Of put and delete. */
export const writeNames: OptionNames<WriteOptions> = { ...callNames, context: true, requestId: true };
/** Of `Client.bucket`. */
export const bucketNames: OptionNames<BucketOptions<unknown>> = { ...settingNames, codec: true };
/** Of `RingtailClient.connect`. */
export const clientNames: OptionNames<ClientOptions> = {
  seedNodes: true,
  clusterId: true,
  timeoutMs: true,
  connectTimeoutMs: true,
  connectionsPerNode: true,
  inFlightMax: true,
  coordination: true,
  latencyTargetMs: true,
};

/**
 * What may be given as options at all: nothing, or an object that has no other names. A misspelt one would be ignored, and
 * the call would do less than its caller believes. Throws `INVALID_ARGUMENT`.
 */
export function checkOptions(what: string, given: unknown, names: Readonly<Record<string, true>>): void {
  if (given === undefined) return;
  if (typeof given !== "object" || given === null) {
    throw new RingtailError("INVALID_ARGUMENT", `${what} are ${String(given)}; allowed: an object`);
  }
  for (const name in given) {
    if (Object.hasOwn(names, name)) continue;
    const allowed = Object.keys(names).join(", ");
    throw new RingtailError("INVALID_ARGUMENT", `${what} have no ${name}; allowed: ${allowed}`);
  }
}

/** Throws `INVALID_ARGUMENT` where a signal was given that is none: found later, it would break what is in flight. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === "function") return;
  throw new RingtailError("INVALID_ARGUMENT", `signal is ${typeof signal}; allowed: an AbortSignal`);
}

/** Base and overrides as one; the base itself where nothing is overridden. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(
  base: RequestOptions,
  given: RequestSettings | undefined,
  policy: BucketPolicy,
): RequestOptions {
  if (given === undefined || asksNothing(given)) return base;
  const n =
    given.n === undefined ? base.n : wholeNumber("n", given.n, 1, policy.n, `1 to ${policy.n} (the bucket's n)`);
  const most = n === 0 ? policy.n : n;
  const count = (name: "r" | "w" | "pr" | "pw" | "dw" | "hostConfirms", min: number): number => {
    const value = given[name];
    return value === undefined ? base[name] : wholeNumber(name, value, min, most, `${min} to ${most} (n)`);
  };
  for (const name of ["strict", "overwrite"] as const) {
    if (given[name] === undefined || typeof given[name] === "boolean") continue;
    throw new RingtailError("INVALID_ARGUMENT", `${name} is ${String(given[name])}; allowed: true, false`);
  }
  return {
    n,
    r: count("r", 1),
    w: count("w", 1),
    pr: count("pr", 0),
    pw: count("pw", 0),
    dw: count("dw", 0),
    hostConfirms: count("hostConfirms", 0),
    strict: given.strict ?? base.strict,
    overwrite: given.overwrite ?? base.overwrite,
    durability: given.durability === undefined ? base.durability : durabilityOf(given.durability),
    timeoutUs: given.timeoutMs === undefined ? base.timeoutUs : timeoutUsOf("timeoutMs", given.timeoutMs),
  };
}

/** Checks who is to coordinate; the default is a node. */
export function coordinationOf(value: Coordination | undefined): Coordination {
  if (value === undefined) return "node";
  if (value === "node" || value === "client") return value;
  throw new RingtailError("INVALID_ARGUMENT", `coordination is ${String(value)}; allowed: "node", "client"`);
}

/** The client's own defaults. */
export function optionsWithTimeout(timeoutUs: number): RequestOptions {
  return { ...defaultOptions, timeoutUs };
}

/** A bucket's name in bytes. */
export function bucketBytes(name: string): Uint8Array {
  if (typeof name !== "string") {
    throw new RingtailError("INVALID_ARGUMENT", `a bucket's name is a string, not ${typeof name}`);
  }
  const bytes = textBytes("bucket's name", name);
  if (bytes.length >= 1 && bytes.length <= bucketBytesMax) return bytes;
  const text = `the bucket's name has ${bytes.length} bytes of UTF-8; allowed: 1 to ${bucketBytesMax}`;
  throw new RingtailError("INVALID_ARGUMENT", text);
}

/** A key in bytes of its own. */
export function keyBytes(key: string | Uint8Array): Uint8Array {
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    throw new RingtailError("INVALID_ARGUMENT", `a key is a string or a Uint8Array, not ${typeof key}`);
  }
  const bytes = typeof key === "string" ? textBytes("key", key) : new Uint8Array(key);
  if (bytes.length > keyBytesMax) {
    const text = `the key has ${bytes.length} bytes; allowed: 1 to ${keyBytesMax}`;
    throw new RingtailError("KEY_TOO_LARGE", text);
  }
  if (bytes.length > 0) return bytes;
  throw new RingtailError("INVALID_ARGUMENT", `the key is empty; allowed: 1 to ${keyBytesMax} bytes`);
}

/** The bytes of a value, as its codec wrote them. */
export function valueBytes<T>(codec: Codec<T>, value: T): Uint8Array {
  const bytes: unknown = codec.encode(value);
  if (!(bytes instanceof Uint8Array)) {
    const text = `the value's bytes are ${bytes === null ? "null" : typeof bytes}; allowed: a Uint8Array (is the codec right?)`;
    throw new RingtailError("INVALID_ARGUMENT", text);
  }
  if (bytes.length <= valueBytesMax) return bytes;
  throw new RingtailError("VALUE_TOO_LARGE", `the value has ${bytes.length} bytes; allowed: at most ${valueBytesMax}`);
}
