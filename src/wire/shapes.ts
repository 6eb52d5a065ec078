/**
 * Shapes: what the guard must know of each message of the schema before it is decoded, that is, which fields repeat and
 * how often they may, and which hold another message. Everything else in a message is bounded by the frame. A test
 * holds these tables against schema/*.proto: no message, repeated field or nested message can be missing.
 */
import { assert } from "../base/assert.ts";
import { recentMax } from "../version/recent.ts";
import { siblingsMax, versionEntriesMax } from "../version/record-decoder.ts";
import { acksMax, bucketPoliciesMax, keysPerMultiGetMax, membersMax, statusRowsMax } from "./limits.ts";

/** Field numbers end here: the shape tables are arrays of this length. */
export const fieldNumbersMax = 32;
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
const ringState = new MessageShape("RingState", [
  messages(6, membersMax, member),
  messages(8, bucketPoliciesMax, bucketPolicy),
]);
const multiGetResult = new MessageShape("MultiGetResult", [words(4, acksMax)]);
const peerState = plain("PeerState");
const counter = plain("Counter");
const latencySummary = plain("LatencySummary");
const configEntry = plain("ConfigEntry");

/** The messages of the schema. */
export type MessageName =
  | "Record"
  | "Sibling"
  | "Superseded"
  | "Member"
  | "BucketPolicy"
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
  | "ReplicaReadRequest"
  | "ReplicaReadReply"
  | "ReplicaWriteRequest"
  | "ReplicaWriteReply"
  | "ReportRequest"
  | "ReportReply"
  | "IdentityFile"
  | "ActorFile";

/** The shape of every message of the schema, by name. */
export const shapes: Readonly<Record<MessageName, MessageShape>> = {
  Record: new MessageShape("Record", [
    words(1, dotWordsMax),
    messages(2, siblingsMax, sibling),
    messages(3, recentMax, superseded),
  ]),
  Sibling: sibling,
  Superseded: superseded,
  Member: member,
  BucketPolicy: bucketPolicy,
  RingState: ringState,
  Hello: plain("Hello"),
  ErrorReply: plain("ErrorReply"),
  FetchRingRequest: plain("FetchRingRequest"),
  FetchRingReply: new MessageShape("FetchRingReply", [messages(1, 1, ringState)]),
  GetRequest: plain("GetRequest"),
  GetReply: new MessageShape("GetReply", [words(4, acksMax)]),
  PutRequest: plain("PutRequest"),
  PutReply: new MessageShape("PutReply", [words(3, acksMax)]),
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
  ReplicaReadRequest: plain("ReplicaReadRequest"),
  ReplicaReadReply: plain("ReplicaReadReply"),
  ReplicaWriteRequest: plain("ReplicaWriteRequest"),
  ReplicaWriteReply: plain("ReplicaWriteReply"),
  ReportRequest: new MessageShape("ReportRequest", [messages(1, 1, member)]),
  ReportReply: new MessageShape("ReportReply", [messages(1, 1, ringState)]),
  IdentityFile: plain("IdentityFile"),
  ActorFile: plain("ActorFile"),
};
