/**
 * Identities that cross every floor, as branded types with checked constructors.
 *
 * A node has two names: its `NodeId`, 128 random bits drawn at first start and never configured, and its `NodeNumber`,
 * a short number that the ring gives out and never reuses. The number is what hot messages, version vectors and
 * owner tables carry; the id is what identity checks compare.
 */
import { hexOf } from "./bytes.ts";
import { RingtailError } from "./errors.ts";

declare const brand: unique symbol;

/** 32 lower-case hexadecimal digits: 128 random bits. */
export type NodeId = string & { readonly [brand]: "NodeId" };
/** 32 lower-case hexadecimal digits: 128 random bits, drawn by the node that bootstraps. */
export type ClusterId = string & { readonly [brand]: "ClusterId" };
/** 1..65,535; given by the ring, never reused. 0 means "no node". */
export type NodeNumber = number & { readonly [brand]: "NodeNumber" };
/** 0..Q-1. */
export type PartitionId = number & { readonly [brand]: "PartitionId" };
/** 16 random bytes, one per logical write, chosen by the client. */
export type RequestId = Uint8Array & { readonly [brand]: "RequestId" };

const idPattern = /^[0-9a-f]{32}$/;

/** The bytes of an id of 32 hexadecimal digits; 16 bytes. */
export function idBytes(id: NodeId | ClusterId): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i += 1) bytes[i] = 16 * digit(id.charCodeAt(2 * i)) + digit(id.charCodeAt(2 * i + 1));
  return bytes;
}

/** The value of a lower-case hexadecimal digit, from its code. */
function digit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

function idText(bytes: Uint8Array, what: string): string {
  if (bytes.length !== 16) throw new RingtailError("INVALID_ARGUMENT", `a ${what} has 16 bytes, not ${bytes.length}`);
  return hexOf(bytes);
}

/** The node id in 16 bytes; throws `INVALID_ARGUMENT` on any other length. */
export function nodeIdOf(bytes: Uint8Array): NodeId {
  return idText(bytes, "node id") as NodeId;
}

/** The cluster id in 16 bytes; throws `INVALID_ARGUMENT` on any other length. */
export function clusterIdOf(bytes: Uint8Array): ClusterId {
  return idText(bytes, "cluster id") as ClusterId;
}

/** Checks a node id given as text. */
export function nodeId(text: string): NodeId {
  if (!idPattern.test(text))
    throw new RingtailError("INVALID_ARGUMENT", `not a node id: ${text} (32 hexadecimal digits)`);
  return text as NodeId;
}

/** Checks a cluster id given as text. */
export function clusterId(text: string): ClusterId {
  if (!idPattern.test(text)) {
    throw new RingtailError("INVALID_ARGUMENT", `not a cluster id: ${text} (32 hexadecimal digits)`);
  }
  return text as ClusterId;
}

/** Checks a node number: an integer, 1..65,535. */
export function nodeNumber(value: number): NodeNumber {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff) {
    throw new RingtailError("INVALID_ARGUMENT", `not a node number: ${value} (1..65535)`);
  }
  return value as NodeNumber;
}

/** "No node": what an owner table holds where nobody owns. */
export const noNode: NodeNumber = 0 as NodeNumber;

/** Checks a request id: 16 bytes. The bytes stay the caller's. */
export function requestId(bytes: Uint8Array): RequestId {
  if (bytes.length !== 16)
    throw new RingtailError("INVALID_ARGUMENT", `a request id has 16 bytes, not ${bytes.length}`);
  return bytes as RequestId;
}
