/** Log entries: there and back, torn at every byte, and with any bit flipped. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type LogEntry, logEntryBytes, putLogEntry, readLogEntries } from "../../../src/storage/write-ahead-log.ts";

const entries: fc.Arbitrary<LogEntry> = fc.record({
  n: fc.integer({ min: 0, max: 255 }),
  partition: fc.integer({ min: 0, max: 0xffff }),
  hashHigh: fc.integer({ min: 0, max: 0xffff_ffff }),
  hashLow: fc.integer({ min: 0, max: 0xffff_ffff }),
  fullKey: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  sealed: fc.uint8Array({ maxLength: 60 }),
  forgotten: fc.boolean(),
});

function segmentOf(list: readonly LogEntry[]): { bytes: Uint8Array; ends: number[] } {
  const bytes = new Uint8Array(list.reduce((sum, { fullKey, sealed }) => sum + logEntryBytes(fullKey, sealed), 0));
  const ends: number[] = [];
  let at = 0;
  for (const entry of list) {
    at = putLogEntry(bytes, at, entry);
    ends.push(at);
  }
  expect(at).toBe(bytes.length);
  return { bytes, ends };
}

function read(bytes: Uint8Array): { found: LogEntry[]; end: number } {
  const found: LogEntry[] = [];
  const end = readLogEntries(bytes, ({ fullKey, sealed, ...rest }) =>
    found.push({ ...rest, fullKey: fullKey.slice(), sealed: sealed.slice() }),
  );
  return { found, end };
}

test("entries are read as they were written, of any length", () => {
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 8 }), (list) => {
      const { bytes } = segmentOf(list);
      expect(read(bytes)).toEqual({ found: list, end: bytes.length });
    }),
  );
  const large = {
    n: 3,
    partition: 1,
    hashHigh: 1,
    hashLow: 2,
    fullKey: new Uint8Array(0xffff),
    forgotten: false,
    sealed: new Uint8Array(70_000),
  };
  expect(read(segmentOf([large]).bytes).found).toEqual([large]);
});

test("a torn segment gives the entries that are whole", () => {
  fc.assert(
    fc.property(fc.array(entries, { minLength: 1, maxLength: 3 }), (list) => {
      const { bytes, ends } = segmentOf(list);
      for (let length = 0; length < bytes.length; length += 1) {
        const whole = ends.filter((end) => end <= length).length;
        expect(read(bytes.subarray(0, length))).toEqual({ found: list.slice(0, whole), end: ends[whole - 1] ?? 0 });
      }
    }),
    { numRuns: 20 },
  );
});

test("a flipped bit outside of a record ends the segment there; in a record it is the record's seal that tells", () => {
  const list = fc.sample(entries, { numRuns: 2, seed: 5 });
  const { bytes, ends } = segmentOf(list);
  let at = 0;
  list.forEach((entry, index) => {
    const recordStart = (ends[index] as number) - entry.sealed.length;
    for (let bit = at * 8; bit < recordStart * 8; bit += 1) {
      const flipped = bytes.slice();
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
      const { found, end } = read(flipped);
      // A length is guarded by what it leads to: the reader must never give an entry that nobody wrote.
      for (const [i, each] of found.entries()) expect({ ...each, sealed: 0 }).toEqual({ ...list[i], sealed: 0 });
      if (bit >= at * 8 + 32) expect({ end, count: found.length }).toEqual({ end: at, count: index });
    }
    at = ends[index] as number;
  });
});

test("zeros, as a disk may leave them behind a power cut, are no entry", () => {
  expect(read(new Uint8Array(100))).toEqual({ found: [], end: 0 });
});
