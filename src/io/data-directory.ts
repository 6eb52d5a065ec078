/**
 * A node's data directory: what lies where in it, and the stamp that says which version of Ringtail may touch it.
 *
 *   FORMAT      one line of text: the format version of the directory as a whole
 *   store/      RocksDB; its LOCK keeps a second process out, and is gone with a killed one
 *   log/        the write-ahead log (log-files.ts)
 *   state/      the node's small files (state-files.ts)
 *
 * Open it in this order: `prepareDataDirectory`, `RocksEngine.open` (which takes the lock), `LogFiles` and
 * `DiskStateFiles`.
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RingtailError } from "../base/errors.ts";
import { makeDirectory } from "./make-directory.ts";

/** The layout above. */
const directoryFormat = 1;

const stampName = "FORMAT";
const stampPattern = /^ringtail data directory, format (\d+)\n$/;

/** Where the parts of a data directory lie. */
export interface DataDirectory {
  readonly store: string;
  readonly log: string;
  readonly state: string;
}

/**
 * Makes the directory with its stamp if it is new, else checks the stamp. Throws `STORAGE_FAILED`, with a message that
 * names the directory, if it is of a later format, holds something else, or cannot be read or written.
 */
export function prepareDataDirectory(directory: string): DataDirectory {
  try {
    makeDirectory(directory, 0o700);
    const stamp = readStamp(directory);
    if (stamp === null) writeStamp(directory);
    else checkStamp(directory, stamp);
  } catch (error) {
    if (error instanceof RingtailError) throw error;
    throw new RingtailError("STORAGE_FAILED", `cannot use the data directory ${directory}: ${String(error)}`);
  }
  return { store: join(directory, "store"), log: join(directory, "log"), state: join(directory, "state") };
}

function readStamp(directory: string): string | null {
  const entries = readdirSync(directory).filter((name) => name !== `${stampName}.new` && name !== "lost+found");
  if (entries.includes(stampName)) return readFileSync(join(directory, stampName), "utf8");
  if (entries.length === 0) return null;
  throw new RingtailError("STORAGE_FAILED", `${directory} is not empty and is no Ringtail data directory`);
}

function checkStamp(directory: string, stamp: string): void {
  const format = Number(stampPattern.exec(stamp)?.[1] ?? 0);
  if (format === 0) {
    throw new RingtailError("STORAGE_FAILED", `${join(directory, stampName)} is not a format stamp of Ringtail's`);
  }
  if (format > directoryFormat) {
    throw new RingtailError(
      "STORAGE_FAILED",
      `${directory} has format ${format}; this version of Ringtail reads up to format ${directoryFormat}`,
    );
  }
}

function writeStamp(directory: string): void {
  const temporary = join(directory, `${stampName}.new`);
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, `ringtail data directory, format ${directoryFormat}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, join(directory, stampName));
  syncDirectory(directory);
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
