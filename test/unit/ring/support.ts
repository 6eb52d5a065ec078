/** Members and rings for the tests of this folder, and the second, naive implementation of preference lists. */
import { Durability } from "../../../src/base/durability.ts";
import { type ClusterId, clusterId, type NodeId, type NodeNumber } from "../../../src/base/ids.ts";
import type { BucketPolicy, Member, RingFields } from "../../../src/ring/ring.ts";

const someCluster: ClusterId = clusterId("c0ffee00c0ffee00c0ffee00c0ffee00");

export const defaultPolicy: BucketPolicy = {
  name: "",
  n: 3,
  r: 2,
  w: 2,
  durability: Durability.oneDurable,
  resolver: 0,
  version: 1,
};

/** What node `number` brings with it, on a host of its own. */
export function identityOf(number: number): Omit<Member, "number" | "status"> {
  return {
    id: number.toString(16).padStart(32, "0") as NodeId,
    name: `node-${number}`,
    address: `127.0.0.1:${7400 + number}`,
    host: `host-${number}`,
    zone: "",
    weight: 1,
  };
}

/** Member number `number`, on a host of its own unless told otherwise. */
export function memberOf(number: number, fields: Partial<Member> = {}): Member {
  return { number: number as NodeNumber, ...identityOf(number), status: "member", ...fields };
}

/** `hosts` hosts in turn over `zones` zones, each with `nodesPerHost` nodes, numbered from 1. */
export function membersOn(hosts: number, zones = 1, nodesPerHost = 1): Member[] {
  return Array.from({ length: hosts * nodesPerHost }, (_, i) => {
    const host = i % hosts;
    return memberOf(i + 1, { host: `host-${host + 1}`, zone: zones === 1 ? "" : `zone-${(host % zones) + 1}` });
  });
}

/** A valid ring's fields, to be changed in one place by each test. */
export function fieldsOf(members: readonly Member[], owners: ArrayLike<number>): RingFields {
  return {
    clusterId: someCluster,
    epoch: 1,
    partitions: owners.length,
    replicasMax: 3,
    members,
    owners: Uint16Array.from(owners),
    buckets: [defaultPolicy],
  };
}

/** The definition, word for word, with sets and whole walks; zones are looked for within 2n + 2. */
export function naiveList(
  owners: ArrayLike<number>,
  members: readonly Member[],
  partition: number,
  n: number,
): number[] {
  const walk = Array.from(owners, (_, step) => {
    const number = owners[(partition + step) % owners.length];
    return members.find((member) => member.number === number) as Member;
  });
  const zonesNeeded = Math.min(n, new Set(walk.map((member) => member.zone)).size);
  const taken: Member[] = [];
  const zonesUsed = (): Set<string> => new Set(taken.map((member) => member.zone));
  const newHost = (member: Member): boolean => taken.every((other) => other.host !== member.host);
  for (const member of walk.slice(0, 2 * n + 2)) {
    if (zonesUsed().size === zonesNeeded) break;
    if (newHost(member) && !zonesUsed().has(member.zone)) taken.push(member);
  }
  for (const member of walk) if (newHost(member)) taken.push(member);
  return taken.slice(0, 16).map((member) => member.number);
}
