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
const phases = [0x23, 0, 40, 0, 12, 310, 0x0001_0000, 7, 0xffff_ffff, 0, 0];

const slowOp = {
  bucket,
  hashHigh: 0x89ab_cdef,
  hashLow: 1,
  type: 0x11,
  status: 5,
  ageUs: 12_000_000_000,
  elapsedUs: 70_310,
  phases,
  decidedBy: 300,
};
const pause = { kind: 1, ageUs: 12_000_000_000, lengthUs: 8_400 };
const causeTotal = { cause: "disk", ops: 4_096, us: 12_000_000_000 };
const hotKey = { fullKey: bytes(12, 5), perSecond: 812.5, excess: 3.25, cut: true };

const tree = 0x0003_03ff;
const leafKey = { fullKey: bytes(12, 5), hashHigh: 0x89ab_cdef, hashLow: 1, recordBytes: 120 };
const heldRecord = { fullKey: bytes(12, 5), version: dots, hashHigh: 0x89ab_cdef, hashLow: 1 };
const reapKey = { fullKey: bytes(12, 5), hashHigh: 0x89ab_cdef, hashLow: 1, entries: dots };
const explainHint = { target: 300, record: bytes(20, 1) };
const fetchedRecord = { relation: 1, record: bytes(20, 1), recordBytes: 20 };

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
const stamp = { epoch: 9, hashHigh: 0x89ab_cdef, hashLow: 7, votes: 300, life: 0xffff_fffe };
const ballot = { round: 70_000, node: 300 };
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

const memberRow = {
  member,
  state: "suspect",
  flapping: true,
  incarnation: 0x8000_0001,
  stateSeconds: 300,
  loopDelayUs: 1_500,
  epoch: 9,
};

const eventRow = { sequence: 18, atMs: 1_767_225_600_001, kind: "ring", text: "the ring is at epoch 9" };

const repairKey = { fullKey: bytes(12, 3), relation: 2, bytesHere: 1_100, bytesThere: 0 };
const repairPeer = { peer: 3, status: 0, refused: false, keys: 1, rows: [repairKey] };
const hintRow = {
  target: 300,
  count: 1e6,
  bytes: 4.1e9,
  bytesMax: 4_294_967_296,
  level: 3,
  oldest: 1_800_000_000,
  wait: 5,
  failure: 6,
  bytesPerSecond: 1_048_576,
};

const gossipHead = {
  nodeId: ids.nodeId,
  number: 300,
  incarnation: 65,
  boot: 0x89ab_cdef,
  epoch: 70_000,
  ringHashHigh: 0xdead_beef,
  ringHashLow: 0x0102_0304,
  loopDelayUs: 1_500,
  losses: 1,
  batches: 5_000_000_000,
};
const memberUpdate = {
  nodeId: bytes(16, 0x40),
  number: 7,
  address: "127.0.0.1:7407",
  incarnation: 66,
  state: 2,
  accuser: ids.nodeId,
  versionMin: 1,
  versionMax: 2,
  flags: 1,
};
const gossipBody = { head: gossipHead, updates: [memberUpdate, { ...memberUpdate, state: 4 }] };

const transferName = { id: 0x000c_9a17, since: 70_000, epoch: 70_001, partition: 3, n: 3 };
/** One transfer, as people are told of it and as it is kept. */
const transferState = {
  id: 0x000c_9a17,
  since: 70_000,
  partition: 3,
  n: 3,
  joining: 5,
  replaced: 300,
  position: 4,
  sending: true,
  state: 2,
  bytes: 4.1e9,
  records: 1e6,
};
const transferRow = {
  ...transferState,
  wait: 3,
  peer: 300,
  bytesPerSecond: 16_777_216,
  perMille: 431,
  remainingMs: 90_000,
};
const transferProgress = {
  ...transferState,
  cursor: bytes(19, 16),
  source: 300,
  copied: [1, 2],
  distrusted: true,
  flipEpoch: 70_002,
};
const syncedReplicas = { n: 3, partitions: bytes(8, 0xf0) };

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
  StagedChange: { kind: 3, number: 300, by: 7 },
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
    seenLosses: 2,
    seenBatches: 70_000,
    clientId: ids.clusterId,
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
    phases,
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
    phases,
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
  ReplicaReadReply: { record: bytes(20, 1), epoch: 9, unsynced: true, loopUs: 8_400, storageUs: 120 },
  ReplicaHeadReply: { version: [1, 2, 3], epoch: 9 },
  ReplicaWriteRequest: { bucket, key, record: bytes(20, 1), epoch: 9, timeoutUs: 1_000, durability: 3, purpose: 1 },
  ReplicaWriteReply: { durable: true, epoch: 9, keyUs: 70_000, loopUs: 8_400, storageUs: 120 },
  HintKeepRequest: { bucket, key, record: bytes(20, 1), target: 300, epoch: 9, timeoutUs: 1_000, durability: 3 },
  HintDeliverRequest: { bucket, key, record: bytes(20, 1), epoch: 9, timeoutUs: 5_000_000 },
  HintDeliverReply: { durable: true, creditBytes: 65_536, foregroundUs: 1_900, limitUs: 3_000, epoch: 9 },
  HintStatusRequest: {},
  HintStatusReply: { epoch: 9, rows: [hintRow, { ...hintRow, target: 1, level: 0 }] },
  HintRow: hintRow,
  ReapRequest: { epoch: 9, partition: 1_023, n: 3, keys: [reapKey, { ...reapKey, hashHigh: 1 }] },
  ReapKey: reapKey,
  ReapReply: { epoch: 9, verdicts: bytes(2, 0), actorHigh: 0x0001_fffe, actorLow: 0x89ab_cdef },
  ExplainRequest: { bucket, key },
  ExplainReply: {
    epoch: 9,
    partition: 1_023,
    n: 3,
    position: 2,
    synced: true,
    pending: true,
    record: bytes(20, 1),
    hints: [explainHint, explainHint],
    seenSeconds: 1_800,
    ageSeconds: 3_600,
    verdict: 5,
    reaped: 1_800_000_000,
  },
  ExplainHint: explainHint,
  RepairStatusRequest: { hurry: true },
  RepairStatusReply: {
    epoch: 9,
    nowUs: 5e9,
    pairs: 768,
    verifiedUs: 4e9,
    oldestPeer: 2,
    oldestTree: 0x0003_0011,
    lastPeer: 3,
    lastUs: 4.9e9,
    lastStatus: 5,
    lastTrees: 256,
    lastRepaired: 1,
    unsynced: 2,
    slices: 3,
    slicesMax: 16,
    counters: [{ name: "keys_pulled", value: 12 }],
  },
  RepairPreviewRequest: { partition: 17, keysMax: 100 },
  RepairPreviewReply: { epoch: 9, peers: [repairPeer] },
  RepairPreviewPeer: repairPeer,
  RepairPreviewKey: repairKey,
  ReportRequest: { member },
  ReportReply: { ring, reported: 2, expected: 3 },
  TreeRootsRequest: { epoch: 9, trees: [tree, 0x0002_0001] },
  TreeRootsReply: { epoch: 9, roots: [0xffff_ffff, 1, 2, 3], refused: bytes(2, 0) },
  TreeBranchRequest: { epoch: 9, tree },
  TreeBranchReply: { epoch: 9, branches: [1, 0x8000_0000, 3, 4] },
  TreeLeavesRequest: { epoch: 9, tree, branches: bytes(3, 61) },
  TreeLeavesReply: { epoch: 9, leaves: [5, 6, 0xffff_fffe, 8] },
  LeafKeysRequest: { epoch: 9, tree, leaf: 4_095, cursor: bytes(9, 16) },
  LeafKeysReply: { epoch: 9, keys: [leafKey, { ...leafKey, recordBytes: 1_048_576 }], cursor: bytes(9, 17) },
  LeafKey: leafKey,
  RecordFetchRequest: { epoch: 9, tree, held: [heldRecord, { ...heldRecord, version: [] }], preview: true },
  HeldRecord: heldRecord,
  RecordFetchReply: { epoch: 9, records: [fetchedRecord, { ...fetchedRecord, relation: 3 }] },
  FetchedRecord: fetchedRecord,
  TransferPullRequest: { ...transferName, cursor: bytes(19, 16), creditBytes: 262_144 },
  TransferPullReply: {
    keys: [bytes(12, 5), bytes(9, 6)],
    records: [bytes(20, 1), bytes(30, 2)],
    cursor: bytes(19, 17),
    synced: true,
    perMille: 431,
    epoch: 70_001,
  },
  TransferCloseRequest: transferName,
  TransferCloseReply: { epoch: 70_001 },
  TransferConfirmedRequest: { epoch: 70_001, transfers: [0x000c_9a17, 70_000] },
  TransferConfirmedReply: { epoch: 70_001 },
  TransferStatusRequest: { epoch: 70_001 },
  TransferStatusReply: { epoch: 70_001, rows: [transferRow, { ...transferRow, sending: false }] },
  TransferRow: transferRow,
  TransfersFile: { transfers: [transferProgress, { ...transferProgress, n: 2 }], synced: [syncedReplicas] },
  TransferProgress: transferProgress,
  SyncedReplicas: syncedReplicas,
  RingStamp: stamp,
  RingBallot: ballot,
  RingDigest: { stamp },
  RingPull: { stamp },
  RingChosen: { stamp, ring: bytes(20, 2) },
  RingPrepare: { stamp, base: 9, target: 0x10_0009, ballot, lost: [2, 3] },
  RingPromise: {
    stamp,
    target: 10,
    ballot,
    accepted: { round: 1, node: 2 },
    ring: bytes(20, 2),
    acceptedNext: { round: 2, node: 3 },
    ringNext: bytes(20, 3),
  },
  RingAccept: { stamp, base: 9, target: 10, ballot, lost: [2], ring: bytes(20, 2) },
  RingAccepted: { stamp, target: 10, ballot },
  RingRefusal: { stamp, target: 10, ballot, reason: 1, promised: { round: 70_001, node: 1 } },
  BallotFile: {
    epoch: 9,
    votes: 300,
    silent: true,
    promised: ballot,
    accepted: { round: 1, node: 2 },
    ring: bytes(20, 2),
    recoveryPromised: { round: 3, node: 4 },
    recoveryAccepted: { round: 2, node: 3 },
    recoveryRing: bytes(20, 3),
    lost: [2, 3],
    recovering: true,
  },
  IdentityFile: { nodeId: ids.nodeId, clusterId: ids.clusterId, number: 2 },
  ActorFile: {
    incarnationLow: 0x89ab_cdef,
    incarnationHigh: 0xfffe,
    leaseTop: 10_000,
    bootId: "0f8fad5b-d9cb-469f-a165-70867728950e",
    clean: true,
    losses: 3,
  },
  MemberUpdate: memberUpdate,
  GossipHead: gossipHead,
  Ping: { ...gossipBody, sequence: 0xffff_fff0, target: memberUpdate.nodeId },
  PingReq: { ...gossipBody, sequence: 17, target: memberUpdate.nodeId },
  Ack: { ...gossipBody, sequence: 17, target: ids.nodeId },
  Nack: { head: gossipHead, sequence: 18 },
  Gossip: gossipBody,
  StateSync: { clusterId: ids.clusterId, head: gossipHead, members: [memberUpdate] },
  MembersFile: { incarnationTop: 129, members: [memberUpdate] },
  MembersRequest: {},
  MembersReply: { epoch: 9, number: 2, ringMaker: 1, members: [memberRow], waiting: [member], fenced: "it has left" },
  MemberRow: memberRow,
  RingChangeRequest: {
    kind: 7,
    member: 3,
    by: 4,
    newcomer: member,
    plan: "9-3fa9c01b",
    acceptViolations: true,
    lost: [2, 70_001],
    digest: "3fa9c01b5d20e7aa",
  },
  RingChangeReply: { epoch: 10 },
  EventsRequest: { after: 17, sinceMs: 1_767_225_600_000 },
  EventsReply: { events: [eventRow], last: 18 },
  EventRow: eventRow,
  WhyRequest: { seconds: 600, bucket },
  WhyReply: { number: 2, ops: [slowOp], pauses: [pause], totals: [causeTotal] },
  SlowOp: slowOp,
  Pause: pause,
  CauseTotal: causeTotal,
  TopKeysRequest: {},
  TopKeysReply: { number: 2, getsPerSecond: 812.5, putsPerSecond: 90.25, gets: [hotKey], puts: [hotKey, hotKey] },
  HotKey: hotKey,
};
