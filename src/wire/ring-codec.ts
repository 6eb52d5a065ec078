/**
 * The ring as bytes: what FETCH_RING and REPORT answer and what the ring's state file holds. Here only the form is
 * checked; that the ring makes sense is the business of `Ring`'s constructor.
 */
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { clusterIdOf, idBytes, nodeIdOf, nodeNumber } from "../base/ids.ts";
import { type BucketPolicy, type Member, type MemberStatus, Ring } from "../ring/ring.ts";
import {
  type BucketPolicy as BucketPolicyMessage,
  decode,
  encode,
  type Member as MemberMessage,
  RingState,
} from "./codec.ts";

/** A decoded `RingState`. */
export type RingStateMessage = RingState;

/** The schema's only `hash_function`: MurmurHash3 x86_128, its first 64 bits. */
const murmur3 = 1;
/** By number in the schema's `MemberStatus`. */
const statuses: readonly MemberStatus[] = ["joining", "member", "leaving", "left"];

/** The message of a ring, for `RingState` or a field of that type. */
export function ringToMessage(ring: Ring): RingStateMessage {
  return {
    clusterId: idBytes(ring.clusterId),
    epoch: ring.epoch,
    partitions: ring.partitions,
    replicasMax: ring.replicasMax,
    hashFunction: murmur3,
    members: ring.members.map(memberToMessage),
    owners: ownersToBytes(ring.owners),
    buckets: ring.buckets.map((policy) => ({ ...policy })),
  };
}

/** The ring in a message; throws `INVALID_ARGUMENT`, saying what is wrong, if it is none. Keeps no view of the message. */
export function ringFromMessage(message: RingStateMessage): Ring {
  if (message.hashFunction !== murmur3) {
    throw new RingtailError("INVALID_ARGUMENT", `the ring uses hash function ${message.hashFunction}: unknown here`);
  }
  return new Ring({
    clusterId: clusterIdOf(message.clusterId),
    epoch: message.epoch,
    partitions: message.partitions,
    replicasMax: message.replicasMax,
    members: message.members.map(memberFromMessage),
    owners: ownersFromBytes(message.owners),
    buckets: message.buckets.map(policyFromMessage),
  });
}

/** The bytes of a `RingState`, in memory of their own. */
export function encodeRing(ring: Ring): Uint8Array {
  return encode(RingState, ringToMessage(ring));
}

/** The ring in these bytes; throws `WireError` if they are no message, `INVALID_ARGUMENT` if the message is no ring. */
export function decodeRing(bytes: Uint8Array): Ring {
  return ringFromMessage(decode(RingState, bytes, 0, bytes.length));
}

function memberToMessage(member: Member): MemberMessage {
  return {
    number: member.number,
    nodeId: idBytes(member.id),
    name: member.name,
    address: member.address,
    host: member.host,
    zone: member.zone,
    weight: member.weight,
    status: statuses.indexOf(member.status),
  };
}

function memberFromMessage(message: MemberMessage): Member {
  const status = statuses[message.status];
  if (status === undefined) throw new RingtailError("INVALID_ARGUMENT", `unknown member status ${message.status}`);
  return {
    number: nodeNumber(message.number),
    id: nodeIdOf(message.nodeId),
    name: message.name,
    address: message.address,
    host: message.host,
    zone: message.zone,
    weight: message.weight,
    status,
  };
}

function policyFromMessage(message: BucketPolicyMessage): BucketPolicy {
  const durability = Object.values(Durability).find((value) => value === message.durability);
  if (durability === undefined) {
    throw new RingtailError("INVALID_ARGUMENT", `unknown durability ${message.durability} of bucket "${message.name}"`);
  }
  return { name: message.name, n: message.n, r: message.r, w: message.w, durability, version: message.version };
}

/** Two bytes a partition, little-endian. */
function ownersToBytes(owners: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * owners.length);
  for (let i = 0; i < owners.length; i += 1) {
    const owner = owners[i] as number;
    bytes[2 * i] = owner;
    bytes[2 * i + 1] = owner >>> 8;
  }
  return bytes;
}

function ownersFromBytes(bytes: Uint8Array): Uint16Array {
  if (bytes.length % 2 !== 0) throw new RingtailError("INVALID_ARGUMENT", "the ring's owners end inside a node number");
  const owners = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < owners.length; i += 1) {
    owners[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
  }
  return owners;
}
