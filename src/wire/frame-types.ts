/**
 * The types of frames, by number. A reply has the number of its request with the high bit set. Numbers are never
 * reused; the table with the body of each is in schema/README.md. What a frame looks like: `frame.ts`.
 */

/** Requests, 1..127. Below 0x10: the link itself; from 0x10: asked by clients; from 0x20: between nodes. */
export const FrameType = {
  HELLO: 0x01,
  PING: 0x02,
  GOAWAY: 0x03,
  GET: 0x10,
  PUT: 0x11,
  DELETE: 0x12,
  MULTI_GET: 0x13,
  FETCH_RING: 0x14,
  STATUS: 0x15,
  MEMBERS: 0x16,
  RING_CHANGE: 0x17,
  EVENTS: 0x18,
  REPLICA_READ: 0x20,
  REPLICA_WRITE: 0x21,
  FORWARD_PUT: 0x22,
  REPORT: 0x23,
  REPAIR: 0x24,
  REPLICA_HEAD: 0x25,
  TREE_ROOTS: 0x30,
  TREE_BRANCH: 0x31,
  TREE_LEAVES: 0x32,
  LEAF_KEYS: 0x33,
  RECORD_FETCH: 0x34,
  RECORD_PUSH: 0x35,
  REPAIR_STATUS: 0x36,
  REPAIR_PREVIEW: 0x37,
  REAP_PREPARE: 0x38,
  REAP_COMMIT: 0x39,
  EXPLAIN: 0x3a,
  TRANSFER_PULL: 0x40,
  TRANSFER_CLOSE: 0x41,
  TRANSFER_CONFIRMED: 0x42,
  TRANSFER_STATUS: 0x43,
  WHY: 0x44,
  TOP_KEYS: 0x45,
  HINT_KEEP: 0x50,
  HINT_READ: 0x51,
  HINT_DELIVER: 0x52,
  HINT_STATUS: 0x53,
  COPY_READ: 0x54,
  STATE_SYNC: 0x60,
  TCP_PING: 0x61,
  RING_DIGEST: 0x70,
  RING_PULL: 0x71,
  RING_CHOSEN: 0x72,
  RING_PREPARE: 0x73,
  RING_PROMISE: 0x74,
  RING_ACCEPT: 0x75,
  RING_ACCEPTED: 0x76,
  RING_REFUSAL: 0x77,
} as const;
/** One of the request types. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Set in the type of every reply. */
export const REPLY_BIT = 0x80;

/** Why a replica is sent a record; numbers of the schema's `WritePurpose`. */
export const WritePurpose = { put: 0, readRepair: 1 } as const;
/** One of the purposes. */
export type WritePurpose = (typeof WritePurpose)[keyof typeof WritePurpose];

/** What is to change in the ring; numbers of the schema's `RingChangeKind`. */
export const RingChangeKind = {
  stageJoin: 1,
  stageLeave: 2,
  stageReplace: 3,
  stageRemove: 4,
  unstage: 5,
  commit: 6,
  cancel: 7,
  recover: 8,
  acceptRing: 9,
  setBucket: 10,
} as const;
/** One of the changes. */
export type RingChangeKind = (typeof RingChangeKind)[keyof typeof RingChangeKind];
