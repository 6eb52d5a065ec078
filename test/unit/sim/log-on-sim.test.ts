/** The log suite on the simulated disk, and what that disk does to a log: power cuts and errors. Many seeds each. */
import { describe, expect, test } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { SimDrive } from "../../../src/sim/drive.ts";
import type { SimLog } from "../../../src/sim/log.ts";
import { Scheduler } from "../../../src/sim/scheduler.ts";
import { type LogHost, writeAheadLogConformance } from "../../conformance/write-ahead-log.ts";

class SimLogHost implements LogHost {
  readonly drive: SimDrive;
  readonly #scheduler: Scheduler;

  constructor(seed = 1) {
    const rng = new Rng(seed);
    this.#scheduler = new Scheduler(rng.fork("scheduler"));
    this.drive = new SimDrive(rng.fork("disk"));
  }

  open(): SimLog {
    return this.drive.boot((delay, entry) => this.#scheduler.in(delay, entry)).writeAheadLog;
  }

  async until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 1_000_000 && !condition(); i += 1) this.#scheduler.step(instant(this.#scheduler.now + 500));
    if (!condition()) throw new Error("the log never got there");
  }

  async ended(): Promise<void> {
    const end = this.#scheduler.now + 1_000_000;
    await this.until(() => this.#scheduler.now >= end);
  }

  dispose(): void {}
}

writeAheadLogConformance(() => new SimLogHost());

const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

describe("a log on a disk with faults", () => {
  test("a power cut keeps what was appended before an answered sync, in every segment, and some of the rest", async () => {
    const tails = { kept: 0, lost: 0 };
    for (const seed of seeds) {
      const host = new SimLogHost(seed);
      const log = host.open();
      let synced = false;
      log.attach({ onLogSynced: () => (synced = true) });
      log.begin(1);
      log.append(new Uint8Array(100).fill(1), 100);
      log.begin(2);
      log.append(new Uint8Array(50).fill(2), 50);
      log.sync(1);
      log.append(new Uint8Array(20).fill(3), 20);
      await host.until(() => synced);
      log.append(new Uint8Array(20).fill(4), 20);
      host.drive.powerCut();
      const next = host.open();
      expect((next.read(1) as Uint8Array).length).toBe(100);
      const second = next.read(2) as Uint8Array;
      expect(second.length).toBeGreaterThanOrEqual(50);
      expect([...second]).toEqual(
        [...Array(50).fill(2), ...Array(20).fill(3), ...Array(20).fill(4)].slice(0, second.length),
      );
      tails[second.length > 70 ? "kept" : "lost"] += 1;
    }
    expect(tails.kept).toBeGreaterThan(0);
    expect(tails.lost).toBeGreaterThan(0);
  });

  test("a failed append leaves a part of it, and a failed sync makes nothing durable", async () => {
    const host = new SimLogHost(3);
    const log = host.open();
    const errors: (string | null)[] = [];
    log.attach({ onLogSynced: (_now, _token, error) => errors.push(error) });
    log.begin(1);
    host.drive.disk.faults.writeErrors = 1000;
    expect(log.append(new Uint8Array(100).fill(1), 100)).toMatch(/error/);
    expect((log.read(1) as Uint8Array).length).toBeLessThan(100);
    host.drive.disk.faults.syncErrors = 1000;
    log.sync(1);
    await host.until(() => errors.length === 1);
    expect(errors[0]).toMatch(/error/);
    expect(host.drive.disk.segments.get(1)?.synced).toBe(0);
  });
});
