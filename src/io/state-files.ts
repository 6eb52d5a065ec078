/**
 * DiskStateFiles: the node's small files on a real disk. A file is replaced by writing a temporary one, syncing it,
 * renaming it over the old one and syncing the directory: whatever happens meanwhile, either the old or the new bytes are
 * there, whole. Only the syncs go to a thread: every trip there wakes two threads up, which costs more than the other calls
 * do, and a new ring has all nodes save several files at the same instant. Construct it after the store has been opened,
 * whose lock keeps other processes out of the directory.
 */
import {
  closeSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/time.ts";
import type { StateFileEvents, StateFileName, StateFiles } from "../storage/state-files.ts";

const suffix = ".state";
const temporarySuffix = ".state.new";
const fileMode = 0o600;
const sync = promisify(fsync);

/** The state files of one directory. */
export class DiskStateFiles implements StateFiles {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #loaded: Map<string, Uint8Array> = new Map();
  readonly #writes: Map<string, Promise<void>> = new Map();
  #events: StateFileEvents | undefined;

  /** Makes the directory if it is not there, reads what it holds, and removes what an interrupted write left. Throws on I/O errors. */
  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(directory)) {
      const path = join(directory, file);
      if (file.endsWith(temporarySuffix)) rmSync(path);
      else if (file.endsWith(suffix)) this.#loaded.set(file.slice(0, -suffix.length), readFileSync(path));
    }
  }

  attach(events: StateFileEvents): void {
    assert(this.#events === undefined, "state files are attached once");
    this.#events = events;
  }

  load(name: StateFileName): Uint8Array | null {
    return this.#loaded.get(name) ?? null;
  }

  save(name: StateFileName, bytes: Uint8Array, token: number): void {
    const copy = bytes.slice();
    const before = this.#writes.get(name) ?? Promise.resolve();
    this.#writes.set(
      name,
      before.then(() => this.#save(name, copy, token)),
    );
  }

  /** Resolves when everything saved so far has been answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#writes.values());
  }

  async #save(name: string, bytes: Uint8Array, token: number): Promise<void> {
    const error = await this.#replace(name, bytes).then(
      () => null,
      (reason: unknown) => `cannot save the state file "${name}" in ${this.#directory}: ${String(reason)}`,
    );
    // Out of the promise chain: an exception of the node's must end the process, not reject the next write.
    setImmediate(() => this.#events?.onStateWritten(this.#clock.now(), token, error));
  }

  async #replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#directory, name + suffix);
    const temporary = join(this.#directory, name + temporarySuffix);
    await withFile(temporary, "w", (file) => {
      writeFileSync(file, bytes);
      return sync(file);
    });
    renameSync(temporary, path);
    await withFile(this.#directory, "r", sync);
  }
}

async function withFile(path: string, flags: string, use: (file: number) => Promise<void>): Promise<void> {
  const file = openSync(path, flags, fileMode);
  try {
    await use(file);
  } finally {
    closeSync(file);
  }
}
