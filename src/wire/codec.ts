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

/** One record in a RECORD_FETCH reply. */
export const FetchedRecord: MessageCodec<gen.FetchedRecord> = codecOf("FetchedRecord", ringtail.FetchedRecord);
/** A decoded `FetchedRecord`. */
export type FetchedRecord = gen.FetchedRecord;

/** The answer to GET. */
export const GetReply: MessageCodec<gen.GetReply> = codecOf("GetReply", ringtail.GetReply);
/** A decoded `GetReply`. */
export type GetReply = gen.GetReply;

/** The body of GET. */
export const GetRequest: MessageCodec<gen.GetRequest> = codecOf("GetRequest", ringtail.GetRequest);
/** A decoded `GetRequest`. */
export type GetRequest = gen.GetRequest;

/** What the asker of RECORD_FETCH holds of one key. */
export const HeldRecord: MessageCodec<gen.HeldRecord> = codecOf("HeldRecord", ringtail.HeldRecord);
/** A decoded `HeldRecord`. */
export type HeldRecord = gen.HeldRecord;

/** The first frame of either side. */
export const Hello: MessageCodec<gen.Hello> = codecOf("Hello", ringtail.Hello);
/** A decoded `Hello`. */
export type Hello = gen.Hello;

/** The answer to HINT_DELIVER. */
export const HintDeliverReply: MessageCodec<gen.HintDeliverReply> = codecOf(
  "HintDeliverReply",
  ringtail.HintDeliverReply,
);
/** A decoded `HintDeliverReply`. */
export type HintDeliverReply = gen.HintDeliverReply;

/** The body of HINT_DELIVER. */
export const HintDeliverRequest: MessageCodec<gen.HintDeliverRequest> = codecOf(
  "HintDeliverRequest",
  ringtail.HintDeliverRequest,
);
/** A decoded `HintDeliverRequest`. */
export type HintDeliverRequest = gen.HintDeliverRequest;

/** The body of HINT_KEEP; the answer is a `ReplicaWriteReply`. */
export const HintKeepRequest: MessageCodec<gen.HintKeepRequest> = codecOf("HintKeepRequest", ringtail.HintKeepRequest);
/** A decoded `HintKeepRequest`. */
export type HintKeepRequest = gen.HintKeepRequest;

/** A target in HINT_STATUS. */
export const HintRow: MessageCodec<gen.HintRow> = codecOf("HintRow", ringtail.HintRow);
/** A decoded `HintRow`. */
export type HintRow = gen.HintRow;

/** The answer to HINT_STATUS. */
export const HintStatusReply: MessageCodec<gen.HintStatusReply> = codecOf("HintStatusReply", ringtail.HintStatusReply);
/** A decoded `HintStatusReply`. */
export type HintStatusReply = gen.HintStatusReply;

/** The body of HINT_STATUS. */
export const HintStatusRequest: MessageCodec<gen.HintStatusRequest> = codecOf(
  "HintStatusRequest",
  ringtail.HintStatusRequest,
);
/** A decoded `HintStatusRequest`. */
export type HintStatusRequest = gen.HintStatusRequest;

/** The state file of the node's identity. */
export const IdentityFile: MessageCodec<gen.IdentityFile> = codecOf("IdentityFile", ringtail.IdentityFile);
/** A decoded `IdentityFile`. */
export type IdentityFile = gen.IdentityFile;

/** Percentiles in STATUS. */
export const LatencySummary: MessageCodec<gen.LatencySummary> = codecOf("LatencySummary", ringtail.LatencySummary);
/** A decoded `LatencySummary`. */
export type LatencySummary = gen.LatencySummary;

/** One key in a LEAF_KEYS reply. */
export const LeafKey: MessageCodec<gen.LeafKey> = codecOf("LeafKey", ringtail.LeafKey);
/** A decoded `LeafKey`. */
export type LeafKey = gen.LeafKey;

/** The answer to LEAF_KEYS. */
export const LeafKeysReply: MessageCodec<gen.LeafKeysReply> = codecOf("LeafKeysReply", ringtail.LeafKeysReply);
/** A decoded `LeafKeysReply`. */
export type LeafKeysReply = gen.LeafKeysReply;

/** The body of LEAF_KEYS. */
export const LeafKeysRequest: MessageCodec<gen.LeafKeysRequest> = codecOf("LeafKeysRequest", ringtail.LeafKeysRequest);
/** A decoded `LeafKeysRequest`. */
export type LeafKeysRequest = gen.LeafKeysRequest;

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

/** The answer to RECORD_FETCH. */
export const RecordFetchReply: MessageCodec<gen.RecordFetchReply> = codecOf(
  "RecordFetchReply",
  ringtail.RecordFetchReply,
);
/** A decoded `RecordFetchReply`. */
export type RecordFetchReply = gen.RecordFetchReply;

/** The body of RECORD_FETCH. */
export const RecordFetchRequest: MessageCodec<gen.RecordFetchRequest> = codecOf(
  "RecordFetchRequest",
  ringtail.RecordFetchRequest,
);
/** A decoded `RecordFetchRequest`. */
export type RecordFetchRequest = gen.RecordFetchRequest;

/** A key that differs, in a `RepairPreviewReply`. */
export const RepairPreviewKey: MessageCodec<gen.RepairPreviewKey> = codecOf(
  "RepairPreviewKey",
  ringtail.RepairPreviewKey,
);
/** A decoded `RepairPreviewKey`. */
export type RepairPreviewKey = gen.RepairPreviewKey;

/** One owner, in a `RepairPreviewReply`. */
export const RepairPreviewPeer: MessageCodec<gen.RepairPreviewPeer> = codecOf(
  "RepairPreviewPeer",
  ringtail.RepairPreviewPeer,
);
/** A decoded `RepairPreviewPeer`. */
export type RepairPreviewPeer = gen.RepairPreviewPeer;

/** The answer to REPAIR_PREVIEW. */
export const RepairPreviewReply: MessageCodec<gen.RepairPreviewReply> = codecOf(
  "RepairPreviewReply",
  ringtail.RepairPreviewReply,
);
/** A decoded `RepairPreviewReply`. */
export type RepairPreviewReply = gen.RepairPreviewReply;

/** The body of REPAIR_PREVIEW. */
export const RepairPreviewRequest: MessageCodec<gen.RepairPreviewRequest> = codecOf(
  "RepairPreviewRequest",
  ringtail.RepairPreviewRequest,
);
/** A decoded `RepairPreviewRequest`. */
export type RepairPreviewRequest = gen.RepairPreviewRequest;

/** The answer to REPAIR_STATUS. */
export const RepairStatusReply: MessageCodec<gen.RepairStatusReply> = codecOf(
  "RepairStatusReply",
  ringtail.RepairStatusReply,
);
/** A decoded `RepairStatusReply`. */
export type RepairStatusReply = gen.RepairStatusReply;

/** The body of REAP_PREPARE and REAP_COMMIT. */
export const ReapRequest: MessageCodec<gen.ReapRequest> = codecOf("ReapRequest", ringtail.ReapRequest);
/** A decoded `ReapRequest`. */
export type ReapRequest = gen.ReapRequest;

/** A key in a `ReapRequest`. */
export const ReapKey: MessageCodec<gen.ReapKey> = codecOf("ReapKey", ringtail.ReapKey);
/** A decoded `ReapKey`. */
export type ReapKey = gen.ReapKey;

/** The answer to REAP_PREPARE and REAP_COMMIT. */
export const ReapReply: MessageCodec<gen.ReapReply> = codecOf("ReapReply", ringtail.ReapReply);
/** A decoded `ReapReply`. */
export type ReapReply = gen.ReapReply;

/** The body of EXPLAIN. */
export const ExplainRequest: MessageCodec<gen.ExplainRequest> = codecOf("ExplainRequest", ringtail.ExplainRequest);
/** A decoded `ExplainRequest`. */
export type ExplainRequest = gen.ExplainRequest;

/** The answer to EXPLAIN. */
export const ExplainReply: MessageCodec<gen.ExplainReply> = codecOf("ExplainReply", ringtail.ExplainReply);
/** A decoded `ExplainReply`. */
export type ExplainReply = gen.ExplainReply;

/** A hint in an `ExplainReply`. */
export const ExplainHint: MessageCodec<gen.ExplainHint> = codecOf("ExplainHint", ringtail.ExplainHint);
/** A decoded `ExplainHint`. */
export type ExplainHint = gen.ExplainHint;

/** The body of REPAIR_STATUS. */
export const RepairStatusRequest: MessageCodec<gen.RepairStatusRequest> = codecOf(
  "RepairStatusRequest",
  ringtail.RepairStatusRequest,
);
/** A decoded `RepairStatusRequest`. */
export type RepairStatusRequest = gen.RepairStatusRequest;

/** The answer to REPLICA_HEAD. */
export const ReplicaHeadReply: MessageCodec<gen.ReplicaHeadReply> = codecOf(
  "ReplicaHeadReply",
  ringtail.ReplicaHeadReply,
);
/** A decoded `ReplicaHeadReply`. */
export type ReplicaHeadReply = gen.ReplicaHeadReply;

/** The answer to REPLICA_READ and HINT_READ. */
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

/** Where a node stands, in every message about choosing rings. */
export const RingStamp: MessageCodec<gen.RingStamp> = codecOf("RingStamp", ringtail.RingStamp);
/** A decoded `RingStamp`. */
export type RingStamp = gen.RingStamp;

/** A ballot of a proposer. */
export const RingBallot: MessageCodec<gen.RingBallot> = codecOf("RingBallot", ringtail.RingBallot);
/** A decoded `RingBallot`. */
export type RingBallot = gen.RingBallot;

/** The body of RING_DIGEST. */
export const RingDigest: MessageCodec<gen.RingDigest> = codecOf("RingDigest", ringtail.RingDigest);
/** A decoded `RingDigest`. */
export type RingDigest = gen.RingDigest;

/** The body of RING_PULL. */
export const RingPull: MessageCodec<gen.RingPull> = codecOf("RingPull", ringtail.RingPull);
/** A decoded `RingPull`. */
export type RingPull = gen.RingPull;

/** The body of RING_CHOSEN. */
export const RingChosen: MessageCodec<gen.RingChosen> = codecOf("RingChosen", ringtail.RingChosen);
/** A decoded `RingChosen`. */
export type RingChosen = gen.RingChosen;

/** The body of RING_PREPARE. */
export const RingPrepare: MessageCodec<gen.RingPrepare> = codecOf("RingPrepare", ringtail.RingPrepare);
/** A decoded `RingPrepare`. */
export type RingPrepare = gen.RingPrepare;

/** The body of RING_PROMISE. */
export const RingPromise: MessageCodec<gen.RingPromise> = codecOf("RingPromise", ringtail.RingPromise);
/** A decoded `RingPromise`. */
export type RingPromise = gen.RingPromise;

/** The body of RING_ACCEPT. */
export const RingAccept: MessageCodec<gen.RingAccept> = codecOf("RingAccept", ringtail.RingAccept);
/** A decoded `RingAccept`. */
export type RingAccept = gen.RingAccept;

/** The body of RING_ACCEPTED. */
export const RingAccepted: MessageCodec<gen.RingAccepted> = codecOf("RingAccepted", ringtail.RingAccepted);
/** A decoded `RingAccepted`. */
export type RingAccepted = gen.RingAccepted;

/** The body of RING_REFUSAL. */
export const RingRefusal: MessageCodec<gen.RingRefusal> = codecOf("RingRefusal", ringtail.RingRefusal);
/** A decoded `RingRefusal`. */
export type RingRefusal = gen.RingRefusal;

/** The state file "ballot". */
export const BallotFile: MessageCodec<gen.BallotFile> = codecOf("BallotFile", ringtail.BallotFile);
/** A decoded `BallotFile`. */
export type BallotFile = gen.BallotFile;

/** The ring: in FETCH_RING, REPORT, and the ring's state file. */
export const RingState: MessageCodec<gen.RingState> = codecOf("RingState", ringtail.RingState);
/** A decoded `RingState`. */
export type RingState = gen.RingState;

/** One of a record's concurrent values. */
export const Sibling: MessageCodec<gen.Sibling> = codecOf("Sibling", ringtail.Sibling);
/** A decoded `Sibling`. */
export type Sibling = gen.Sibling;

/** A staged change of membership in a ring. */
export const StagedChange: MessageCodec<gen.StagedChange> = codecOf("StagedChange", ringtail.StagedChange);
/** A decoded `StagedChange`. */
export type StagedChange = gen.StagedChange;

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

/** The answer to TREE_BRANCH. */
export const TreeBranchReply: MessageCodec<gen.TreeBranchReply> = codecOf("TreeBranchReply", ringtail.TreeBranchReply);
/** A decoded `TreeBranchReply`. */
export type TreeBranchReply = gen.TreeBranchReply;

/** The body of TREE_BRANCH. */
export const TreeBranchRequest: MessageCodec<gen.TreeBranchRequest> = codecOf(
  "TreeBranchRequest",
  ringtail.TreeBranchRequest,
);
/** A decoded `TreeBranchRequest`. */
export type TreeBranchRequest = gen.TreeBranchRequest;

/** The answer to TREE_LEAVES. */
export const TreeLeavesReply: MessageCodec<gen.TreeLeavesReply> = codecOf("TreeLeavesReply", ringtail.TreeLeavesReply);
/** A decoded `TreeLeavesReply`. */
export type TreeLeavesReply = gen.TreeLeavesReply;

/** The body of TREE_LEAVES. */
export const TreeLeavesRequest: MessageCodec<gen.TreeLeavesRequest> = codecOf(
  "TreeLeavesRequest",
  ringtail.TreeLeavesRequest,
);
/** A decoded `TreeLeavesRequest`. */
export type TreeLeavesRequest = gen.TreeLeavesRequest;

/** The answer to TREE_ROOTS. */
export const TreeRootsReply: MessageCodec<gen.TreeRootsReply> = codecOf("TreeRootsReply", ringtail.TreeRootsReply);
/** A decoded `TreeRootsReply`. */
export type TreeRootsReply = gen.TreeRootsReply;

/** The body of TREE_ROOTS. */
export const TreeRootsRequest: MessageCodec<gen.TreeRootsRequest> = codecOf(
  "TreeRootsRequest",
  ringtail.TreeRootsRequest,
);
/** A decoded `TreeRootsRequest`. */
export type TreeRootsRequest = gen.TreeRootsRequest;

/** Which replicas of one n are complete, in a `TransfersFile`. */
export const SyncedReplicas: MessageCodec<gen.SyncedReplicas> = codecOf("SyncedReplicas", ringtail.SyncedReplicas);
/** A decoded `SyncedReplicas`. */
export type SyncedReplicas = gen.SyncedReplicas;

/** The answer to TRANSFER_CLOSE. */
export const TransferCloseReply: MessageCodec<gen.TransferCloseReply> = codecOf(
  "TransferCloseReply",
  ringtail.TransferCloseReply,
);
/** A decoded `TransferCloseReply`. */
export type TransferCloseReply = gen.TransferCloseReply;

/** The body of TRANSFER_CLOSE. */
export const TransferCloseRequest: MessageCodec<gen.TransferCloseRequest> = codecOf(
  "TransferCloseRequest",
  ringtail.TransferCloseRequest,
);
/** A decoded `TransferCloseRequest`. */
export type TransferCloseRequest = gen.TransferCloseRequest;

/** The answer to TRANSFER_CONFIRMED. */
export const TransferConfirmedReply: MessageCodec<gen.TransferConfirmedReply> = codecOf(
  "TransferConfirmedReply",
  ringtail.TransferConfirmedReply,
);
/** A decoded `TransferConfirmedReply`. */
export type TransferConfirmedReply = gen.TransferConfirmedReply;

/** The body of TRANSFER_CONFIRMED. */
export const TransferConfirmedRequest: MessageCodec<gen.TransferConfirmedRequest> = codecOf(
  "TransferConfirmedRequest",
  ringtail.TransferConfirmedRequest,
);
/** A decoded `TransferConfirmedRequest`. */
export type TransferConfirmedRequest = gen.TransferConfirmedRequest;

/** What a node remembers of one transfer. */
export const TransferProgress: MessageCodec<gen.TransferProgress> = codecOf(
  "TransferProgress",
  ringtail.TransferProgress,
);
/** A decoded `TransferProgress`. */
export type TransferProgress = gen.TransferProgress;

/** The answer to TRANSFER_PULL. */
export const TransferPullReply: MessageCodec<gen.TransferPullReply> = codecOf(
  "TransferPullReply",
  ringtail.TransferPullReply,
);
/** A decoded `TransferPullReply`. */
export type TransferPullReply = gen.TransferPullReply;

/** The body of TRANSFER_PULL. */
export const TransferPullRequest: MessageCodec<gen.TransferPullRequest> = codecOf(
  "TransferPullRequest",
  ringtail.TransferPullRequest,
);
/** A decoded `TransferPullRequest`. */
export type TransferPullRequest = gen.TransferPullRequest;

/** One transfer in a TRANSFER_STATUS reply. */
export const TransferRow: MessageCodec<gen.TransferRow> = codecOf("TransferRow", ringtail.TransferRow);
/** A decoded `TransferRow`. */
export type TransferRow = gen.TransferRow;

/** The answer to TRANSFER_STATUS. */
export const TransferStatusReply: MessageCodec<gen.TransferStatusReply> = codecOf(
  "TransferStatusReply",
  ringtail.TransferStatusReply,
);
/** A decoded `TransferStatusReply`. */
export type TransferStatusReply = gen.TransferStatusReply;

/** The body of TRANSFER_STATUS. */
export const TransferStatusRequest: MessageCodec<gen.TransferStatusRequest> = codecOf(
  "TransferStatusRequest",
  ringtail.TransferStatusRequest,
);
/** A decoded `TransferStatusRequest`. */
export type TransferStatusRequest = gen.TransferStatusRequest;

/** The state file of a node's transfers. */
export const TransfersFile: MessageCodec<gen.TransfersFile> = codecOf("TransfersFile", ringtail.TransfersFile);
/** A decoded `TransfersFile`. */
export type TransfersFile = gen.TransfersFile;

/** The answer to a ping, also as the answer to TCP_PING. */
export const Ack: MessageCodec<gen.Ack> = codecOf("Ack", ringtail.Ack);
/** A decoded `Ack`. */
export type Ack = gen.Ack;

/** A datagram that only carries updates. */
export const Gossip: MessageCodec<gen.Gossip> = codecOf("Gossip", ringtail.Gossip);
/** A decoded `Gossip`. */
export type Gossip = gen.Gossip;

/** Who sends a datagram or a state sync. */
export const GossipHead: MessageCodec<gen.GossipHead> = codecOf("GossipHead", ringtail.GossipHead);
/** A decoded `GossipHead`. */
export type GossipHead = gen.GossipHead;

/** One claim about one member. */
export const MemberUpdate: MessageCodec<gen.MemberUpdate> = codecOf("MemberUpdate", ringtail.MemberUpdate);
/** A decoded `MemberUpdate`. */
export type MemberUpdate = gen.MemberUpdate;

/** The state file of what is known of the members. */
export const MembersFile: MessageCodec<gen.MembersFile> = codecOf("MembersFile", ringtail.MembersFile);
/** A decoded `MembersFile`. */
export type MembersFile = gen.MembersFile;

/** A helper's word that it had no ack. */
export const Nack: MessageCodec<gen.Nack> = codecOf("Nack", ringtail.Nack);
/** A decoded `Nack`. */
export type Nack = gen.Nack;

/** A ping, also the body of TCP_PING. */
export const Ping: MessageCodec<gen.Ping> = codecOf("Ping", ringtail.Ping);
/** A decoded `Ping`. */
export type Ping = gen.Ping;

/** A request to ping somebody else. */
export const PingReq: MessageCodec<gen.PingReq> = codecOf("PingReq", ringtail.PingReq);
/** A decoded `PingReq`. */
export type PingReq = gen.PingReq;

/** The body of STATE_SYNC and the answer to it. */
export const StateSync: MessageCodec<gen.StateSync> = codecOf("StateSync", ringtail.StateSync);
/** A decoded `StateSync`. */
export type StateSync = gen.StateSync;

/** Asks for MEMBERS. */
export const MembersRequest: MessageCodec<gen.MembersRequest> = codecOf("MembersRequest", ringtail.MembersRequest);
/** A decoded `MembersRequest`. */
export type MembersRequest = gen.MembersRequest;

/** The answer to MEMBERS. */
export const MembersReply: MessageCodec<gen.MembersReply> = codecOf("MembersReply", ringtail.MembersReply);
/** A decoded `MembersReply`. */
export type MembersReply = gen.MembersReply;

/** The body of RING_CHANGE. */
export const RingChangeRequest: MessageCodec<gen.RingChangeRequest> = codecOf(
  "RingChangeRequest",
  ringtail.RingChangeRequest,
);
/** A decoded `RingChangeRequest`. */
export type RingChangeRequest = gen.RingChangeRequest;

/** The answer to RING_CHANGE. */
export const RingChangeReply: MessageCodec<gen.RingChangeReply> = codecOf("RingChangeReply", ringtail.RingChangeReply);
/** A decoded `RingChangeReply`. */
export type RingChangeReply = gen.RingChangeReply;

/** The body of EVENTS. */
export const EventsRequest: MessageCodec<gen.EventsRequest> = codecOf("EventsRequest", ringtail.EventsRequest);
/** A decoded `EventsRequest`. */
export type EventsRequest = gen.EventsRequest;

/** The answer to EVENTS. */
export const EventsReply: MessageCodec<gen.EventsReply> = codecOf("EventsReply", ringtail.EventsReply);
/** A decoded `EventsReply`. */
export type EventsReply = gen.EventsReply;

/** A member, in a `MembersReply`. */
export const MemberRow: MessageCodec<gen.MemberRow> = codecOf("MemberRow", ringtail.MemberRow);
/** A decoded `MemberRow`. */
export type MemberRow = gen.MemberRow;

/** An event, in an `EventsReply`. */
export const EventRow: MessageCodec<gen.EventRow> = codecOf("EventRow", ringtail.EventRow);
/** A decoded `EventRow`. */
export type EventRow = gen.EventRow;

/** The body of WHY. */
export const WhyRequest: MessageCodec<gen.WhyRequest> = codecOf("WhyRequest", ringtail.WhyRequest);
/** A decoded `WhyRequest`. */
export type WhyRequest = gen.WhyRequest;

/** The answer to WHY. */
export const WhyReply: MessageCodec<gen.WhyReply> = codecOf("WhyReply", ringtail.WhyReply);
/** A decoded `WhyReply`. */
export type WhyReply = gen.WhyReply;

/** A slow operation, in a `WhyReply`. */
export const SlowOp: MessageCodec<gen.SlowOp> = codecOf("SlowOp", ringtail.SlowOp);
/** A decoded `SlowOp`. */
export type SlowOp = gen.SlowOp;

/** A pause, in a `WhyReply`. */
export const Pause: MessageCodec<gen.Pause> = codecOf("Pause", ringtail.Pause);
/** A decoded `Pause`. */
export type Pause = gen.Pause;

/** A cause's sums, in a `WhyReply`. */
export const CauseTotal: MessageCodec<gen.CauseTotal> = codecOf("CauseTotal", ringtail.CauseTotal);
/** A decoded `CauseTotal`. */
export type CauseTotal = gen.CauseTotal;

/** The body of TOP_KEYS. */
export const TopKeysRequest: MessageCodec<gen.TopKeysRequest> = codecOf("TopKeysRequest", ringtail.TopKeysRequest);
/** A decoded `TopKeysRequest`. */
export type TopKeysRequest = gen.TopKeysRequest;

/** The answer to TOP_KEYS. */
export const TopKeysReply: MessageCodec<gen.TopKeysReply> = codecOf("TopKeysReply", ringtail.TopKeysReply);
/** A decoded `TopKeysReply`. */
export type TopKeysReply = gen.TopKeysReply;

/** A key, in a `TopKeysReply`. */
export const HotKey: MessageCodec<gen.HotKey> = codecOf("HotKey", ringtail.HotKey);
/** A decoded `HotKey`. */
export type HotKey = gen.HotKey;
