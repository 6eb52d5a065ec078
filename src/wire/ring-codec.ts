/**
 * The ring as bytes: what FETCH_RING and REPORT answer and what the ring's state file holds. Here only the form is
 * checked; that the ring makes sense is the business of `Ring`'s constructor.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { clusterIdOf, idBytes, nodeIdOf, nodeNumber, noNode } from "../base/ids.ts";
import { Resolver } from "../base/resolver.ts";
import { readWord, writeWord } from "../base/words.ts";
import { type BucketPolicy, type Member, type MemberStatus, Ring, type StagedChange } from "../ring/ring.ts";
import { stagedKinds } from "../ring/staged.ts";
import { decode, encode } from "./codec.ts";
import {
  type BucketPolicy as BucketPolicyMessage,
  type Member as MemberMessage,
  RingState,
  type StagedChange as StagedChangeMessage,
} from "./gen/codecs.ts";

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
    owners: shortsToBytes(ring.owners),
    buckets: ring.buckets.map((policy) => ({ ...policy })),
    goal: ring.goal === ring.owners ? noBytes : shortsToBytes(ring.goal),
    active: shortsToBytes(ring.active),
    activeSince: [...ring.activeSince],
    staged: ring.staged.map(stagedToMessage),
    fences: ring.fences.every((fence) => fence === ring.epoch) ? noBytes : wordsToBytes(ring.fences),
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
    owners: shortsFromBytes("owners", message.owners),
    buckets: message.buckets.map(policyFromMessage),
    ...(message.goal.length > 0 && { goal: shortsFromBytes("goal", message.goal) }),
    active: shortsFromBytes("active positions", message.active),
    activeSince: Uint32Array.from(message.activeSince),
    staged: message.staged.map(stagedFromMessage),
    ...(message.fences.length > 0 && { fences: wordsFromBytes("fences", message.fences) }),
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

/** The message of a member of a ring. */
export function memberToMessage(member: Member): MemberMessage {
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

/** The policy in a message; throws `INVALID_ARGUMENT` if it names what this version does not know. */
export function policyFromMessage(message: BucketPolicyMessage): BucketPolicy {
  const durability = Object.values(Durability).find((value) => value === message.durability);
  if (durability === undefined) {
    throw new RingtailError("INVALID_ARGUMENT", `unknown durability ${message.durability} of bucket "${message.name}"`);
  }
  const resolver = Object.values(Resolver).find((value) => value === message.resolver);
  if (resolver === undefined) {
    throw new RingtailError("INVALID_ARGUMENT", `unknown resolver ${message.resolver} of bucket "${message.name}"`);
  }
  const { name, n, r, w, version } = message;
  // In the order of the ring that a node makes itself: one shape (base/one-shape.ts).
  return { name, n, r, w, durability, resolver, version };
}

function stagedToMessage(change: StagedChange): StagedChangeMessage {
  return { kind: 1 + stagedKinds.indexOf(change.kind), number: change.member, by: change.by };
}

function stagedFromMessage(message: StagedChangeMessage): StagedChange {
  const kind = stagedKinds[message.kind - 1];
  if (kind === undefined) throw new RingtailError("INVALID_ARGUMENT", `unknown kind of staged change ${message.kind}`);
  return { kind, member: nodeNumber(message.number), by: message.by === 0 ? noNode : nodeNumber(message.by) };
}

/** Node numbers as a message has them. */
export function shortsToBytes(shorts: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * shorts.length);
  for (let i = 0; i < shorts.length; i += 1) {
    const short = shorts[i] as number;
    bytes[2 * i] = short;
    bytes[2 * i + 1] = short >>> 8;
  }
  return bytes;
}

/** Node numbers out of a message; `INVALID_ARGUMENT` names them by `what`. */
export function shortsFromBytes(what: string, bytes: Uint8Array): Uint16Array {
  if (bytes.length % 2 !== 0) throw new RingtailError("INVALID_ARGUMENT", `the ring's ${what} end inside a number`);
  const shorts = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < shorts.length; i += 1) {
    shorts[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
  }
  return shorts;
}

function wordsToBytes(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  for (const [i, word] of words.entries()) writeWord(bytes, 4 * i, word);
  return bytes;
}

function wordsFromBytes(what: string, bytes: Uint8Array): Uint32Array {
  if (bytes.length % 4 !== 0) throw new RingtailError("INVALID_ARGUMENT", `the ring's ${what} end inside a number`);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => readWord(bytes, 4 * i));
}
