/** What calls resolve to, and how it is read from a reply. */
import { lastWrite, type SiblingSet } from "../version/sibling-set.ts";
import type { Dot } from "../version/version-vector.ts";
import type { Codec } from "./codecs.ts";
import { Context } from "./context.ts";
import type { Receipt } from "./receipt.ts";
import { setOf } from "./record.ts";

/** The causal identity of a value or tombstone; for checkers and tools. */
export interface SiblingVersion {
  readonly dots: readonly Dot[];
  /** 16 bytes: the write's. */
  readonly requestId: Uint8Array;
  readonly tombstone: boolean;
}

/** The answer to a get. */
export interface GetResult<T> {
  /**
   * All concurrent values; none: there is no such key. More than one: merge them and put the result with `context`. Of a
   * bucket whose last write wins, never more than one.
   */
  readonly siblings: T[];
  /** For the put or delete that replaces what was read. */
  readonly context: Context;
  readonly receipt: Receipt;
  /** How many concurrent deletes there are. */
  readonly tombstones: number;
  /** Of every sibling and tombstone; those that are no tombstones are in the order of `siblings`. */
  readonly versions: readonly SiblingVersion[];
}

/** The answer to a put or delete. */
export interface PutResult {
  /** Covers what was written, so that the next put can follow without a get. */
  readonly context: Context;
  readonly receipt: Receipt;
}

/** The answer to an update. */
export interface UpdateResult<T> extends PutResult {
  /** What was written; undefined where the merge function returned that, and nothing was. */
  readonly value: T | undefined;
}

/** A get's result from a record's bytes, which are borrowed. Throws what the codec throws, or `PROTOCOL_MISMATCH`. */
export function getResultOf<T>(
  codec: Codec<T>,
  record: Uint8Array,
  context: Uint8Array,
  receipt: Receipt,
): GetResult<T> {
  const siblings: T[] = [];
  const versions: SiblingVersion[] = [];
  for (const { dots, requestId, tombstone, value } of shownOf(setOf(record), receipt)) {
    versions.push({ dots, requestId: new Uint8Array(requestId), tombstone });
    if (!tombstone) siblings.push(codec.decode(value));
  }
  const tombstones = versions.length - siblings.length;
  return { siblings, context: Context.of(context), receipt, tombstones, versions };
}

/** What the application is shown. A record may hold siblings of the time before its bucket's last write won. */
function shownOf(set: SiblingSet, { resolver }: Receipt): SiblingSet["siblings"] {
  const last = resolver === "lww" ? lastWrite(set) : undefined;
  return last === undefined ? set.siblings : [last];
}
