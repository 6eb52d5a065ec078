/**
 * EngineWatch: notices that RocksDB will never write again. A compaction that meets a damaged block fails, and is tried
 * again for ever; tables gather meanwhile, and when there are too many RocksDB lets writes wait, without an error, until a
 * compaction has succeeded. Whoever waits for such a write would wait for ever, at a start and at a stop, too.
 */
import type { Logger } from "../base/log.ts";
import { damagedStoreText } from "../storage/engine.ts";

const lookEveryMs = 2_000;

/** What RocksDB tells of itself. */
export interface WatchedEngine {
  property(name: string): string;
}

/** Looks at one engine until `stop`. */
export class EngineWatch {
  readonly #engine: WatchedEngine;
  readonly #log: Logger;
  readonly #onStuck: (reason: string) => void;
  readonly #timer: NodeJS.Timeout;
  #errors = 0;
  /** Compactions had failed so often when writes were first seen to wait; -1: they go on. */
  #errorsAtStop = -1;

  /** `onStuck` is called once, with what is wrong and the cure. */
  constructor(engine: WatchedEngine, log: Logger, onStuck: (reason: string) => void) {
    this.#engine = engine;
    this.#log = log;
    this.#onStuck = onStuck;
    this.#timer = setInterval(() => this.look(), lookEveryMs);
    this.#timer.unref();
  }

  /** One look, as the timer does it. */
  look(): void {
    const errors = Number(this.#engine.property("rocksdb.background-errors"));
    if (errors > 0 && this.#errors === 0) {
      const cure = "a table that is damaged ends that only when this node is replaced (`ringtail cluster replace`)";
      this.#log.error(`a flush or compaction of the store has failed, and is tried again: ${cure}`);
    }
    this.#errors = errors;
    if (this.#engine.property("rocksdb.is-write-stopped") !== "1") this.#errorsAtStop = -1;
    else if (this.#errorsAtStop < 0) this.#errorsAtStop = errors;
    else if (errors > this.#errorsAtStop) {
      this.stop();
      this.#onStuck(damagedStoreText("RocksDB writes no more, because its compactions fail"));
    }
  }

  /** No look after this. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
