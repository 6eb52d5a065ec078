/** SimDrive: a simulated disk as the world drives it: it opens engine, log and state files for each life of the node's process. */
import type { Rng } from "../base/rng.ts";
import { fullKeyOfHint, fullKeyOfRecord, hintEntryOf, KeyKind, kindRange, targetOfHint } from "../storage/keys.ts";
import { isForgotten, replayed } from "../storage/log-replay.ts";
import { readLogEntries } from "../storage/write-ahead-log.ts";
import { checkRecord } from "../version/record.ts";
import { SimDisk, type SimLatencies } from "./disk.ts";
import { SimLog } from "./log.ts";
import type { Drive, Later } from "./process.ts";
import { nameOf } from "./sorted-bytes.ts";
import { SimStateFiles } from "./state-files.ts";
import { SimEngine } from "./store.ts";

/** One disk in its seat. */
export class SimDrive implements Drive {
  readonly disk: SimDisk;

  constructor(rng: Rng, latencies?: SimLatencies) {
    this.disk = new SimDisk(rng, latencies);
  }

  get freeBytes(): number {
    return this.disk.faults.freeBytes;
  }

  boot(later: Later): {
    readonly engine: SimEngine;
    readonly writeAheadLog: SimLog;
    readonly stateFiles: SimStateFiles;
  } {
    this.disk.begin();
    return {
      engine: new SimEngine(this.disk, later),
      writeAheadLog: new SimLog(this.disk, later),
      stateFiles: new SimStateFiles(this.disk, later),
    };
  }

  kill(): void {
    this.disk.kill();
  }

  powerCut(): void {
    this.disk.powerCut();
  }

  slow(factor: number): void {
    this.disk.faults.slowness = 1 + factor;
  }

  /** Flips a bit of one of its own copies, at rest; its full key, or null if the engine holds none. */
  rot(): Uint8Array | null {
    const { from, to } = kindRange(KeyKind.record);
    const key = this.disk.flipBit(nameOf(from), nameOf(to));
    return key === null ? null : fullKeyOfRecord(key);
  }

  /** The same of what it keeps for others, or of the list of that; the full key, and for whom. */
  rotHint(): { readonly fullKey: Uint8Array; readonly target: number } | null {
    const { from } = kindRange(KeyKind.hint);
    const { to } = kindRange(KeyKind.hintList);
    const key = this.disk.flipBit(nameOf(from), nameOf(to));
    if (key === null) return null;
    if (key[0] !== KeyKind.hint) return hintEntryOf(key, new Uint8Array(8));
    return { fullKey: fullKeyOfHint(key), target: targetOfHint(key) };
  }

  /** Its own copies as the engine holds them, as full keys and sealed records, damaged ones among them. */
  stored(): readonly (readonly [Uint8Array, Uint8Array])[] {
    return this.#held(KeyKind.record).map(([key, value]) => [fullKeyOfRecord(key), value] as const);
  }

  /** What it keeps for others, as disk keys and values. */
  hints(): readonly (readonly [Uint8Array, Uint8Array])[] {
    return this.#held(KeyKind.hint);
  }

  #held(kind: number): (readonly [Uint8Array, Uint8Array])[] {
    const found: (readonly [Uint8Array, Uint8Array])[] = [];
    const { from, to } = kindRange(kind);
    this.disk.contents().walk(nameOf(from), nameOf(to), (entry) => {
      if (entry.value !== null) found.push([entry.key, entry.value]);
      return true;
    });
    return found;
  }

  /** Every copy of its own that can be read: what is in the engine, merged with what is in the log. */
  records(): Iterable<readonly [Uint8Array, Uint8Array]> {
    const found: Map<string, readonly [Uint8Array, Uint8Array]> = new Map();
    const add = (fullKey: Uint8Array, sealed: Uint8Array): void => {
      const name = nameOf(fullKey);
      const held = found.get(name);
      found.set(name, [fullKey, held === undefined ? sealed : replayed(fullKey, held[1], sealed)]);
    };
    for (const [fullKey, sealed] of this.stored()) if (checkRecord(sealed) === null) add(fullKey, sealed);
    const numbers = [...this.disk.segments.keys()].sort((a, b) => a - b);
    for (const number of numbers) {
      const content = this.disk.segments.get(number)?.content() ?? new Uint8Array(0);
      readLogEntries(content, ({ fullKey, sealed, forgotten }) => {
        const held = found.get(nameOf(fullKey));
        if (!forgotten) add(fullKey, sealed);
        else if (held !== undefined && isForgotten(held[1], sealed)) found.delete(nameOf(fullKey));
      });
    }
    return found.values();
  }
}
