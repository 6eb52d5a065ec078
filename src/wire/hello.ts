/**
 * Hello: what two sides must agree on before anything else is said on a link. Pure decisions; who
 * sends what when is the node's and the SDK's. Both sides check: the one that refuses says why in its answer, and the
 * one that is refused, or that refuses an answer, says so in its log.
 */
import { equalBytes, hexOf } from "../base/bytes.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import type { Hello } from "./gen/codecs.ts";

/** The protocol versions of this build, both included. */
export const protocolVersions: VersionRange = { min: 1, max: 1 };

/** What the far side is; numbers of the schema's `Role`. */
export const Role = { client: 1, node: 2, joiningNode: 3 } as const;
/** One of the roles. */
export type Role = (typeof Role)[keyof typeof Role];

/** Versions that a side speaks, both ends included. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** Who this side is. Empty ids: not known yet, or none (a client has no node id). */
export interface HelloIdentity {
  readonly clusterId: Uint8Array;
  readonly nodeId: Uint8Array;
}

/** What came of a hello: status 0 and the version to speak, or an error and why. */
export interface HelloVerdict {
  readonly status: Status;
  /** 0 when refused. */
  readonly version: number;
  /** For people at both ends; empty when accepted. */
  readonly message: string;
}

/** The newest version that both sides speak; 0 if there is none. */
export function negotiate(mine: VersionRange, theirs: VersionRange): number {
  const newest = Math.min(mine.max, theirs.max);
  return newest >= mine.min && newest >= theirs.min && newest > 0 ? newest : 0;
}

/** Whether to go on with the sender of this hello. */
export function checkHello(
  mine: HelloIdentity,
  theirs: Hello,
  versions: VersionRange = protocolVersions,
): HelloVerdict {
  const range = { min: theirs.versionMin, max: theirs.versionMax };
  const version = negotiate(versions, range);
  if (version === 0) {
    const spoken = `this side speaks ${rangeText(versions)}, the other ${rangeText(range)}`;
    return refuse(wireOf("PROTOCOL_MISMATCH"), `no protocol version in common: ${spoken}`);
  }
  const fault = findHelloFault(theirs);
  if (fault !== null) return refuse(wireOf("INVALID_ARGUMENT"), fault);
  if (mine.clusterId.length > 0 && theirs.clusterId.length > 0 && !equalBytes(mine.clusterId, theirs.clusterId)) {
    const [asked, own] = [hexOf(theirs.clusterId), hexOf(mine.clusterId)];
    const isClient = theirs.nodeId.length === 0 && mine.nodeId.length > 0;
    const clusters = isClient
      ? `the client is told to use ${asked}, this node belongs to ${own}`
      : `the other side belongs to ${asked}, this one to ${own}`;
    return refuse(wireOf("WRONG_CLUSTER"), `not the same cluster: ${clusters}`);
  }
  if (mine.nodeId.length > 0 && equalBytes(mine.nodeId, theirs.nodeId)) {
    const cure = "a node dialled itself, or two nodes run on copies of one data directory";
    return refuse(wireOf("INVALID_ARGUMENT"), `both sides have the node id ${hexOf(mine.nodeId)}: ${cure}`);
  }
  return { status: statusOk, version, message: "" };
}

function refuse(status: Status, message: string): HelloVerdict {
  return { status, version: 0, message };
}

function rangeText(range: VersionRange): string {
  return range.min === range.max ? `version ${range.min}` : `versions ${range.min} to ${range.max}`;
}

/** What is wrong with a hello in itself, or null. */
function findHelloFault(hello: Hello): string | null {
  if (!isId(hello.clusterId)) return `a cluster id has 16 bytes, not ${hello.clusterId.length}`;
  if (!isId(hello.nodeId)) return `a node id has 16 bytes, not ${hello.nodeId.length}`;
  if (!isId(hello.clientId)) return `a client id has 16 bytes, not ${hello.clientId.length}`;
  if (hello.clientId.length > 0 && hello.role !== Role.client) return "only a client has a client id";
  switch (hello.role) {
    case Role.client:
      return hello.number === 0 && hello.nodeId.length === 0 ? null : "a client has no node id and no number";
    case Role.node:
      if (hello.nodeId.length === 0 || hello.clusterId.length === 0) return "a node must name itself and its cluster";
      return hello.number >= 1 && hello.number <= 0xffff ? null : `no node number: ${hello.number} (1..65535)`;
    case Role.joiningNode:
      if (hello.nodeId.length === 0) return "a joining node must name itself";
      return hello.number === 0 ? null : "a joining node has no number yet";
    default:
      return `unknown role ${hello.role}`;
  }
}

function isId(bytes: Uint8Array): boolean {
  return bytes.length === 0 || bytes.length === 16;
}
