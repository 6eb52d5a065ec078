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
  REPLICA_READ: 0x20,
  REPLICA_WRITE: 0x21,
  FORWARD_PUT: 0x22,
  REPORT: 0x23,
  REPAIR: 0x24,
} as const;
/** One of the request types. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Set in the type of every reply. */
export const REPLY_BIT = 0x80;

/** Why a replica is sent a record; numbers of the schema's `WritePurpose`. */
export const WritePurpose = { put: 0, readRepair: 1 } as const;
/** One of the purposes. */
export type WritePurpose = (typeof WritePurpose)[keyof typeof WritePurpose];
