/**
 * A member: a node as the ring knows it. The `host` is the machine (two copies of a key never share one), the `zone` the
 * failure domain above it. Being alive is not here: the ring says who belongs, never who answers (Dynamo 4.8.1).
 */
import { utf8 } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import { type NodeId, type NodeNumber, nodeId, nodeNumber } from "../base/ids.ts";

/** `joining` and `left` own nothing; `leaving` still owns what has not moved yet. */
export type MemberStatus = "joining" | "member" | "leaving" | "left";

/** What the ring knows of one node. */
export interface Member {
  readonly number: NodeNumber;
  readonly id: NodeId;
  /** For people. */
  readonly name: string;
  /**
   * `host:port` of the data listener. A node whose disk is gone comes back to it under another id: until the one before it
   * has left, two members have the address, and only the later one is there.
   */
  readonly address: string;
  readonly host: string;
  /** Empty: the cluster has no zones, or this host is in none. */
  readonly zone: string;
  /** 1..1000: partitions owned are proportional to it. */
  readonly weight: number;
  readonly status: MemberStatus;
}

/** The greatest weight. */
const weightMax = 1000;
const textBytesMax = 255;
const statuses: readonly string[] = ["joining", "member", "leaving", "left"];

function refuse(message: string): never {
  throw new RingtailError("INVALID_ARGUMENT", message);
}

function checkText(what: string, text: string, bytesMin: number, number: NodeNumber): void {
  const length = utf8(text).length;
  if (length >= bytesMin && length <= textBytesMax) return;
  refuse(`the ${what} of member ${number} has ${length} bytes of UTF-8 (${bytesMin}..${textBytesMax} are allowed)`);
}

function checkMember(member: Member): void {
  nodeNumber(member.number);
  nodeId(member.id);
  checkText("name", member.name, 0, member.number);
  checkText("address", member.address, 1, member.number);
  checkText("host", member.host, 1, member.number);
  checkText("zone", member.zone, 0, member.number);
  if (!Number.isInteger(member.weight) || member.weight < 1 || member.weight > weightMax) {
    refuse(`the weight of member ${member.number} is ${member.weight} (1..${weightMax} are allowed)`);
  }
  if (!statuses.includes(member.status)) {
    refuse(`the status of member ${member.number} is ${member.status} (${statuses.join(", ")} are allowed)`);
  }
}

/** Whether a member of this status may own partitions. */
export function mayOwn(status: MemberStatus): boolean {
  return status === "member" || status === "leaving";
}

/**
 * Checks each member and that numbers and ids are unique, no address is that of two members to stay, and each host lies
 * in one zone (hosts among those that have not left). Returns them in a new list sorted by number; throws `INVALID_ARGUMENT`.
 */
export function checkMembers(members: readonly Member[]): readonly Member[] {
  const sorted = [...members].sort((a, b) => a.number - b.number);
  const ids = new Set<string>();
  const addresses = new Set<string>();
  const zoneOfHost = new Map<string, string>();
  let before = 0;
  for (const member of sorted) {
    checkMember(member);
    if (member.number === before) refuse(`two members have the number ${member.number}`);
    before = member.number;
    if (ids.has(member.id)) refuse(`two members have the id ${member.id}`);
    ids.add(member.id);
    if (member.status === "left") continue;
    if (member.status === "member") {
      if (addresses.has(member.address)) refuse(`two members have the address ${member.address}`);
      addresses.add(member.address);
    }
    const zone = zoneOfHost.get(member.host) ?? member.zone;
    if (zone !== member.zone) refuse(`host ${member.host} is in two zones: "${zone}" and "${member.zone}"`);
    zoneOfHost.set(member.host, zone);
  }
  return Object.freeze(sorted);
}
