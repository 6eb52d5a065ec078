/** StoreOptions: what a store is made of, and the figures that it takes where none are given. */
import type { Engine } from "./engine.ts";
import type { StoreEvents } from "./store-events.ts";
import type { WriteAheadLog } from "./write-ahead-log.ts";

/** What a store is made of. Defaults: `storeDefaults`. */
export interface StoreOptions {
  /** Open, and not attached yet. */
  readonly engine: Engine;
  readonly events: StoreEvents;
  /** Not attached yet. Without one only `memory` writes are acknowledged before their batch. */
  readonly log?: WriteAheadLog;
  /** A segment of the log ends past this. Larger: longer replays; smaller: more syncs of the engine. */
  readonly logSegmentBytes?: number;
  /** Q. */
  readonly partitions: number;
  /** Memory for the object buffer: more saves engine reads, each of which costs a trip to another thread. */
  readonly bufferBytes: number;
  /** A batch takes no further write past this. Larger: fewer trips; smaller: shorter turns that make one. */
  readonly batchBytesMax?: number;
  /** Bytes queued or in flight from which the engine has fallen behind: writes wait for their batches. */
  readonly queuedBytesMax?: number;
  /** Engine reads in flight; a read past it is answered with an error. */
  readonly readsMax?: number;
  /** Asks for one `endTurn` when this turn's callbacks are through. */
  readonly wantTurnEnd: () => void;
}

/** What is taken where an option is not given. */
export const storeDefaults: Required<
  Pick<StoreOptions, "logSegmentBytes" | "batchBytesMax" | "queuedBytesMax" | "readsMax">
> = {
  logSegmentBytes: 16 * 1024 * 1024,
  batchBytesMax: 128 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  readsMax: 16_384,
};

/** With more segments than this the engine has fallen behind. */
export const logSegmentsMax = 8;

/** How long records may stay outside the engine (write-back.ts). */
export interface Wait {
  readonly delayUs: number;
  readonly everyUs: number;
  readonly bytesMax: number;
}

const loggedWait: Wait = { delayUs: 1_000_000, everyUs: 20_000, bytesMax: 16 * 1024 * 1024 };
const unloggedWait: Wait = { delayUs: 20_000, everyUs: 0, bytesMax: 4 * 1024 * 1024 };

/** With a log records wait for the sake of large batches, without one as long as `memory` promises; a quarter of the buffer at the most. */
export function waitOf(options: StoreOptions): Wait {
  const wait = options.log === undefined ? unloggedWait : loggedWait;
  return { ...wait, bytesMax: Math.min(wait.bytesMax, options.bufferBytes >>> 2) };
}
