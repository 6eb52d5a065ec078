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

/** A whole datagram: what fits one Ethernet frame with room for tunnels and, later, for sealing. */
export const datagramBytesMax = 1_400;
/** Claims about members in one datagram; the smallest takes 26 bytes. */
export const updatesPerDatagramMax = 64;

/** Counters, latencies and settings in a STATUS reply, each. */
export const statusRowsMax = 1_024;

/** Events in one EVENTS reply: all that a node keeps. */
export const eventRowsMax = 1_024;
/** Nodes that wait for a ring, in one MEMBERS reply. */
export const waitingMax = 64;

/** Trees of one TREE_ROOTS: an asker with more asks again. */
export const treesPerFrameMax = 8_192;
/** Leaves of one Merkle tree, and so of one TREE_LEAVES. */
export const leavesPerFrameMax = 4_096;
/** Keys of one LEAF_KEYS page and of one RECORD_FETCH. */
export const keysPerLeafPageMax = 256;

/** Keys of one REAP_PREPARE or REAP_COMMIT. */
export const keysPerReapMax = 64;
/** Hints in one EXPLAIN reply: as many as one key may have targets worth showing. */
export const hintsPerExplainMax = 64;
/** Keys that one owner differs by in a REPAIR_PREVIEW reply. */
export const previewRowsMax = 1_024;
/** Owners in a REPAIR_PREVIEW reply: those of every n, without the node itself. */
export const previewPeersMax = 64;
/** Records of one TRANSFER_PULL page. */
export const recordsPerPullMax = 4_096;
/** Transfers in one TRANSFER_STATUS reply, and half of the words in one TRANSFER_CONFIRMED. */
export const transferRowsMax = 1_024;
/** Targets in one HINT_STATUS reply. */
export const hintRowsMax = 4_096;
/** Transfers and given-up copies that a node remembers: all partitions of every n, with room to spare. */
export const transfersRememberedMax = 131_072;

/** How deep messages may nest; the schema's deepest is 3. */
export const messageDepthMax = 8;
/** Bytes of one varint. */
export const varintBytesMax = 10;
