/**
 * SimStateFiles: `StateFiles` on a simulated disk, atomic and durable; the twin of io/state-files.ts. A write that is in
 * flight when the process ends has happened or not: which, is drawn.
 */
import { assert } from "../base/assert.ts";
import type { StateFileEvents, StateFileName, StateFiles } from "../storage/state-files.ts";
import type { SimDisk } from "./disk.ts";
import type { Later } from "./process.ts";

interface Save {
  readonly name: StateFileName;
  readonly bytes: Uint8Array;
  readonly token: number;
}

/** The state files of one life. */
export class SimStateFiles implements StateFiles {
  readonly #disk: SimDisk;
  readonly #later: Later;
  /** The first is being written. */
  readonly #saves: Save[] = [];
  #events: StateFileEvents | undefined;
  readonly #life: number;

  /** For the life that has just begun on the disk. */
  constructor(disk: SimDisk, later: Later) {
    this.#disk = disk;
    this.#later = later;
    this.#life = disk.life;
  }

  attach(events: StateFileEvents): void {
    assert(this.#events === undefined, "state files are attached once");
    this.#events = events;
  }

  load(name: StateFileName): Uint8Array | null {
    return this.#disk.stateFiles.get(name)?.slice() ?? null;
  }

  save(name: StateFileName, bytes: Uint8Array, token: number): void {
    this.#saves.push({ name, bytes: bytes.slice(), token });
    if (this.#saves.length === 1) this.#next();
  }

  #next(): void {
    const save = this.#saves[0];
    if (save === undefined) return;
    const disk = this.#disk;
    const failure = disk.fails(disk.faults.syncErrors, "file");
    const done = failure === null || failure === "done";
    if (done && disk.rng.chance(500)) disk.stateFiles.set(save.name, save.bytes);
    this.#later(disk.delay(disk.latencies.syncUs), (now) => {
      if (disk.life !== this.#life) return;
      if (done) disk.stateFiles.set(save.name, save.bytes);
      this.#saves.shift();
      this.#next();
      const error = failure !== null ? `simulated error: the state file "${save.name}" is not written` : null;
      this.#events?.onStateWritten(now, save.token, error);
    });
  }
}
