/** What every write-ahead log must do (storage/write-ahead-log.ts), as a suite: run on files and on the simulated disk. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { utf8, utf8Text } from "../../src/base/bytes.ts";
import type { Instant } from "../../src/base/time.ts";
import type { WriteAheadLog, WriteAheadLogEvents } from "../../src/storage/write-ahead-log.ts";

/** A place for one log through all its lives. */
export interface LogHost {
  /** Begins a new life; the last one is over, closed or not. */
  open(): WriteAheadLog;
  /** Lets things happen until `condition` holds. */
  until(condition: () => boolean): Promise<void>;
  /** The log was closed: lets everything that is still under way end. */
  ended(): Promise<void>;
  dispose(): void;
}

class Synced implements WriteAheadLogEvents {
  readonly answers: { token: number; error: string | null }[] = [];

  onLogSynced(_now: Instant, token: number, error: string | null): void {
    this.answers.push({ token, error });
  }
}

/** `makeHost` gives a fresh, empty host. */
export function writeAheadLogConformance(makeHost: () => LogHost): void {
  let host: LogHost;
  let log: WriteAheadLog;
  let seen: Synced;

  function reopen(): void {
    log = host.open();
    seen = new Synced();
    log.attach(seen);
  }

  function append(text: string): string | null {
    const bytes = utf8(text);
    const memory = new Uint8Array(bytes.length + 5).fill(0x2e);
    memory.set(bytes);
    const flaw = log.append(memory, bytes.length);
    memory.fill(0);
    return flaw;
  }

  function contents(): Record<number, string> {
    const found: Record<number, string> = {};
    for (const segment of log.segments()) {
      const bytes = log.read(segment);
      found[segment] = typeof bytes === "string" ? `error: ${bytes}` : utf8Text(bytes);
    }
    return found;
  }

  async function sync(token: number): Promise<void> {
    log.sync(token);
    await host.until(() => seen.answers.some((answer) => answer.token === token));
  }

  describe("write-ahead log", () => {
    beforeEach(() => {
      host = makeHost();
      reopen();
    });

    afterEach(() => {
      log.close();
      host.dispose();
    });

    test("a new one is empty", () => {
      expect(log.segments()).toEqual([]);
    });

    test("what was appended is there in the next life, unsynced and unclosed, in order and without what lay behind it", () => {
      expect(log.begin(1)).toBeNull();
      expect(append("one ")).toBeNull();
      expect(append("two ")).toBeNull();
      expect(append("three")).toBeNull();
      reopen();
      expect(contents()).toEqual({ 1: "one two three" });
      reopen();
      expect(contents()).toEqual({ 1: "one two three" });
    });

    test("segments are listed in the order of their numbers, and appends go to the one begun last", () => {
      for (const segment of [2, 9, 10, 100]) {
        expect(log.begin(segment)).toBeNull();
        append(`of ${segment}`);
      }
      append(" more");
      reopen();
      expect(log.segments()).toEqual([2, 9, 10, 100]);
      expect(contents()).toEqual({ 2: "of 2", 9: "of 9", 10: "of 10", 100: "of 100 more" });
    });

    test("a life goes on behind the segments of the last one, which stay as they were", () => {
      log.begin(1);
      append("first");
      reopen();
      expect(log.begin(2)).toBeNull();
      append("second");
      expect(log.segments()).toEqual([1]);
      reopen();
      expect(contents()).toEqual({ 1: "first", 2: "second" });
    });

    test("a sync is answered once, later than asked, with its token", async () => {
      log.begin(1);
      append("x");
      log.sync(7);
      expect(seen.answers).toEqual([]);
      await host.until(() => seen.answers.length > 0);
      await sync(8);
      log.close();
      await host.ended();
      expect(seen.answers).toEqual([
        { token: 7, error: null },
        { token: 8, error: null },
      ]);
    });

    test("appends and new segments do not mind a sync under way, nor it them", async () => {
      log.begin(1);
      for (let round = 0; round < 20; round += 1) {
        append(`a${round} `);
        log.sync(round);
        append(`b${round} `);
        expect(log.begin(2 * round + 2)).toBeNull();
        append(`c${round} `);
        expect(log.begin(2 * round + 3)).toBeNull();
        if (round % 2 === 0) expect(log.remove(2 * round + 2)).toBeNull();
        if (round % 3 === 0) expect(log.remove(2 * round + 1)).toBeNull();
        await host.until(() => seen.answers.length === round + 1);
      }
      expect(seen.answers.filter(({ error }) => error !== null)).toEqual([]);
      reopen();
      expect(contents()).toMatchObject({ 4: "c1 ", 5: "a2 b2 ", 11: "a5 b5 " });
      expect(Object.keys(contents())).not.toContain("1");
      expect(Object.keys(contents())).not.toContain("2");
    });

    test("a removed segment is gone, and removing it again does no harm", () => {
      for (const segment of [1, 2, 3]) {
        log.begin(segment);
        append(`${segment}`);
      }
      expect(log.remove(1)).toBeNull();
      expect(log.remove(1)).toBeNull();
      append(" goes on");
      reopen();
      expect(contents()).toEqual({ 2: "2", 3: "3 goes on" });
      expect(log.remove(2)).toBeNull();
      expect(log.remove(3)).toBeNull();
      reopen();
      expect(log.segments()).toEqual([]);
    });

    test("after a close nothing is answered, not even a sync under way", async () => {
      log.begin(1);
      append("kept");
      log.sync(1);
      log.close();
      log.close();
      await host.ended();
      expect(seen.answers).toEqual([]);
      reopen();
      expect(contents()).toEqual({ 1: "kept" });
    });

    test("says what goes wrong: a segment that is there already, and one that is not", () => {
      log.begin(1);
      append("mine");
      reopen();
      expect(log.begin(1)).toMatch(/./);
      expect(log.read(5)).toBeTypeOf("string");
      expect(contents()).toEqual({ 1: "mine" });
    });
  });
}
