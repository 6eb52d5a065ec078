/**
 * The codec: one `MessageCodec` per message of the schema, over the code that pbjs generates. Encoding goes straight
 * into the send slab, decoding through one reader that is pointed at the frame's bytes: neither makes objects of its
 * own, besides the message. The guard looks at every body first.
 *
 * `bytes` fields of a decoded message are views of what was decoded: copy what outlives the frame.
 */
import protobuf from "protobufjs/minimal.js";
import { noBytes } from "../base/bytes.ts";
import type * as gen from "./gen/messages.js";
import { ringtail } from "./gen/messages.js";
import { findFault } from "./guard.ts";
import { messageDepthMax } from "./limits.ts";
import { type MessageName, type MessageShape, shapes } from "./shapes.ts";
import { giveSlab, slabBytesLeast, takeSlab } from "./slab-pool.ts";
import { SlabWriter } from "./slab-writer.ts";
import { WireError } from "./wire-error.ts";

protobuf.Reader.recursionLimit = messageDepthMax;

/**
 * What may be encoded as a `T`: any field may be left out (then it has its default), a list of numbers may be any
 * array-like.
 */
export type Fields<T> = T extends Uint8Array | string | number | boolean | null
  ? T
  : T extends readonly number[]
    ? ArrayLike<number>
    : T extends readonly (infer E)[]
      ? readonly Fields<E>[]
      : { readonly [K in keyof T]?: Fields<T[K]> };

/** Writes a message where the writer stands. */
export interface Encoder<T> {
  encode(message: T, writer: SlabWriter): unknown;
}

/** One message of the schema. `decode` is for this file's function of that name, which guards it. */
export interface MessageCodec<T> extends Encoder<Fields<T>> {
  readonly name: string;
  readonly shape: MessageShape;
  decode(reader: protobuf.Reader): T;
}

/**
 * protobufjs's reader, but empty `bytes` are one shared array instead of a view each, and short packed fields are pushed
 * (protobufjs sets the array's length first, which costs more than reading a receipt's few words).
 */
class BodyReader extends protobuf.Reader {
  override raw(start: number, end: number): Uint8Array {
    return start === end ? noBytes : this.buf.subarray(start, end);
  }

  override fixed32s(array: number[] = []): number[] {
    const end = this.size() + this.pos;
    if (end > this.len) throw new RangeError("index out of range");
    while (this.pos < end) array.push(this.fixed32());
    if (this.pos !== end) throw new RangeError("index out of range");
    return array;
  }
}

const reader = new BodyReader(noBytes);

/**
 * Decodes `bytes[start..end)`. The result holds every field of the message, in the schema's order, with proto3's
 * defaults; its `bytes` are views. Throws `WireError` for anything that is no valid message.
 */
export function decode<T>(codec: MessageCodec<T>, bytes: Uint8Array, start: number, end: number): T {
  const fault = findFault(codec.shape, bytes, start, end);
  if (fault !== null) throw new WireError(`${codec.name}: ${fault}`);
  reader.buf = bytes;
  reader.pos = start;
  reader.len = end;
  reader.view = null;
  try {
    return codec.decode(reader);
  } catch (error) {
    throw new WireError(`${codec.name}: ${error instanceof Error ? error.message : "malformed"}`);
  } finally {
    reader.buf = noBytes;
  }
}

const writer = new SlabWriter(noBytes);

/** The encoded bytes in memory of their own: for files and tests. Frames are encoded in place, by `FrameWriter`. */
export function encode<T>(codec: Encoder<T>, message: T): Uint8Array {
  const slab = takeSlab(slabBytesLeast);
  writer.begin(slab, 0);
  codec.encode(message, writer);
  const bytes = writer.buf.slice(0, writer.pos);
  if (writer.buf !== slab) giveSlab(slab);
  giveSlab(writer.buf);
  writer.begin(noBytes, 0);
  return bytes;
}

function codecOf<T>(name: MessageName, code: gen.GeneratedCode<T>): MessageCodec<T> {
  return {
    name,
    shape: shapes[name],
    encode: code.encode as (message: Fields<T>, target: SlabWriter) => unknown,
    decode: code.decode,
  };
}

/** The state file of the actor incarnation and its counter lease. */
export const ActorFile: MessageCodec<gen.ActorFile> = codecOf("ActorFile", ringtail.ActorFile);
/** A decoded `ActorFile`. */
export type ActorFile = gen.ActorFile;

/** A bucket's policy in the ring. */
export const BucketPolicy: MessageCodec<gen.BucketPolicy> = codecOf("BucketPolicy", ringtail.BucketPolicy);
/** A decoded `BucketPolicy`. */
export type BucketPolicy = gen.BucketPolicy;

/** A setting in STATUS. */
export const ConfigEntry: MessageCodec<gen.ConfigEntry> = codecOf("ConfigEntry", ringtail.ConfigEntry);
/** A decoded `ConfigEntry`. */
export type ConfigEntry = gen.ConfigEntry;

/** A counter or gauge in STATUS. */
export const Counter: MessageCodec<gen.Counter> = codecOf("Counter", ringtail.Counter);
/** A decoded `Counter`. */
export type Counter = gen.Counter;

/** The body of DELETE; the answer is a `PutReply`. */
export const DeleteRequest: MessageCodec<gen.DeleteRequest> = codecOf("DeleteRequest", ringtail.DeleteRequest);
/** A decoded `DeleteRequest`. */
export type DeleteRequest = gen.DeleteRequest;

/** The body of every reply whose status is not 0. */
export const ErrorReply: MessageCodec<gen.ErrorReply> = codecOf("ErrorReply", ringtail.ErrorReply);
/** A decoded `ErrorReply`. */
export type ErrorReply = gen.ErrorReply;

/** The answer to FETCH_RING. */
export const FetchRingReply: MessageCodec<gen.FetchRingReply> = codecOf("FetchRingReply", ringtail.FetchRingReply);
/** A decoded `FetchRingReply`. */
export type FetchRingReply = gen.FetchRingReply;

/** The body of FETCH_RING. */
export const FetchRingRequest: MessageCodec<gen.FetchRingRequest> = codecOf(
  "FetchRingRequest",
  ringtail.FetchRingRequest,
);
/** A decoded `FetchRingRequest`. */
export type FetchRingRequest = gen.FetchRingRequest;

/** The answer to GET. */
export const GetReply: MessageCodec<gen.GetReply> = codecOf("GetReply", ringtail.GetReply);
/** A decoded `GetReply`. */
export type GetReply = gen.GetReply;

/** The body of GET. */
export const GetRequest: MessageCodec<gen.GetRequest> = codecOf("GetRequest", ringtail.GetRequest);
/** A decoded `GetRequest`. */
export type GetRequest = gen.GetRequest;

/** The first frame of either side. */
export const Hello: MessageCodec<gen.Hello> = codecOf("Hello", ringtail.Hello);
/** A decoded `Hello`. */
export type Hello = gen.Hello;

/** The state file of the node's identity. */
export const IdentityFile: MessageCodec<gen.IdentityFile> = codecOf("IdentityFile", ringtail.IdentityFile);
/** A decoded `IdentityFile`. */
export type IdentityFile = gen.IdentityFile;

/** Percentiles in STATUS. */
export const LatencySummary: MessageCodec<gen.LatencySummary> = codecOf("LatencySummary", ringtail.LatencySummary);
/** A decoded `LatencySummary`. */
export type LatencySummary = gen.LatencySummary;

/** A node as the ring knows it. */
export const Member: MessageCodec<gen.Member> = codecOf("Member", ringtail.Member);
/** A decoded `Member`. */
export type Member = gen.Member;

/** The answer to MULTI_GET. */
export const MultiGetReply: MessageCodec<gen.MultiGetReply> = codecOf("MultiGetReply", ringtail.MultiGetReply);
/** A decoded `MultiGetReply`. */
export type MultiGetReply = gen.MultiGetReply;

/** The body of MULTI_GET. */
export const MultiGetRequest: MessageCodec<gen.MultiGetRequest> = codecOf("MultiGetRequest", ringtail.MultiGetRequest);
/** A decoded `MultiGetRequest`. */
export type MultiGetRequest = gen.MultiGetRequest;

/** One key's answer in MULTI_GET. */
export const MultiGetResult: MessageCodec<gen.MultiGetResult> = codecOf("MultiGetResult", ringtail.MultiGetResult);
/** A decoded `MultiGetResult`. */
export type MultiGetResult = gen.MultiGetResult;

/** A peer in STATUS. */
export const PeerState: MessageCodec<gen.PeerState> = codecOf("PeerState", ringtail.PeerState);
/** A decoded `PeerState`. */
export type PeerState = gen.PeerState;

/** The answer to PUT, DELETE and FORWARD_PUT. */
export const PutReply: MessageCodec<gen.PutReply> = codecOf("PutReply", ringtail.PutReply);
/** A decoded `PutReply`. */
export type PutReply = gen.PutReply;

/** The body of PUT and FORWARD_PUT. */
export const PutRequest: MessageCodec<gen.PutRequest> = codecOf("PutRequest", ringtail.PutRequest);
/** A decoded `PutRequest`. */
export type PutRequest = gen.PutRequest;

/** A record's body; `version/record.ts` has the codec that nodes use. */
export const Record: MessageCodec<gen.Record> = codecOf("Record", ringtail.Record);
/** A decoded `Record`. */
export type Record = gen.Record;

/** The answer to REPLICA_READ. */
export const ReplicaReadReply: MessageCodec<gen.ReplicaReadReply> = codecOf(
  "ReplicaReadReply",
  ringtail.ReplicaReadReply,
);
/** A decoded `ReplicaReadReply`. */
export type ReplicaReadReply = gen.ReplicaReadReply;

/** The body of REPLICA_READ. */
export const ReplicaReadRequest: MessageCodec<gen.ReplicaReadRequest> = codecOf(
  "ReplicaReadRequest",
  ringtail.ReplicaReadRequest,
);
/** A decoded `ReplicaReadRequest`. */
export type ReplicaReadRequest = gen.ReplicaReadRequest;

/** The answer to REPLICA_WRITE. */
export const ReplicaWriteReply: MessageCodec<gen.ReplicaWriteReply> = codecOf(
  "ReplicaWriteReply",
  ringtail.ReplicaWriteReply,
);
/** A decoded `ReplicaWriteReply`. */
export type ReplicaWriteReply = gen.ReplicaWriteReply;

/** The body of REPLICA_WRITE. */
export const ReplicaWriteRequest: MessageCodec<gen.ReplicaWriteRequest> = codecOf(
  "ReplicaWriteRequest",
  ringtail.ReplicaWriteRequest,
);
/** A decoded `ReplicaWriteRequest`. */
export type ReplicaWriteRequest = gen.ReplicaWriteRequest;

/** The answer to REPORT. */
export const ReportReply: MessageCodec<gen.ReportReply> = codecOf("ReportReply", ringtail.ReportReply);
/** A decoded `ReportReply`. */
export type ReportReply = gen.ReportReply;

/** The body of REPORT. */
export const ReportRequest: MessageCodec<gen.ReportRequest> = codecOf("ReportRequest", ringtail.ReportRequest);
/** A decoded `ReportRequest`. */
export type ReportRequest = gen.ReportRequest;

/** The ring: in FETCH_RING, REPORT, and the ring's state file. */
export const RingState: MessageCodec<gen.RingState> = codecOf("RingState", ringtail.RingState);
/** A decoded `RingState`. */
export type RingState = gen.RingState;

/** One of a record's concurrent values. */
export const Sibling: MessageCodec<gen.Sibling> = codecOf("Sibling", ringtail.Sibling);
/** A decoded `Sibling`. */
export type Sibling = gen.Sibling;

/** The answer to STATUS. */
export const StatusReply: MessageCodec<gen.StatusReply> = codecOf("StatusReply", ringtail.StatusReply);
/** A decoded `StatusReply`. */
export type StatusReply = gen.StatusReply;

/** The body of STATUS. */
export const StatusRequest: MessageCodec<gen.StatusRequest> = codecOf("StatusRequest", ringtail.StatusRequest);
/** A decoded `StatusRequest`. */
export type StatusRequest = gen.StatusRequest;

/** A write that a record remembers although it was superseded. */
export const Superseded: MessageCodec<gen.Superseded> = codecOf("Superseded", ringtail.Superseded);
/** A decoded `Superseded`. */
export type Superseded = gen.Superseded;
