/** WatchedDrive: a node's disk with a watch between it and its processes (watched-engine.ts, watched-log.ts). */
import type { Instant } from "../base/time.ts";
import type { SimDrive } from "./drive.ts";
import type { Drive, Later } from "./process.ts";
import { type RingWatch, WatchedStateFiles } from "./ring-watch.ts";
import { type DiskWatch, openedHint, openedRecord, WatchedEngine } from "./watched-engine.ts";
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
    this.#watch.onBoot(this.#node);
    for (const [fullKey, sealed] of this.#drive.records())
      this.#watch.onFound(this.#node, openedRecord(fullKey, sealed));
    for (const [key, value] of this.#drive.hints()) this.#watch.onFound(this.#node, openedHint(key, value));
    return {
      engine: new WatchedEngine(engine, this.#node, this.#watch, this.#now, later),
      writeAheadLog: new WatchedLog(writeAheadLog, this.#node, this.#watch, this.#now, later),
      stateFiles: new WatchedStateFiles(stateFiles, (name, file) => {
        if (name === "ring") this.#rings.onSave(this.#now(), this.#node, file);
        else if (name === "transfers") this.#rings.onTransfers(this.#node, file);
      }),
    };
  }

  kill(): void {
    this.#drive.kill();
  }

  powerCut(): void {
    this.#drive.powerCut();
  }
}
