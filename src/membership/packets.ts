/**
 * Packets: claims and datagrams as bytes, and back (schema/README.md, "Datagrams"). The cluster id stands in clear before
 * the message and is compared before anything is parsed: memberlist guards only joins by its label, and two clusters
 * that reuse addresses then grow together.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { idBytes, type NodeId } from "../base/ids.ts";
import { type Encoder, encode, type Fields } from "../wire/codec.ts";
import { MemberUpdate as MemberUpdateCodec, type MemberUpdate as MemberUpdateMessage } from "../wire/gen/codecs.ts";
import { datagramBytesMax } from "../wire/limits.ts";
import { idOrNone, MemberState, type Update } from "./member.ts";

/** The second byte of a datagram. */
export const DatagramType = { ping: 1, pingReq: 2, ack: 3, nack: 4, gossip: 5 } as const;
/** One of the types. */
export type DatagramType = (typeof DatagramType)[keyof typeof DatagramType];

/** All of a datagram that stands before its message. */
export const datagramHeaderBytes = 20;
const formatClear = 1;
/** The field number of `updates`, with the wire type of a nested message. */
const updatesTag = (15 << 3) | 2;
/** "host:port": a host name has at most 253 characters. */
const addressLengthMax = 260;

/** Why a datagram is dropped unread: a counter's name. */
export type Misfit = "malformed" | "wrongCluster";

/** Null if the header is one of ours, in this cluster. */
export function checkDatagram(bytes: Uint8Array, cluster: Uint8Array): Misfit | null {
  if (bytes.length < datagramHeaderBytes || bytes.length > datagramBytesMax || bytes[0] !== formatClear)
    return "malformed";
  for (let i = 0; i < 16; i += 1) if (bytes[4 + i] !== cluster[i]) return "wrongCluster";
  return null;
}

/** Builds datagrams in one buffer: what `write` returns is valid until the next one. */
export class DatagramWriter {
  readonly #buffer = new Uint8Array(datagramBytesMax);

  constructor(cluster: Uint8Array) {
    assert(cluster.length === 16, "a cluster id has 16 bytes");
    this.#buffer[0] = formatClear;
    this.#buffer.set(cluster, 4);
  }

  /** Header and message; `fill` may put encoded updates behind it, into `target` from `start`, and returns where they end. */
  write<T>(
    type: DatagramType,
    codec: Encoder<T>,
    message: T,
    fill?: (target: Uint8Array, start: number) => number,
  ): Uint8Array {
    this.#buffer[1] = type;
    const body = encode(codec, message);
    this.#buffer.set(body, datagramHeaderBytes);
    const end = datagramHeaderBytes + body.length;
    return this.#buffer.subarray(0, fill === undefined ? end : fill(this.#buffer, end));
  }
}

/** A claim as a message. Where it says suspect or dead, what every receiver knows already is left out of `brief` ones. */
export function messageOf(update: Update, brief: boolean): Fields<MemberUpdateMessage> {
  const accuser = update.accuser === "" ? noBytes : idBytes(update.accuser);
  const { number, incarnation, state } = update;
  const claim = { nodeId: idBytes(update.id), number, incarnation, state, accuser };
  if (brief && (state === MemberState.suspect || state === MemberState.dead)) return claim;
  const { address, versionMin, versionMax, flags } = update;
  return { ...claim, address, versionMin, versionMax, flags };
}

/** A claim as it is appended to a datagram: tag, length, message. */
export function updateBytes(update: Update): Uint8Array {
  const body = encode(MemberUpdateCodec, messageOf(update, true));
  const prefix = body.length < 128 ? 2 : 3;
  const bytes = new Uint8Array(prefix + body.length);
  bytes[0] = updatesTag;
  bytes[1] = body.length < 128 ? body.length : (body.length & 127) | 128;
  if (prefix === 3) bytes[2] = body.length >>> 7;
  bytes.set(body, prefix);
  return bytes;
}

/** The claim in a message, or undefined if it makes no sense. Nothing of the message is kept. */
export function updateOf(message: MemberUpdateMessage): Update | undefined {
  const id: NodeId | "" = idOrNone(message.nodeId);
  const state = message.state as MemberState;
  if (id === "" || state < MemberState.alive || state > MemberState.left) return undefined;
  if (message.number > 0xffff || message.address.length > addressLengthMax) return undefined;
  const accuser = idOrNone(message.accuser);
  const accused = state === MemberState.suspect || state === MemberState.dead;
  if (accused ? accuser === "" : message.address === "") return undefined;
  return {
    id,
    number: message.number,
    address: message.address,
    incarnation: message.incarnation,
    state,
    accuser: accused ? accuser : "",
    versionMin: message.versionMin,
    versionMax: message.versionMax,
    flags: message.flags,
  };
}
