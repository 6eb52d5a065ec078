/**
 * The node's own small files (identity, ring, votes, members, actor lease) as values: reading them at start, sealing
 * them to be saved. They lie beside the engine, not in it: a damaged engine may be refilled from peers, a forgotten
 * identity or lease would let a node repeat itself.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import { type ClusterId, clusterIdOf, idBytes, type NodeId, nodeIdOf } from "../base/ids.ts";
import type { BallotMemory } from "../ring/consensus-acceptor.ts";
import type { EncodedRing } from "../ring/consensus-messages.ts";
import type { Ring } from "../ring/ring.ts";
import { ringHash } from "../ring/ring-digest.ts";
import { openStateFile, type StateFileName, type StateFiles, sealStateFile } from "../storage/state-files.ts";
import { decode, encode, type MessageCodec } from "../wire/codec.ts";
import { ActorFile, IdentityFile, RingState, TransfersFile } from "../wire/gen/codecs.ts";
import { decodeRing, encodeRing } from "../wire/ring-codec.ts";
import { decodeBallotMemory, encodeBallotMemory } from "../wire/ring-messages.ts";
import { WireError } from "../wire/wire-error.ts";

/** Bumped when a file's meaning changes; a later one than this is refused with a clear message. */
const fileFormat = 1;

/** Who the node is: drawn at its first start, never configured. */
export interface Identity {
  readonly nodeId: NodeId;
  /** Undefined until the node has a ring. */
  readonly clusterId: ClusterId | undefined;
  /** The votes' file was made: if it is missing now, it was lost. */
  readonly hasBallot: boolean;
}

/** What the last run left about its actor and its stop. */
export interface ActorState {
  readonly incarnationHigh: number;
  readonly incarnationLow: number;
  readonly leaseTop: number;
  readonly bootId: string;
  /** Starts at which the directory was known to lack writes. */
  readonly losses: number;
  readonly clean: boolean;
  /** Of the store, at a clean stop; else 0. */
  readonly newestBatch: number;
}

function load<T>(files: StateFiles, name: StateFileName, open: (payload: Uint8Array) => T): T | undefined {
  const bytes = files.load(name);
  if (bytes === null) return undefined;
  const payload = openStateFile(name, fileFormat, bytes);
  try {
    return open(payload);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new RingtailError(
      "STORAGE_FAILED",
      `the file ${name} has a good checksum but makes no sense: ${error.message}`,
    );
  }
}

function opened<T>(codec: MessageCodec<T>, payload: Uint8Array): T {
  return decode(codec, payload, 0, payload.length);
}

/** The node's identity; undefined at the very first start. Throws `STORAGE_FAILED` if the file is damaged. */
export function loadIdentity(files: StateFiles): Identity | undefined {
  return load(files, "identity", (payload) => {
    const file = opened(IdentityFile, payload);
    return {
      nodeId: nodeIdOf(file.nodeId),
      clusterId: file.clusterId.length === 0 ? undefined : clusterIdOf(file.clusterId),
      hasBallot: file.hasBallot,
    };
  });
}

/** The newest ring this node has acted on. */
export function loadRing(files: StateFiles): Ring | undefined {
  return load(files, "ring", decodeRing);
}

/** The ring that this node obeys, in the bytes that it was chosen in: those of the file, if it holds this very ring. */
export function encodedRingOf(files: StateFiles, ring: Ring): EncodedRing {
  const bytes = load(files, "ring", (payload) => (opened(RingState, payload).epoch === ring.epoch ? payload : null));
  const own = bytes ?? encodeRing(ring);
  return { ring, bytes: own, hash: ringHash(own) };
}

/** What this node has voted; undefined: no such file. */
export function loadBallot(files: StateFiles): BallotMemory | undefined {
  return load(files, "ballot", decodeBallotMemory);
}

/** The members' file, for membership to read; null at the first start. */
export function loadMembers(files: StateFiles): Uint8Array | null {
  return load(files, "members", (payload) => payload) ?? null;
}

/** How the last run ended. */
export function loadActor(files: StateFiles): ActorState | undefined {
  return load(files, "actor", (payload) => opened(ActorFile, payload));
}

/** What this node knows of its transfers, and of its complete replicas. */
export function loadTransfers(files: StateFiles): TransfersFile | undefined {
  return load(files, "transfers", (payload) => opened(TransfersFile, payload));
}

/**
 * Looks at the files that are read once the store has started, so that a node does not begin what it cannot go on with.
 * Throws `STORAGE_FAILED`, naming the file.
 */
export function checkLaterFiles(files: StateFiles): void {
  for (const check of [loadBallot, loadMembers, loadTransfers]) check(files);
}

/** The bytes of the transfers file around its payload. */
export function transfersBytes(payload: Uint8Array): Uint8Array {
  return sealStateFile(fileFormat, payload);
}

/** The bytes of the identity file. */
export function identityBytes(identity: Identity): Uint8Array {
  const clusterId = identity.clusterId === undefined ? noBytes : idBytes(identity.clusterId);
  return sealStateFile(
    fileFormat,
    encode(IdentityFile, { nodeId: idBytes(identity.nodeId), clusterId, hasBallot: identity.hasBallot }),
  );
}

/** The bytes of the ring file around an encoded ring. */
export function ringBytes(encoded: Uint8Array): Uint8Array {
  return sealStateFile(fileFormat, encoded);
}

/** The bytes of the ballot file. */
export function ballotBytes(memory: BallotMemory): Uint8Array {
  return sealStateFile(fileFormat, encodeBallotMemory(memory));
}

/** The bytes of the members' file around its payload. */
export function membersBytes(payload: Uint8Array): Uint8Array {
  return sealStateFile(fileFormat, payload);
}

/** The bytes of the actor file. */
export function actorBytes(actor: ActorState): Uint8Array {
  return sealStateFile(fileFormat, encode(ActorFile, actor));
}
