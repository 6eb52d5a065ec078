/** SimDrive: a simulated disk as the world drives it: it opens engine and state files for each life of the node's process. */
import type { Rng } from "../base/rng.ts";
import { fullKeyOfRecord, KeyKind, kindRange } from "../storage/keys.ts";
import { SimDisk, type SimLatencies } from "./disk.ts";
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

  boot(later: Later): { readonly engine: SimEngine; readonly stateFiles: SimStateFiles } {
    this.disk.begin();
    return { engine: new SimEngine(this.disk, later), stateFiles: new SimStateFiles(this.disk, later) };
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

  records(): Iterable<readonly [Uint8Array, Uint8Array]> {
    const found: [Uint8Array, Uint8Array][] = [];
    const { from, to } = kindRange(KeyKind.record);
    this.disk.contents().walk(nameOf(from), nameOf(to), (entry) => {
      if (entry.value !== null) found.push([fullKeyOfRecord(entry.key), entry.value]);
      return true;
    });
    return found;
  }
}
