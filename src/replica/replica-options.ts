/** What a replica is built from, and what it asks of the node around it. */
import type { Instant } from "../base/time.ts";
import type { Leaves } from "../storage/leaves.ts";
import type { Store } from "../storage/store.ts";
import { contextBytesMax, frameBytesMax } from "../wire/limits.ts";
import type { Actors } from "./actors.ts";
import type { HintRoom } from "./hint-ops.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { ReplicaOp } from "./replica-op.ts";

/** What a replica asks of the node around it. Each may be called inside any call on the replica, and none may make one. */
export interface ReplicaEffects<O> {
  /**
   * A put has its dot, `op.sealed` and `op.version`, and the local write is under way: send the record to the others.
   * Exactly once per put that succeeds, before its `done`. So does a retry of a known put, with the record as it is.
   */
  prepared(now: Instant, op: ReplicaOp<O>): void;
  /** `endTurn` is to be called once the callbacks of this turn are over. */
  wantTurnEnd(): void;
  /** The op is finished: `op.status` is 0 or an error. Exactly once per op. */
  done(now: Instant, op: ReplicaOp<O>): void;
  /** Somebody knew a dot of ours that we do not hold: history was lost, and the partition has a new actor. */
  amnesia(now: Instant, partition: number): void;
}

/** What a replica uses of its store. */
export type ReplicaStore = Pick<Store, "lookup" | "read" | "readHints" | "write" | "mayHoldHints" | "dirtyBytes"> & {
  readonly leaves: Pick<Leaves, "isBare">;
};

/** Bytes of a frame that are not its record: a context, a full key and small fields, with room to spare. */
const frameRestBytes = contextBytesMax + 16 * 1024;
/** A record must fit into a frame of the default size. */
export const recordBytesMaxDefault: number = frameBytesMax - frameRestBytes;

/** How much more the disk can take. */
export const DiskRoom: Readonly<{ enough: 0; little: 1; none: 2 }> = {
  enough: 0,
  /** Puts of new keys are refused; whatever else comes is taken. */
  little: 1,
  /** Records of new keys are refused from wherever they come; what this node holds already can still change. */
  none: 2,
};
export type DiskRoom = 0 | 1 | 2;

/** What a `Replica` is built from. */
export interface ReplicaOptions<O> {
  readonly effects: ReplicaEffects<O>;
  readonly store: ReplicaStore;
  readonly actors: Actors;
  readonly clock: HybridClock;
  /** Ops waiting for their key, of all keys together; above it OVERLOADED. Higher: longer queues on hot keys. */
  readonly waitersMax: number;
  /** Ops waiting for a key or for the store, 1..65,536; above it OVERLOADED. */
  readonly busyMax: number;
  /** How long a superseded write is named in `recent`, and a put known as a retry: twice the longest deadline. */
  readonly keepRecentForSeconds: number;
  /** Puts known as retries, a power of two; default 65,536. Higher: more writes later a retry is still known; 52 bytes each. */
  readonly retriesMax?: number;
  /** A put that would leave a larger record is refused; default: what fits into a frame of the default size. */
  readonly recordBytesMax?: number;
  /** Asked for each key that is not here yet; default: enough. */
  readonly diskRoom?: () => DiskRoom;
  /** How much may be kept for other nodes; default: as much as there is. */
  readonly hintRoom?: HintRoom;
}
