/**
 * StateFiles: the node's few small files of its own (identity, ring, actor lease), which must not live in the engine:
 * a damaged engine may be rebuilt from peers, a forgotten identity or lease would let a node repeat itself.
 *
 * The host writes each by atomic rename and syncs file and directory before it answers. The bytes around the payload
 * (magic, format version, checksum) are `sealStateFile`/`openStateFile` here, so that both hosts share them.
 */
import type { Instant } from "../base/time.ts";

/** "identity", "ring", "actor": one file each. */
export type StateFileName = "identity" | "ring" | "actor";

export interface StateFileEvents {
  /** The file is on stable storage under its name, or the write failed (fatal to the node). */
  onStateWritten(now: Instant, token: number, error: string | null): void;
}

export interface StateFiles {
  attach(events: StateFileEvents): void;
  /** The raw bytes of a file as they were at start, or null. Read before the node starts, so it does not wait. */
  load(name: StateFileName): Uint8Array | null;
  /** Replaces a file atomically and durably. Writes of one name take effect in the order of the calls. */
  save(name: StateFileName, bytes: Uint8Array, token: number): void;
}
