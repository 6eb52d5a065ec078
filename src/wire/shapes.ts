/**
 * Shapes: what the guard must know of each message of the schema before it is decoded, that is, which fields repeat and
 * how often they may, and which hold another message. Everything else in a message is bounded by the frame. A test
 * holds these tables against schema/*.proto: no message, repeated field or nested message can be missing.
 */
import { assert } from "../base/assert.ts";
import { pausesMax } from "../metrics/pauses.ts";
import { phaseWordsMax } from "../metrics/phases.ts";
import { slowOpsMax } from "../metrics/slow-ops.ts";
import { hotKeysMax } from "../metrics/top-keys.ts";
import { bucketPoliciesMax } from "../ring/bucket-policy.ts";
import { partitionsMax } from "../ring/partition.ts";
import { recentEntriesMax } from "../version/recent.ts";
import { siblingsMax, versionEntriesMax } from "../version/record-decoder.ts";
import {
  acksMax,
  eventRowsMax,
  hintRowsMax,
  hintsPerExplainMax,
  keysPerLeafPageMax,
  keysPerMultiGetMax,
  keysPerReapMax,
  leavesPerFrameMax,
  membersMax,
  previewPeersMax,
  previewRowsMax,
  recordsPerPullMax,
  statusRowsMax,
  transferRowsMax,
  transfersRememberedMax,
  treesPerFrameMax,
  updatesPerDatagramMax,
  waitingMax,
} from "./limits.ts";

/** Field numbers end here: the shape tables are arrays of this length. */
export const fieldNumbersMax = 128;
/** Bounded fields of one message end here. */
export const boundedFieldsMax = 8;
/** Fields that a newer peer may send in one message besides those that we know. */
const unknownFieldsMax = 1_024;

/** A field that the guard counts: a repeated one, or a message (which may occur once). */
export interface BoundedField {
  readonly number: number;
  /** How often it may occur in one message; for a packed field: its elements. */
  readonly countMax: number;
  /** Bytes of an element when packed; 0: never packed. */
  readonly packedBytes: number;
  readonly child: MessageShape | null;
}

/** The table of one message, laid out for the guard's loop. */
export class MessageShape {
  readonly name: string;
  readonly fields: readonly BoundedField[];
  /** By field number: 0, or the place of the field in `fields`, from 1. */
  readonly slots: Uint8Array;
  /** How many fields a message of this kind holds at the most when it is nested in another one. */
  readonly knownFieldsMax: number;
  /** How many fields a whole body of this kind may hold, nested ones included. */
  readonly fieldsMax: number;

  constructor(name: string, fields: readonly BoundedField[]) {
    assert(fields.length <= boundedFieldsMax, "too many bounded fields in a message");
    this.name = name;
    this.fields = fields;
    this.slots = new Uint8Array(fieldNumbersMax);
    let sum = fieldNumbersMax;
    for (const [index, field] of fields.entries()) {
      assert(field.number >= 1 && field.number < fieldNumbersMax, "field number out of range");
      this.slots[field.number] = index + 1;
      sum += field.countMax * (1 + (field.child?.knownFieldsMax ?? 0));
    }
    this.knownFieldsMax = sum;
    this.fieldsMax = sum + unknownFieldsMax;
  }
}

function words(number: number, countMax: number): BoundedField {
  return { number, countMax, packedBytes: 4, child: null };
}

function chunks(number: number, countMax: number): BoundedField {
  return { number, countMax, packedBytes: 0, child: null };
}

function messages(number: number, countMax: number, child: MessageShape): BoundedField {
  return { number, countMax, packedBytes: 0, child };
}

function plain(name: string): MessageShape {
  return new MessageShape(name, []);
}

/** A dot or an entry of a version vector is three words. */
const dotWordsMax = 3 * versionEntriesMax;

const sibling = new MessageShape("Sibling", [words(1, dotWordsMax)]);
const superseded = new MessageShape("Superseded", [words(2, dotWordsMax)]);
const member = plain("Member");
const bucketPolicy = plain("BucketPolicy");
const stagedChange = plain("StagedChange");
const ringState = new MessageShape("RingState", [
  messages(6, membersMax, member),
  messages(8, bucketPoliciesMax, bucketPolicy),
  words(13, partitionsMax),
  messages(14, membersMax, stagedChange),
]);
const multiGetResult = new MessageShape("MultiGetResult", [words(4, acksMax)]);
const peerState = plain("PeerState");
const counter = plain("Counter");
const latencySummary = plain("LatencySummary");
const configEntry = plain("ConfigEntry");
const memberRow = new MessageShape("MemberRow", [messages(1, 1, member)]);
const eventRow = plain("EventRow");
const slowOp = new MessageShape("SlowOp", [words(8, phaseWordsMax)]);
const pause = plain("Pause");
const causeTotal = plain("CauseTotal");
const hotKey = plain("HotKey");
const leafKey = plain("LeafKey");
const heldRecord = new MessageShape("HeldRecord", [words(2, dotWordsMax)]);
const fetchedRecord = plain("FetchedRecord");
const reapKey = new MessageShape("ReapKey", [words(4, dotWordsMax)]);
const explainHint = plain("ExplainHint");

const repairPreviewKey = plain("RepairPreviewKey");
const repairPreviewPeer = new MessageShape("RepairPreviewPeer", [messages(5, previewRowsMax, repairPreviewKey)]);
const transferRow = plain("TransferRow");
/** A preference list names at most 16 members. */
const transferProgress = new MessageShape("TransferProgress", [words(12, 16)]);
/** One entry per n. */
const syncedReplicas = plain("SyncedReplicas");

const hintRow = plain("HintRow");

const memberUpdate = plain("MemberUpdate");
const gossipHead = plain("GossipHead");

function gossip(name: string): MessageShape {
  return new MessageShape(name, [messages(1, 1, gossipHead), messages(15, updatesPerDatagramMax, memberUpdate)]);
}

const ringStamp = plain("RingStamp");
const ringBallot = plain("RingBallot");

function ballotIn(number: number): BoundedField {
  return messages(number, 1, ringBallot);
}

/** A message about choosing rings: a stamp, and what follows. */
function ringMessage(name: string, fields: readonly BoundedField[]): MessageShape {
  return new MessageShape(name, [messages(1, 1, ringStamp), ...fields]);
}

/** The messages of the schema. */
export type MessageName =
  | "Record"
  | "Sibling"
  | "Superseded"
  | "Member"
  | "BucketPolicy"
  | "StagedChange"
  | "RingState"
  | "Hello"
  | "ErrorReply"
  | "FetchRingRequest"
  | "FetchRingReply"
  | "GetRequest"
  | "GetReply"
  | "PutRequest"
  | "PutReply"
  | "DeleteRequest"
  | "MultiGetRequest"
  | "MultiGetReply"
  | "MultiGetResult"
  | "StatusRequest"
  | "StatusReply"
  | "PeerState"
  | "Counter"
  | "LatencySummary"
  | "ConfigEntry"
  | "MembersRequest"
  | "MembersReply"
  | "MemberRow"
  | "RingChangeRequest"
  | "RingChangeReply"
  | "EventsRequest"
  | "EventsReply"
  | "EventRow"
  | "WhyRequest"
  | "WhyReply"
  | "SlowOp"
  | "Pause"
  | "CauseTotal"
  | "TopKeysRequest"
  | "TopKeysReply"
  | "HotKey"
  | "ReplicaReadRequest"
  | "ReplicaReadReply"
  | "ReplicaHeadReply"
  | "ReplicaWriteRequest"
  | "ReplicaWriteReply"
  | "ReportRequest"
  | "ReportReply"
  | "TreeRootsRequest"
  | "TreeRootsReply"
  | "TreeBranchRequest"
  | "TreeBranchReply"
  | "TreeLeavesRequest"
  | "TreeLeavesReply"
  | "LeafKeysRequest"
  | "LeafKeysReply"
  | "LeafKey"
  | "RecordFetchRequest"
  | "HeldRecord"
  | "RecordFetchReply"
  | "FetchedRecord"
  | "ReapRequest"
  | "ReapKey"
  | "ReapReply"
  | "ExplainRequest"
  | "ExplainReply"
  | "ExplainHint"
  | "RepairStatusRequest"
  | "RepairStatusReply"
  | "RepairPreviewRequest"
  | "RepairPreviewReply"
  | "RepairPreviewPeer"
  | "RepairPreviewKey"
  | "TransferPullRequest"
  | "TransferPullReply"
  | "TransferCloseRequest"
  | "TransferCloseReply"
  | "TransferConfirmedRequest"
  | "TransferConfirmedReply"
  | "TransferStatusRequest"
  | "TransferStatusReply"
  | "TransferRow"
  | "TransfersFile"
  | "TransferProgress"
  | "SyncedReplicas"
  | "RingStamp"
  | "RingBallot"
  | "RingDigest"
  | "RingPull"
  | "RingChosen"
  | "RingPrepare"
  | "RingPromise"
  | "RingAccept"
  | "RingAccepted"
  | "RingRefusal"
  | "BallotFile"
  | "IdentityFile"
  | "HintKeepRequest"
  | "HintDeliverRequest"
  | "HintDeliverReply"
  | "HintStatusRequest"
  | "HintStatusReply"
  | "HintRow"
  | "MemberUpdate"
  | "GossipHead"
  | "Ping"
  | "PingReq"
  | "Ack"
  | "Nack"
  | "Gossip"
  | "StateSync"
  | "MembersFile"
  | "ActorFile";

/** The shape of every message of the schema, by name. */
export const shapes: Readonly<Record<MessageName, MessageShape>> = {
  Record: new MessageShape("Record", [
    words(1, dotWordsMax),
    messages(2, siblingsMax, sibling),
    messages(3, recentEntriesMax, superseded),
  ]),
  Sibling: sibling,
  Superseded: superseded,
  Member: member,
  BucketPolicy: bucketPolicy,
  StagedChange: stagedChange,
  RingState: ringState,
  Hello: plain("Hello"),
  ErrorReply: plain("ErrorReply"),
  FetchRingRequest: plain("FetchRingRequest"),
  FetchRingReply: new MessageShape("FetchRingReply", [messages(1, 1, ringState)]),
  GetRequest: plain("GetRequest"),
  GetReply: new MessageShape("GetReply", [words(4, acksMax), words(30, phaseWordsMax)]),
  PutRequest: plain("PutRequest"),
  PutReply: new MessageShape("PutReply", [words(3, acksMax), words(30, phaseWordsMax)]),
  DeleteRequest: plain("DeleteRequest"),
  MultiGetRequest: new MessageShape("MultiGetRequest", [chunks(2, keysPerMultiGetMax)]),
  MultiGetReply: new MessageShape("MultiGetReply", [messages(1, keysPerMultiGetMax, multiGetResult)]),
  MultiGetResult: multiGetResult,
  StatusRequest: plain("StatusRequest"),
  StatusReply: new MessageShape("StatusReply", [
    messages(10, membersMax, peerState),
    messages(11, statusRowsMax, counter),
    messages(12, statusRowsMax, latencySummary),
    messages(13, statusRowsMax, configEntry),
  ]),
  PeerState: peerState,
  Counter: counter,
  LatencySummary: latencySummary,
  ConfigEntry: configEntry,
  MembersRequest: plain("MembersRequest"),
  MembersReply: new MessageShape("MembersReply", [messages(4, membersMax, memberRow), messages(5, waitingMax, member)]),
  MemberRow: memberRow,
  RingChangeRequest: new MessageShape("RingChangeRequest", [
    messages(4, 1, member),
    words(7, membersMax),
    messages(9, 1, bucketPolicy),
  ]),
  RingChangeReply: plain("RingChangeReply"),
  EventsRequest: plain("EventsRequest"),
  EventsReply: new MessageShape("EventsReply", [messages(1, eventRowsMax, eventRow)]),
  EventRow: eventRow,
  WhyRequest: plain("WhyRequest"),
  WhyReply: new MessageShape("WhyReply", [
    messages(2, slowOpsMax, slowOp),
    messages(3, pausesMax, pause),
    messages(4, statusRowsMax, causeTotal),
  ]),
  SlowOp: slowOp,
  Pause: pause,
  CauseTotal: causeTotal,
  TopKeysRequest: plain("TopKeysRequest"),
  TopKeysReply: new MessageShape("TopKeysReply", [messages(4, hotKeysMax, hotKey), messages(5, hotKeysMax, hotKey)]),
  HotKey: hotKey,
  ReplicaReadRequest: plain("ReplicaReadRequest"),
  ReplicaReadReply: plain("ReplicaReadReply"),
  ReplicaHeadReply: new MessageShape("ReplicaHeadReply", [words(1, dotWordsMax)]),
  ReplicaWriteRequest: plain("ReplicaWriteRequest"),
  ReplicaWriteReply: plain("ReplicaWriteReply"),
  ReportRequest: new MessageShape("ReportRequest", [messages(1, 1, member)]),
  ReportReply: new MessageShape("ReportReply", [messages(1, 1, ringState)]),
  TreeRootsRequest: new MessageShape("TreeRootsRequest", [words(2, treesPerFrameMax)]),
  TreeRootsReply: new MessageShape("TreeRootsReply", [words(2, 2 * treesPerFrameMax)]),
  TreeBranchRequest: plain("TreeBranchRequest"),
  TreeBranchReply: new MessageShape("TreeBranchReply", [words(2, 2 * 64)]),
  TreeLeavesRequest: plain("TreeLeavesRequest"),
  TreeLeavesReply: new MessageShape("TreeLeavesReply", [words(2, 2 * leavesPerFrameMax)]),
  LeafKeysRequest: plain("LeafKeysRequest"),
  LeafKeysReply: new MessageShape("LeafKeysReply", [messages(2, keysPerLeafPageMax, leafKey)]),
  LeafKey: leafKey,
  RecordFetchRequest: new MessageShape("RecordFetchRequest", [messages(3, keysPerLeafPageMax, heldRecord)]),
  HeldRecord: heldRecord,
  RecordFetchReply: new MessageShape("RecordFetchReply", [messages(2, keysPerLeafPageMax, fetchedRecord)]),
  FetchedRecord: fetchedRecord,
  ReapRequest: new MessageShape("ReapRequest", [messages(4, keysPerReapMax, reapKey)]),
  ReapKey: reapKey,
  ReapReply: plain("ReapReply"),
  ExplainRequest: plain("ExplainRequest"),
  ExplainReply: new MessageShape("ExplainReply", [messages(8, hintsPerExplainMax, explainHint)]),
  ExplainHint: explainHint,
  RepairStatusRequest: plain("RepairStatusRequest"),
  RepairStatusReply: new MessageShape("RepairStatusReply", [messages(15, statusRowsMax, counter)]),
  RepairPreviewRequest: plain("RepairPreviewRequest"),
  RepairPreviewReply: new MessageShape("RepairPreviewReply", [messages(2, previewPeersMax, repairPreviewPeer)]),
  RepairPreviewPeer: repairPreviewPeer,
  RepairPreviewKey: repairPreviewKey,
  TransferPullRequest: plain("TransferPullRequest"),
  TransferPullReply: new MessageShape("TransferPullReply", [
    chunks(1, recordsPerPullMax),
    chunks(2, recordsPerPullMax),
  ]),
  TransferCloseRequest: plain("TransferCloseRequest"),
  TransferCloseReply: plain("TransferCloseReply"),
  TransferConfirmedRequest: new MessageShape("TransferConfirmedRequest", [words(2, 2 * transferRowsMax)]),
  TransferConfirmedReply: plain("TransferConfirmedReply"),
  TransferStatusRequest: plain("TransferStatusRequest"),
  TransferStatusReply: new MessageShape("TransferStatusReply", [messages(2, transferRowsMax, transferRow)]),
  TransferRow: transferRow,
  TransfersFile: new MessageShape("TransfersFile", [
    messages(1, transfersRememberedMax, transferProgress),
    messages(2, 8, syncedReplicas),
  ]),
  TransferProgress: transferProgress,
  SyncedReplicas: syncedReplicas,
  RingStamp: ringStamp,
  RingBallot: ringBallot,
  RingDigest: ringMessage("RingDigest", []),
  RingPull: ringMessage("RingPull", []),
  RingChosen: ringMessage("RingChosen", []),
  RingPrepare: ringMessage("RingPrepare", [ballotIn(4), words(5, membersMax)]),
  RingPromise: ringMessage("RingPromise", [ballotIn(3), ballotIn(4), ballotIn(6)]),
  RingAccept: ringMessage("RingAccept", [ballotIn(4), words(5, membersMax)]),
  RingAccepted: ringMessage("RingAccepted", [ballotIn(3)]),
  RingRefusal: ringMessage("RingRefusal", [ballotIn(3), ballotIn(5)]),
  BallotFile: new MessageShape("BallotFile", [
    ballotIn(4),
    ballotIn(5),
    ballotIn(7),
    ballotIn(8),
    words(10, membersMax),
  ]),
  IdentityFile: plain("IdentityFile"),
  HintKeepRequest: plain("HintKeepRequest"),
  HintDeliverRequest: plain("HintDeliverRequest"),
  HintDeliverReply: plain("HintDeliverReply"),
  HintStatusRequest: plain("HintStatusRequest"),
  HintStatusReply: new MessageShape("HintStatusReply", [messages(2, hintRowsMax, hintRow)]),
  HintRow: hintRow,
  MemberUpdate: memberUpdate,
  GossipHead: gossipHead,
  Ping: gossip("Ping"),
  PingReq: gossip("PingReq"),
  Ack: gossip("Ack"),
  Nack: new MessageShape("Nack", [messages(1, 1, gossipHead)]),
  Gossip: gossip("Gossip"),
  StateSync: new MessageShape("StateSync", [messages(2, 1, gossipHead), messages(3, membersMax, memberUpdate)]),
  MembersFile: new MessageShape("MembersFile", [messages(2, membersMax, memberUpdate)]),
  ActorFile: plain("ActorFile"),
};
