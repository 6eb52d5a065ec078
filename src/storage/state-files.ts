/**
 * StateFiles: the node's few small files of its own (identity, ring, actor lease), which must not live in the engine:
 * a damaged engine may be rebuilt from peers, a forgotten identity or lease would let a node repeat itself.
 *
 * The host writes each by atomic rename and syncs file and directory before it answers. The bytes around the payload
 * (magic, format version, checksum) are `sealStateFile`/`openStateFile` here, so that both hosts share them:
 *
 *   "RTST" | u8 format | 3 bytes of zero | u32 payload length | u32 CRC-32C of the payload | payload   (little-endian)
 */
import { crc32c } from "../base/crc32c.ts";
import { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { readWord, writeWord } from "../base/words.ts";

/** "identity", "ring", "actor", "members": one file each. */
export type StateFileName = "identity" | "ring" | "actor" | "members" | "ballot" | "transfers";

/** Told when a save is done. */
export interface StateFileEvents {
  /** The file is on stable storage under its name, or the write failed (fatal to the node). */
  onStateWritten(now: Instant, token: number, error: string | null): void;
}

/** The host's side: one per node. */
export interface StateFiles {
  attach(events: StateFileEvents): void;
  /** The raw bytes of a file as they were at start, or null. Read before the node starts, so it does not wait. */
  load(name: StateFileName): Uint8Array | null;
  /** Replaces a file atomically and durably. Writes of one name take effect in the order of the calls. */
  save(name: StateFileName, bytes: Uint8Array, token: number): void;
}

const magic = 0x54535452;
const headerBytes = 16;

/** The bytes of a state file around `payload`, which is copied. */
export function sealStateFile(format: number, payload: Uint8Array): Uint8Array {
  const file = new Uint8Array(headerBytes + payload.length);
  writeWord(file, 0, magic);
  file[4] = format;
  writeWord(file, 8, payload.length);
  writeWord(file, 12, crc32c(payload, 0, payload.length));
  file.set(payload, headerBytes);
  return file;
}

/**
 * The payload of a state file: a view. Throws `STORAGE_FAILED`, naming the file, if its format is later than `format` or
 * its bytes are not those that were sealed.
 */
export function openStateFile(name: StateFileName, format: number, file: Uint8Array): Uint8Array {
  const flaw = flawOf(format, file);
  if (flaw !== null) throw new RingtailError("STORAGE_FAILED", `the state file "${name}" ${flaw}`);
  return file.subarray(headerBytes);
}

function flawOf(format: number, file: Uint8Array): string | null {
  if (file.length < headerBytes || readWord(file, 0) !== magic) return "is not a Ringtail state file";
  const found = file[4] as number;
  if (found > format) return `has format ${found}; this version of Ringtail reads up to format ${format}`;
  if (found === 0 || readWord(file, 4) >>> 8 !== 0) return "is damaged: its header makes no sense";
  if (readWord(file, 8) >>> 0 !== file.length - headerBytes) return "is damaged: its length does not match";
  if (readWord(file, 12) >>> 0 !== crc32c(file, headerBytes, file.length)) return "is damaged: bad checksum";
  return null;
}
