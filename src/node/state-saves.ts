/**
 * StateSaves: the node's small files, shared by all who keep one: boot, membership, ring changes, transfers. Each save has
 * its own continuation. A save that fails ends the node: whoever asked for it must not go on, and cannot go back.
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import type { StateFileEvents, StateFileName } from "../storage/state-files.ts";
import type { Environment } from "./environment.ts";

/** What follows when the file is on stable storage; called at the top of an event, never inside `save`. */
export type AfterSave = (now: Instant) => void;

/** One node's saves. */
export class StateSaves implements StateFileEvents {
  /** What `Node` does last in every event. */
  settle: (now: Instant) => void = () => {};
  readonly #env: Environment;
  readonly #waiting: Map<number, AfterSave> = new Map();
  #tokens = 0;

  constructor(env: Environment) {
    this.#env = env;
    env.stateFiles.attach(this);
  }

  /** Replaces the file; `bytes` are copied. Saves of one file are done in their order. */
  save(name: StateFileName, bytes: Uint8Array, done: AfterSave): void {
    this.#tokens += 1;
    this.#waiting.set(this.#tokens, done);
    this.#env.stateFiles.save(name, bytes, this.#tokens);
  }

  onStateWritten(now: Instant, token: number, error: string | null): void {
    const done = this.#waiting.get(token);
    assert(done !== undefined, "a save is answered once");
    this.#waiting.delete(token);
    if (error !== null) {
      this.#env.fatal(`a file of the node could not be written: ${error}`);
      return;
    }
    done(now);
    this.settle(now);
  }
}
