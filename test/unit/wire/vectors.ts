/**
 * The messages behind test/vectors/messages.json: one of each kind with every field set. The bytes there are fixed for
 * ever: a change that breaks one breaks old peers and old files. New fields are added here only together with a new
 * vector file.
 */
import type { Plain } from "./schema.ts";

function bytes(count: number, first: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (first + i) & 255);
}

const ids = { clusterId: bytes(16, 0x10), nodeId: bytes(16, 0x20), requestId: bytes(16, 0x30) };
const dots = [7, 0x89ab_cdef, 0x0001_fffe];
const bucket = bytes(5, 0x61);
const key = bytes(6, 0x71);
const quorum = { n: 3, r: 2, pr: 1, hostConfirms: 2, strict: true };
const writeQuorum = { n: 3, w: 2, pw: 1, dw: 1, hostConfirms: 2, strict: true };
const acks = [1, 0x0002_0002, 0x0003_0003];

const sibling = { dots, requestId: ids.requestId, value: bytes(4, 1), tombstone: false, second: 1_800_000_000 };
const superseded = { requestId: ids.requestId, dots, second: 1_800_000_001 };
const member = {
  number: 300,
  nodeId: ids.nodeId,
  name: "käthe",
  address: "127.0.0.1:7401",
  host: "host-a",
  zone: "zone-1",
  weight: 100,
  status: 1,
};
const policy = { name: "carts", n: 3, r: 2, w: 2, durability: 3, version: 4 };
const ring = {
  clusterId: ids.clusterId,
  epoch: 70_000,
  partitions: 8,
  replicasMax: 3,
  hashFunction: 1,
  members: [member, { ...member, number: 1, status: 3 }],
  owners: bytes(16, 0),
  buckets: [{ ...policy, name: "" }, policy],
};
const result = { status: 0, record: bytes(9, 5), context: bytes(3, 9), acks, askAlone: true, stalePossible: true };

/** By message name. */
export const messageVectors: Readonly<Record<string, Plain>> = {
  Record: {
    version: dots,
    siblings: [sibling, { ...sibling, value: new Uint8Array(0), tombstone: true }],
    recent: [superseded],
  },
  Sibling: sibling,
  Superseded: superseded,
  Member: member,
  BucketPolicy: policy,
  RingState: ring,
  Hello: {
    versionMin: 1,
    versionMax: 2,
    clusterId: ids.clusterId,
    nodeId: ids.nodeId,
    role: 2,
    number: 65_535,
    epoch: 9,
    software: "ringtail/0.1.0",
    pid: 4242,
  },
  ErrorReply: {
    message: "no such thing",
    epoch: 9,
    retryAfterUs: 2_500,
    clusterId: ids.clusterId,
    versionMin: 1,
    versionMax: 1,
  },
  FetchRingRequest: { epoch: 0xffff_ffff },
  FetchRingReply: { ring, epoch: 70_000 },
  GetRequest: { bucket, key, epoch: 9, timeoutUs: 1_000_000, ...quorum },
  GetReply: {
    record: bytes(200, 3),
    context: bytes(24, 4),
    epoch: 9,
    acks,
    coordinator: 2,
    elapsedUs: 310,
    stalePossible: true,
  },
  PutRequest: {
    bucket,
    key,
    value: bytes(130, 0),
    context: bytes(24, 4),
    requestId: ids.requestId,
    epoch: 9,
    timeoutUs: 1_000_000,
    ...writeQuorum,
    durability: 2,
    tombstone: true,
  },
  PutReply: {
    context: bytes(24, 4),
    epoch: 9,
    acks,
    coordinator: 2,
    elapsedUs: 310,
    forwardedBy: 3,
    stalePossible: true,
  },
  DeleteRequest: {
    bucket,
    key,
    context: bytes(24, 4),
    requestId: ids.requestId,
    epoch: 9,
    timeoutUs: 1_000_000,
    ...writeQuorum,
    durability: 4,
  },
  MultiGetRequest: { bucket, keys: [key, new Uint8Array(0), bytes(1, 1)], epoch: 9, timeoutUs: 1, ...quorum },
  MultiGetReply: { results: [result, { ...result, status: 15 }], epoch: 9, coordinator: 2, elapsedUs: 310 },
  MultiGetResult: result,
  StatusRequest: { withConfig: true },
  StatusReply: {
    clusterId: ids.clusterId,
    epoch: 9,
    number: 2,
    nodeId: ids.nodeId,
    name: "n2",
    pid: 4242,
    software: "ringtail/0.1.0",
    uptimeSeconds: 86_400,
    insecure: true,
    peers: [{ number: 1, state: "ok" }],
    counters: [{ name: "gets", value: 1.5e12 }],
    latencies: [{ name: "get", count: 3, p50Us: 100, p99Us: 200, p999Us: 300, maxUs: 400 }],
    config: [{ key: "n", value: "3", source: "file" }],
    durability: "one-durable",
  },
  PeerState: { number: 1, state: "connecting" },
  Counter: { name: "puts", value: -0.5 },
  LatencySummary: { name: "put", count: 1e6, p50Us: 100, p99Us: 20_000, p999Us: 300_000, maxUs: 4_000_000_000 },
  ConfigEntry: { key: "dataDir", value: "./data", source: "flag" },
  ReplicaReadRequest: { bucket, key, epoch: 9, timeoutUs: 1_000 },
  ReplicaReadReply: { record: bytes(20, 1), epoch: 9 },
  ReplicaWriteRequest: { bucket, key, record: bytes(20, 1), epoch: 9, timeoutUs: 1_000, durability: 3, purpose: 1 },
  ReplicaWriteReply: { durable: true, epoch: 9 },
  ReportRequest: { member },
  ReportReply: { ring, reported: 2, expected: 3 },
  IdentityFile: { nodeId: ids.nodeId, clusterId: ids.clusterId, number: 2 },
  ActorFile: {
    incarnationLow: 0x89ab_cdef,
    incarnationHigh: 0xfffe,
    leaseTop: 10_000,
    bootId: "0f8fad5b-d9cb-469f-a165-70867728950e",
    clean: true,
  },
};
