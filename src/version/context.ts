/**
 * Context: what a get hands out and a put takes back, opaque to applications: the version vector of what was read, the
 * node that answered first (it should coordinate the next put; Dynamo 5) and the ring's epoch. A tag under the
 * cluster's secret binds it to its bucket and key, since counters belong to an actor and not to a key: the vector of
 * one key would cover, and so destroy, values of another (mechanisms 3.3, 3.13).
 *
 * Bytes: u8 format, u8 key number, 8 bytes SipHash-2-4 tag, u16 fastest, u32 epoch, then the vector's words, all
 * little-endian. The tag covers u16 length of the full key, the full key, and everything behind the tag.
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import { bucketBytesMax, keyBytesMax } from "../base/full-key.ts";
import { Hash64, SipKey, sipHash } from "../base/hash.ts";
import { takeBytes } from "../base/pool.ts";
import { readWord, writeWord } from "../base/words.ts";
import { VersionVector } from "./version-vector.ts";

/** A longer context is refused when it comes back; it has room for 681 actors. */
export const contextBytesMax: number = 8 * 1024;
/** From here on a context is worth a warning: the record's vector has grown beyond 84 actors. */
export const contextBytesWarn = 1024;

const format = 1;
const tagAt = 2;
const fastestAt = 10;
const epochAt = 12;
const wordsAt = 16;

/** What a context says. */
export interface OpenedContext {
  /** What was read. */
  readonly version: VersionVector;
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
): Uint8Array {
  assert(fastest >= 0 && fastest <= 0xffff, "a node number has 16 bits");
  const { words } = version;
  const context = takeBytes(wordsAt + 4 * words.length);
  context[0] = format;
  context[1] = key.keyNumber;
  context[fastestAt] = fastest;
  context[fastestAt + 1] = fastest >>> 8;
  let at = writeWord(context, epochAt, epoch);
  for (let i = 0; i < words.length; i += 1) at = writeWord(context, at, words[i] as number);
  makeTag(key, fullKey, context);
  writeWord(context, tagAt, tag.low);
  writeWord(context, tagAt + 4, tag.high);
  return context;
}

const nothingRead: OpenedContext = { version: VersionVector.empty, fastest: 0, epoch: 0 };

/** Checks and opens a context of this key; no bytes are a context that has read nothing. Throws `INVALID_ARGUMENT`. */
export function openContext(key: ContextKey, fullKey: Uint8Array, bytes: Uint8Array): OpenedContext {
  if (bytes.length === 0) return nothingRead;
  if (bytes.length > contextBytesMax) {
    throw invalid(`the context has ${bytes.length} bytes; at most ${contextBytesMax} are allowed`);
  }
  if (bytes[0] !== format) throw invalid(`context format ${bytes[0]} is unknown here (known: ${format})`);
  if (bytes.length < wordsAt || (bytes.length - wordsAt) % 12 !== 0) {
    throw invalid(`the context is cut off: it has ${bytes.length} bytes`);
  }
  if (bytes[1] !== key.keyNumber) {
    throw invalid(`the context was made under key ${bytes[1]}; this cluster uses key ${key.keyNumber}`);
  }
  makeTag(key, fullKey, bytes);
  if (readWord(bytes, tagAt) >>> 0 !== tag.low || readWord(bytes, tagAt + 4) >>> 0 !== tag.high) {
    throw invalid("the context is not one of this bucket and key in this cluster, or it is damaged");
  }
  const words: number[] = [];
  for (let at = wordsAt; at < bytes.length; at += 4) words.push(readWord(bytes, at));
  const version = VersionVector.fromWords(words);
  if (version === null) throw invalid("the context holds no version vector");
  return {
    version,
    fastest: (bytes[fastestAt] as number) | ((bytes[fastestAt + 1] as number) << 8),
    epoch: readWord(bytes, epochAt) >>> 0,
  };
}

function invalid(message: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", message);
}
