/**
 * What the wire accepts at the most. The limits of keys and buckets are in `base/full-key.ts`, those of records and
 * contexts in `version/`; all that bound how often a field may repeat end up in the tables of `shapes.ts`. A limit here
 * is part of the protocol: a peer may send that much.
 */

/** A context's bytes. */
export { contextBytesMax } from "../version/context.ts";

/** A frame's length field, which does not count itself. */
export const lengthBytes = 4;
/** All of a frame that stands before its body. */
export const frameHeaderBytes = 10;

/** A value's bytes. */
export const valueBytesMax: number = 1024 * 1024;
/** A whole frame, its length field included, unless configured otherwise. */
export const frameBytesMax: number = 4 * 1024 * 1024;
/** The largest `frameBytesMax` that may be configured. */
export const frameBytesMaxHard: number = 64 * 1024 * 1024;

/** Keys of one MULTI_GET. */
export const keysPerMultiGetMax = 256;
/** Replicas named in one receipt: the owners of the largest N and as many fallbacks, with room to spare. */
export const acksMax = 64;
/** Members a ring message may list, those that left included. */
export const membersMax = 16_384;
/** Bucket policies a ring message may list. */
export const bucketPoliciesMax = 4_096;

/** Counters, latencies and settings in a STATUS reply, each. */
export const statusRowsMax = 1_024;

/** How deep messages may nest; the schema's deepest is 3. */
export const messageDepthMax = 8;
/** Bytes of one varint. */
export const varintBytesMax = 10;
