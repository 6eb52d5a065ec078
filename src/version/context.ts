/**
 * Context: what a get hands out and a put takes back, opaque to applications: the version vector of what was read, the
 * node that answered first (it should coordinate the next put; Dynamo 5) and the ring's epoch. A tag under the
 * cluster's secret binds it to its bucket and key, since counters belong to an actor and not to a key: the vector of
 * one key would cover, and so destroy, values of another (mechanisms 3.3, 3.13).
 *
 * Bytes: u8 format, u8 key number, 8 bytes SipHash-2-4 tag, u16 fastest, u32 epoch, then in format 2 the writer's own last
 * write (a dot's three words and 16 bytes of request id), then the vector's words, all little-endian. The tag covers u16
 * length of the full key, the full key, and everything behind the tag.
 *
 * A client that coordinates its gets itself has contexts of several replicas, and no key to make one of them: it hands back
 * a list of those that say something new. Bytes: format 3, then zero where the tag would be, fastest and epoch, then for
 * each context u16 length and the context; their tags are what counts.
 */

import { assert } from "../base/assert.ts";
import { equalBytes, noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { RingtailError } from "../base/errors.ts";
import { bucketBytesMax, keyBytesMax } from "../base/full-key.ts";
import { Hash64, SipKey, sipHash } from "../base/hash.ts";
import { takeBytes } from "../base/pool.ts";
import { readWord, writeWord } from "../base/words.ts";
import { writeDot } from "./dots.ts";
import type { OwnWrite, Seen } from "./sibling-set.ts";
import { mergeVersions, VersionVector } from "./version-vector.ts";

/** A longer context is refused when it comes back; it has room for 681 actors. */
export const contextBytesMax: number = 8 * 1024;

/** A vector alone. */
const formatPlain = 1;
/** With an own write before the vector. */
const formatOwn = 2;
/** Several of the first. */
const formatList = 3;
const tagAt = 2;
const fastestAt = 10;
const epochAt = 12;
const headBytes = 16;
const ownBytes = 12 + 16;

/** What a context says. */
export interface OpenedContext extends Seen {
  /** The number of the node that answered the get first, or 0. */
  readonly fastest: number;
  /** The ring's epoch at the get, or 0. */
  readonly epoch: number;
}

/** One of the cluster's context keys. */
export class ContextKey {
  /** 0..255: travels in the context, so that keys can be exchanged. */
  readonly keyNumber: number;
  readonly sipKey: SipKey;

  /** `key16` is derived from the cluster secret; it is not kept. */
  constructor(keyNumber: number, key16: Uint8Array) {
    assert(keyNumber >= 0 && keyNumber <= 0xff, "a context key number is one byte");
    this.keyNumber = keyNumber;
    this.sipKey = new SipKey(key16);
  }
}

const fullKeyBytesMax = 1 + bucketBytesMax + keyBytesMax;
const tag = new Hash64();
let scratch = new Uint8Array(2 + fullKeyBytesMax + contextBytesMax);

function makeTag(key: ContextKey, fullKey: Uint8Array, context: Uint8Array): void {
  const size = 2 + fullKey.length + context.length - fastestAt;
  if (size > scratch.length) scratch = new Uint8Array(2 * size);
  scratch[0] = fullKey.length;
  scratch[1] = fullKey.length >>> 8;
  scratch.set(fullKey, 2);
  for (let from = fastestAt, to = 2 + fullKey.length; from < context.length; from += 1, to += 1) {
    scratch[to] = context[from] as number;
  }
  sipHash(key.sipKey, scratch, 0, size, tag);
}

/** A context for this key in pooled memory. A vector of too many actors gives one that `openContext` refuses. */
export function sealContext(
  key: ContextKey,
  fullKey: Uint8Array,
  version: VersionVector,
  fastest: number,
  epoch: number,
  own: OwnWrite | null = null,
): Uint8Array {
  assert(fastest >= 0 && fastest <= 0xffff, "a node number has 16 bits");
  const { words } = version;
  const context = takeBytes(headBytes + (own === null ? 0 : ownBytes) + 4 * words.length);
  context[0] = own === null ? formatPlain : formatOwn;
  context[1] = key.keyNumber;
  context[fastestAt] = fastest;
  context[fastestAt + 1] = fastest >>> 8;
  let at = writeWord(context, epochAt, epoch);
  if (own !== null) at = writeOwn(context, at, own);
  for (let i = 0; i < words.length; i += 1) at = writeWord(context, at, words[i] as number);
  makeTag(key, fullKey, context);
  writeWord(context, tagAt, tag.low);
  writeWord(context, tagAt + 4, tag.high);
  return context;
}

function writeOwn(context: Uint8Array, start: number, own: OwnWrite): number {
  assert(own.requestId.length === 16, "a request id has 16 bytes");
  const at = writeDot(context, start, own.dot);
  context.set(own.requestId, at);
  return at + 16;
}

function readOwn(context: Uint8Array): OwnWrite {
  const counter = readWord(context, headBytes) >>> 0;
  const actorLow = readWord(context, headBytes + 4) >>> 0;
  const actorHigh = readWord(context, headBytes + 8) >>> 0;
  return { dot: { actorHigh, actorLow, counter }, requestId: context.slice(headBytes + 12, headBytes + ownBytes) };
}

const nothingRead: OpenedContext = { version: VersionVector.empty, own: null, fastest: 0, epoch: 0 };

/**
 * The number of the node that answered the get first, as a context names it, tag unchecked; 0: none. For the SDK, which
 * has no key and writes through that node.
 */
export function fastestOf(context: Uint8Array): number {
  if (context.length < headBytes || context[0] === 0 || (context[0] as number) > formatList) return 0;
  return fastestIn(context);
}

/** Checks and opens a context of this key; no bytes are a context that has read nothing. Throws `INVALID_ARGUMENT`. */
export function openContext(key: ContextKey, fullKey: Uint8Array, bytes: Uint8Array): OpenedContext {
  if (bytes.length === 0) return nothingRead;
  if (bytes[0] === formatList) return readList(bytes, (one) => openContext(key, fullKey, one));
  checkForm(bytes);
  if (bytes[1] !== key.keyNumber) {
    throw invalid(`the context was made under key ${bytes[1]}; this cluster uses key ${key.keyNumber}`);
  }
  makeTag(key, fullKey, bytes);
  const genuine = readWord(bytes, tagAt) >>> 0 === tag.low && readWord(bytes, tagAt + 4) >>> 0 === tag.high;
  if (!genuine && !canary("accept-any-tag")) {
    throw invalid("the context is not one of this bucket and key in this cluster, or it is damaged");
  }
  return readContext(bytes);
}

/**
 * What a context says, its tag unchecked. For checkers of a running cluster, which hold no key and judge what they were
 * answered; a node never trusts a context that it has not opened. Throws `INVALID_ARGUMENT`.
 */
export function readContext(bytes: Uint8Array): OpenedContext {
  if (bytes.length === 0) return nothingRead;
  if (bytes[0] === formatList) return readList(bytes, readContext);
  const words: number[] = [];
  for (let at = checkForm(bytes); at < bytes.length; at += 4) words.push(readWord(bytes, at));
  const version = VersionVector.fromWords(words);
  if (version === null) throw invalid("the context holds no version vector");
  return {
    version,
    own: bytes[0] === formatPlain ? null : readOwn(bytes),
    fastest: fastestIn(bytes),
    epoch: readWord(bytes, epochAt) >>> 0,
  };
}

/** Whether two contexts, none of them a list, have read the same, whoever made them. */
export function readTheSame(a: Uint8Array, b: Uint8Array): boolean {
  return a[0] === b[0] && equalBytes(a.subarray(headBytes), b.subarray(headBytes));
}

/**
 * One context that covers what these cover, all of one key: one of them if that does, else a list; null if it would be
 * longer than a context may be. Tags are left to whoever opens it. Throws `INVALID_ARGUMENT` if one is none.
 */
export function joinContexts(contexts: readonly Uint8Array[]): Uint8Array | null {
  if (contexts.length === 1) return contexts[0] as Uint8Array;
  const versions = contexts.map((one) => readContext(one).version);
  const kept = contexts.filter((_, i) => {
    const mine = versions[i] as VersionVector;
    return !versions.some((other, j) => j !== i && other.coversAll(mine) && (j < i || !mine.coversAll(other)));
  });
  const first = kept[0] ?? noBytes;
  if (kept.length <= 1) return first;
  const size = kept.reduce((sum, one) => sum + 2 + one.length, headBytes);
  if (size > contextBytesMax) return null;
  const list = new Uint8Array(size);
  list.set(first.subarray(fastestAt, headBytes), fastestAt);
  list[0] = formatList;
  let at = headBytes;
  for (const one of kept) {
    list[at] = one.length;
    list[at + 1] = one.length >>> 8;
    list.set(one, at + 2);
    at += 2 + one.length;
  }
  return list;
}

function readList(bytes: Uint8Array, open: (one: Uint8Array) => OpenedContext): OpenedContext {
  checkSize(bytes);
  let version = VersionVector.empty;
  let at = headBytes;
  while (at < bytes.length) {
    const end = at + 2 + ((bytes[at] as number) | ((bytes[at + 1] ?? 0) << 8));
    if (end > bytes.length || bytes[at + 2] !== formatPlain) throw invalid("the context's list is damaged");
    version = mergeVersions(version, open(bytes.subarray(at + 2, end)).version);
    at = end;
  }
  return { version, own: null, fastest: fastestIn(bytes), epoch: readWord(bytes, epochAt) >>> 0 };
}

function fastestIn(bytes: Uint8Array): number {
  return (bytes[fastestAt] as number) | ((bytes[fastestAt + 1] as number) << 8);
}

function checkSize(bytes: Uint8Array): void {
  if (bytes.length > contextBytesMax) {
    throw invalid(`the context has ${bytes.length} bytes; at most ${contextBytesMax} are allowed`);
  }
  if (bytes.length < headBytes) throw invalid(`the context is cut off: it has ${bytes.length} bytes`);
}

/** Checks size and format; returns where the vector begins. */
function checkForm(bytes: Uint8Array): number {
  checkSize(bytes);
  if (bytes[0] !== formatPlain && bytes[0] !== formatOwn) {
    throw invalid(`context format ${bytes[0]} is unknown here (known: ${formatPlain} to ${formatList})`);
  }
  const wordsAt = bytes[0] === formatPlain ? headBytes : headBytes + ownBytes;
  if (bytes.length < wordsAt || (bytes.length - wordsAt) % 12 !== 0) {
    throw invalid(`the context is cut off: it has ${bytes.length} bytes`);
  }
  return wordsAt;
}

function invalid(message: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", message);
}
