/** The log's end: when entries are appended, when segments begin and go, and how an error is told. */
import { beforeEach, expect, test } from "vitest";
import { instant, never } from "../../../src/base/time.ts";
import { LogTail } from "../../../src/storage/log-tail.ts";
import { StoreWrite } from "../../../src/storage/store-write.ts";
import { hasLogEnd, logEntryBytes, readLogEntries, type WriteAheadLog } from "../../../src/storage/write-ahead-log.ts";

class FakeLog implements WriteAheadLog {
  readonly appends: { segment: number; bytes: Uint8Array }[] = [];
  readonly begun: number[] = [];
  readonly removed: number[] = [];
  found: number[] = [];
  flaw: string | null = null;

  attach(): void {}
  segments(): readonly number[] {
    return this.found;
  }
  read(): string {
    return "not used";
  }
  begin(segment: number): string | null {
    this.begun.push(segment);
    return this.flaw;
  }
  append(bytes: Uint8Array, length: number): string | null {
    this.appends.push({ segment: this.begun.at(-1) as number, bytes: bytes.slice(0, length) });
    return this.flaw;
  }
  sync(): void {}
  remove(segment: number): string | null {
    this.removed.push(segment);
    return this.flaw;
  }
  close(): void {}

  /** What was appended to a segment, as sizes of records. */
  sizesIn(segment: number): number[] {
    const sizes: number[] = [];
    for (const append of this.appends)
      if (append.segment === segment) readLogEntries(append.bytes, ({ sealed }) => sizes.push(sealed.length));
    return sizes;
  }
}

let log: FakeLog;
let tail: LogTail;

function write(size: number): StoreWrite {
  const write = new StoreWrite();
  write.fullKey = new Uint8Array(10);
  write.sealed = new Uint8Array(size);
  return write;
}

function add(size: number, now = 0, patient = false): void {
  tail.add(instant(now), write(size), patient);
}

beforeEach(() => {
  log = new FakeLog();
  tail = new LogTail(log, 10_000, 8);
  tail.open(1);
});

test("entries of a turn leave with one append, in order", () => {
  for (const size of [1, 2, 3]) add(size);
  expect(log.appends).toHaveLength(0);
  expect(tail.due).toBe(true);
  expect(tail.append()).toBeNull();
  expect(log.sizesIn(1)).toEqual([1, 2, 3]);
  expect(log.appends).toHaveLength(1);
  expect(tail.due).toBe(false);
  expect(tail.append()).toBeNull();
  expect(log.appends).toHaveLength(1);
});

test("entries that nobody waits for leave with others, or 20 ms after the first of them", () => {
  expect(tail.nextTick()).toBe(never);
  add(1, 1_000, true);
  add(2, 5_000, true);
  expect(tail.due).toBe(false);
  expect(tail.nextTick()).toBe(21_000);
  tail.append();
  expect(log.sizesIn(1)).toEqual([1, 2]);
  expect(tail.nextTick()).toBe(never);
  add(3, 30_000, true);
  add(4, 31_000);
  expect(tail.due).toBe(true);
  expect(tail.nextTick()).toBe(50_000);
});

test("a turn's bytes are bounded: what would pass 512 KiB is appended before its end", () => {
  tail = new LogTail(log, 100_000_000, 8);
  tail.open(1);
  for (let i = 0; i < 30; i += 1) add(100_000);
  expect(log.appends).toHaveLength(5);
  for (const { bytes } of log.appends) expect(bytes.length).toBeLessThanOrEqual(512 * 1024);
  tail.append();
  expect(log.sizesIn(1)).toEqual(Array(30).fill(100_000));
});

test("an entry larger than all that is taken whole, and one after it too", () => {
  tail = new LogTail(log, 100_000_000, 8);
  tail.open(1);
  for (const size of [10, 5_000_000, 10]) add(size);
  tail.append();
  expect(log.sizesIn(1)).toEqual([10, 5_000_000, 10]);
});

test("a full segment is followed by the next, and is not filled further", () => {
  expect([tail.segment, tail.oldest, tail.segments]).toEqual([1, 1, 1]);
  const whole = Math.ceil(10_000 / logEntryBytes(new Uint8Array(10), new Uint8Array(966)));
  for (let i = 0; i < whole; i += 1) {
    expect(tail.segment).toBe(1);
    add(966);
    tail.append();
  }
  expect([tail.segment, tail.segments]).toEqual([2, 2]);
  add(1);
  tail.append();
  expect(log.sizesIn(2)).toEqual([1]);
  expect(log.begun).toEqual([1, 2]);
});

test("removes what is below a segment, oldest first, once", () => {
  for (let i = 0; i < 3; i += 1) {
    add(1);
    tail.append();
    tail.rotate();
  }
  expect(tail.segment).toBe(4);
  expect(tail.removeBelow(3)).toBeNull();
  expect(tail.removeBelow(3)).toBeNull();
  expect(log.removed).toEqual([1, 2]);
  expect([tail.oldest, tail.segments]).toEqual([3, 2]);
});

test("an empty segment is not ended early", () => {
  expect(tail.rotate()).toBeNull();
  expect(tail.segment).toBe(1);
  add(1);
  expect(() => tail.rotate()).toThrow("appended before");
});

test("a new life begins its first segment, and then removes those there were", () => {
  log = new FakeLog();
  log.found = [4, 5, 7];
  tail = new LogTail(log, 10_000, 8);
  expect(tail.open(8)).toBeNull();
  expect([log.removed, log.begun]).toEqual([[4, 5, 7], [8]]);
  expect([tail.oldest, tail.segment]).toEqual([8, 8]);
});

test("a segment that another one follows has an end, the newest has none", () => {
  add(1);
  tail.append();
  tail.rotate();
  add(20_000);
  tail.append();
  add(2);
  tail.append();
  const bytesOf = (segment: number): Uint8Array =>
    new Uint8Array(log.appends.flatMap((append) => (append.segment === segment ? [...append.bytes] : [])));
  expect([1, 2, 3].map((segment) => hasLogEnd(bytesOf(segment)))).toEqual([true, true, false]);
  expect(log.sizesIn(1)).toEqual([1]);
});

test("an error is told by the append that meets it and by every later one, and nothing more is written", () => {
  add(1);
  log.flaw = "no space left";
  expect(tail.append()).toBe("no space left");
  log.flaw = null;
  add(2);
  expect(tail.due).toBe(true);
  expect(tail.append()).toBe("no space left");
  expect(tail.rotate()).toBe("no space left");
  expect(log.sizesIn(1)).toEqual([1]);
});

test("an error of an early append is told at the end of the turn, also if only patient entries follow", () => {
  tail = new LogTail(log, 100_000_000, 8);
  tail.open(1);
  add(500_000);
  log.flaw = "no space left";
  add(500_000, 0, true);
  expect(log.appends).toHaveLength(1);
  expect(tail.due).toBe(true);
  expect(tail.append()).toBe("no space left");
});

test("an error of a segment that begins or goes is told as well", () => {
  log.flaw = "read-only";
  add(20_000);
  expect(tail.append()).toBe("read-only");
  log = new FakeLog();
  tail = new LogTail(log, 10_000, 8);
  tail.open(1);
  add(1);
  tail.append();
  tail.rotate();
  log.flaw = "busy";
  expect(tail.removeBelow(2)).toBe("busy");
});
