/** WatchedDrive: a node's disk with a watch between it and its processes (watched-engine.ts, watched-log.ts). */
import type { Instant } from "../base/time.ts";
import { sealedOfHint } from "../storage/keys.ts";
import { checkRecord } from "../version/record.ts";
import type { SimDrive } from "./drive.ts";
import type { Drive, Later } from "./process.ts";
import { type RingWatch, WatchedStateFiles } from "./ring-watch.ts";
import { type DiskWatch, openedHint, openedRecord, WatchedEngine, type WrittenRecord } from "./watched-engine.ts";
import { WatchedLog } from "./watched-log.ts";

/** A node's disk with a watch between it and its processes. */
export class WatchedDrive implements Drive {
  readonly #drive: SimDrive;
  readonly #node: number;
  readonly #watch: DiskWatch;
  readonly #rings: RingWatch;
  readonly #now: () => Instant;

  constructor(drive: SimDrive, node: number, watch: DiskWatch, rings: RingWatch, now: () => Instant) {
    this.#drive = drive;
    this.#node = node;
    this.#watch = watch;
    this.#rings = rings;
    this.#now = now;
  }

  get freeBytes(): number {
    return this.#drive.freeBytes;
  }

  boot(later: Later): ReturnType<Drive["boot"]> {
    const { engine, writeAheadLog, stateFiles } = this.#drive.boot(later);
    const found = this.#recount();
    return {
      engine: new WatchedEngine(engine, this.#node, this.#watch, { now: this.#now, later, found }),
      writeAheadLog: new WatchedLog(writeAheadLog, this.#node, this.#watch, this.#now, later),
      stateFiles: new WatchedStateFiles(stateFiles, {
        onSave: (name, file) => {
          if (name === "ring") this.#rings.onSave(this.#now(), this.#node, file);
          else if (name === "transfers") this.#rings.onTransfers(this.#node, file);
        },
        onKept: (name, file) => {
          if (name === "ring") this.#rings.onKept(this.#now(), this.#node, file);
        },
      }),
    };
  }

  kill(): void {
    this.#drive.kill();
  }

  /** What it takes with it is gone at once, not when the node boots again: others may need to know what it still holds. */
  powerCut(): void {
    this.#drive.powerCut();
    this.#recount();
  }

  #recount(): readonly WrittenRecord[] {
    this.#watch.onRecount(this.#node);
    const { opened } = this.#watch;
    const found: WrittenRecord[] = [];
    for (const [fullKey, sealed] of this.#drive.records()) found.push(openedRecord(opened, fullKey, sealed));
    for (const [key, value] of this.#drive.hints()) {
      if (checkRecord(sealedOfHint(value)) === null) found.push(openedHint(opened, key, value));
    }
    for (const record of found) this.#watch.onFound(this.#node, record);
    return found;
  }
}
