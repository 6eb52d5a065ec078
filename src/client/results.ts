/** What calls resolve to, and how it is read from a reply. */
import type { NodeNumber } from "../base/ids.ts";
import { Resolver, type ResolverName, resolverName } from "../base/resolver.ts";
import type { DurationUs } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import { lastWrite, type SiblingSet } from "../version/sibling-set.ts";
import type { Dot } from "../version/version-vector.ts";
import type { Codec } from "./codecs.ts";
import { Context } from "./context.ts";
import { setOf } from "./record.ts";

/** One replica that answered in time. */
export interface Ack {
  /** The node's name. */
  readonly node: string;
  readonly role: "owner" | "fallback";
  /** Whether it had synced the write to its disk before it answered. */
  readonly durable: boolean;
}

/** Who did what, and where the time went. */
export interface Receipt {
  /** The name of the node that coordinated; of a get that the client coordinated itself: "". */
  readonly coordinator: string;
  readonly coordination: "node" | "client";
  readonly acks: readonly Ack[];
  /** From the call to its answer. */
  readonly elapsedMs: number;
  /** Parts of `elapsedMs`, in the last attempt: at the coordinator, and on the way there and back. The rest was waiting. */
  readonly times: { readonly coordinatorMs: number; readonly wireMs: number };
  /** Whether a get with these numbers may miss an acknowledged put (r + w <= n). */
  readonly stalePossible: boolean;
  /** `lww`: the bucket's last write wins, and concurrent ones are lost. */
  readonly resolver: ResolverName;
  /** The node that was asked, where it had to pass a write on to an owner. */
  readonly forwardedBy?: string;
  readonly attempts: number;
  /** Something was asked twice because it was late: the get of a second owner, or its large record of a second replica. */
  readonly hedged: boolean;
  /** The ring's epoch at the coordinator. */
  readonly epoch: number;
}

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

/** Where the time of one request went. */
export interface Timing {
  readonly totalUs: DurationUs;
  /** Of the attempt that was answered. */
  readonly attemptUs: DurationUs;
  readonly attempts: number;
  /** Whether a second node was asked because the first was late. */
  readonly hedged: boolean;
}

/** What all replies say about how they came about. */
interface ReceiptFields {
  readonly epoch: number;
  readonly coordinator: number;
  readonly elapsedUs: number;
  readonly forwardedBy?: number;
  readonly stalePossible: boolean;
  readonly lww: boolean;
  readonly acks: readonly number[];
  readonly hedged?: boolean;
}

const fallbackBit = 1 << 16;
const durableBit = 1 << 17;

function nameOf(ring: Ring, number: number): string {
  const name = ring.member(number as NodeNumber)?.name ?? "";
  return name === "" ? `node ${number}` : name;
}

/** The receipt in a reply. */
export function receiptOf(ring: Ring, timing: Timing, reply: ReceiptFields): Receipt {
  const receipt = {
    coordinator: reply.coordinator === 0 ? "" : nameOf(ring, reply.coordinator),
    coordination: reply.coordinator === 0 ? ("client" as const) : ("node" as const),
    acks: reply.acks.map((ack) => ackOf(ring, ack)),
    elapsedMs: timing.totalUs / 1000,
    times: {
      coordinatorMs: reply.elapsedUs / 1000,
      wireMs: Math.max(0, timing.attemptUs - reply.elapsedUs) / 1000,
    },
    stalePossible: reply.stalePossible,
    resolver: resolverName(reply.lww ? Resolver.lww : Resolver.siblings),
    attempts: timing.attempts,
    hedged: timing.hedged || reply.hedged === true,
    epoch: reply.epoch,
  };
  const forwardedBy = reply.forwardedBy ?? 0;
  return forwardedBy === 0 ? receipt : { ...receipt, forwardedBy: nameOf(ring, forwardedBy) };
}

function ackOf(ring: Ring, ack: number): Ack {
  return {
    node: nameOf(ring, ack & 0xffff),
    role: (ack & fallbackBit) === 0 ? "owner" : "fallback",
    durable: (ack & durableBit) !== 0,
  };
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
