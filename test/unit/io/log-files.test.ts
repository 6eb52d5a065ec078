/** The log suite on files, and what only files can do: be left open, be others' files, or lie in a directory that is gone. */
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/io/clock.ts";
import { LogFiles } from "../../../src/io/log-files.ts";
import { Pauses } from "../../../src/metrics/pauses.ts";
import { type LogHost, writeAheadLogConformance } from "../../conformance/write-ahead-log.ts";
import { until } from "../../support/until.ts";

/** Where Linux lists what this process has open. */
const openHere = "/proc/self/fd";

class FileHost implements LogHost {
  readonly directory: string = mkdtempSync(join(tmpdir(), "ringtail-log-"));

  open(): LogFiles {
    return new LogFiles(join(this.directory, "log"), systemClock, new Pauses());
  }

  until(condition: () => boolean): Promise<void> {
    return until(condition);
  }

  /** Closed files are what everything ends with. */
  ended(): Promise<void> {
    return until(() => openFiles(this.directory).length === 0);
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Names of the files below the directory that this process has open. None where the system does not tell. */
function openFiles(directory: string): string[] {
  const names: string[] = [];
  for (const entry of existsSync(openHere) ? readdirSync(openHere) : []) {
    try {
      const target = readlinkSync(`${openHere}/${entry}`);
      if (target.startsWith(`${directory}/`)) names.push(target.slice(directory.length + 1).replace(" (deleted)", ""));
    } catch {
      // It was closed since it was listed.
    }
  }
  return names;
}

writeAheadLogConformance(() => new FileHost());

describe.runIf(existsSync(openHere))("files of a log", () => {
  let host: FileHost;
  let log: LogFiles;

  beforeEach(() => {
    host = new FileHost();
    log = host.open();
  });

  afterEach(() => {
    log.close();
    host.dispose();
  });

  /** The log's segments that this process has open. */
  function open(): string[] {
    return openFiles(join(host.directory, "log"));
  }

  test("a segment that goes is closed, also if nothing was ever synced", async () => {
    for (let segment = 1; segment <= 50; segment += 1) {
      log.begin(segment);
      log.append(new Uint8Array(10), 10);
      if (segment > 2) log.remove(segment - 2);
    }
    // Closing is a thread's work.
    await host.until(() => open().length === 2);
    log.close();
    await host.until(() => open().length === 0);
  });

  test("a sync closes the segments before the open one, and waits for nothing that was begun after it", async () => {
    let answers = 0;
    log.attach({ onLogSynced: () => (answers += 1) });
    for (let segment = 1; segment <= 5; segment += 1) log.begin(segment);
    log.sync(1);
    log.begin(6);
    expect(log.remove(2)).toBeNull();
    expect(log.remove(5)).toBeNull();
    await host.until(() => answers === 1 && open().length === 1);
    log.sync(2);
    log.close();
    expect(open()).toHaveLength(1);
    await host.until(() => open().length === 0);
    expect(answers).toBe(1);
  });

  test("other files in the directory are let be", () => {
    log.begin(1);
    writeFileSync(join(host.directory, "log", "notes.txt"), "mine");
    writeFileSync(join(host.directory, "log", "x2.log"), "mine");
    expect(host.open().segments()).toEqual([1]);
  });

  test("a directory that has gone is an error of the next segment", () => {
    log.begin(1);
    rmSync(join(host.directory, "log"), { recursive: true });
    expect(log.append(new Uint8Array(1), 1)).toBeNull();
    expect(log.begin(2)).toMatch(/ENOENT/);
  });
});
