/** Write-back against a plain list of records: joins, order, marks, growth, and what reaches the engine. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instant, never } from "../../../src/base/time.ts";
import type { EngineBatch } from "../../../src/storage/engine.ts";
import { fullKeyOfRecord } from "../../../src/storage/keys.ts";
import { Leaves } from "../../../src/storage/leaves.ts";
import { ObjectBuffer } from "../../../src/storage/object-buffer.ts";
import { StoreWrite } from "../../../src/storage/store-write.ts";
import { type ScanMark, WriteBack } from "../../../src/storage/write-back.ts";
import { fullKeyFor, hashOf, partitionFor, partitions } from "../../support/store-rig.ts";

const none = Number.MAX_SAFE_INTEGER;

/** Keeps what it is given, as key=value. */
class ListBatch implements EngineBatch {
  readonly puts: string[] = [];
  bytes = 0;

  put(key: Uint8Array, value: Uint8Array): void {
    this.puts.push(`${decoder.decode(fullKeyOfRecord(key).subarray(2))}=${decoder.decode(value)}`);
    this.bytes += key.length + value.length;
  }

  del(): void {
    throw new Error("write-back deletes nothing");
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

interface Item {
  readonly key: string;
  readonly n: number;
  value: string;
  readonly at: number;
  readonly segment: number;
  /** Went, or goes, before its turn. */
  early: "no" | "asked" | "gone";
}

interface Rig {
  readonly back: WriteBack;
  readonly buffer: ObjectBuffer;
  readonly leaves: Leaves;
  readonly settled: number[];
}

function makeRig(options: { delayUs?: number; everyUs?: number; bytesMax?: number; buffer?: number } = {}): Rig {
  const buffer = new ObjectBuffer(options.buffer ?? 1024 * 1024);
  const leaves = new Leaves(partitions);
  const settled: number[] = [];
  const back = new WriteBack({
    buffer,
    leaves,
    delayUs: options.delayUs ?? 1_000,
    everyUs: options.everyUs ?? 100,
    bytesMax: options.bytesMax ?? 1024 * 1024,
    settled: (hashLow) => settled.push(hashLow),
  });
  return { back, buffer, leaves, settled };
}

function writeOf(key: string, value: string, n = 3, delta = 0): StoreWrite {
  const write = new StoreWrite();
  const hash = hashOf(key);
  write.fullKey = fullKeyFor(key);
  write.hashHigh = hash.high;
  write.hashLow = hash.low;
  write.partition = partitionFor(key);
  write.n = n;
  write.sealed = encoder.encode(value);
  write.deltaHigh = delta;
  write.deltaLow = delta;
  return write;
}

function compose(back: WriteBack, bytesMax = none): string[] {
  const batch = new ListBatch();
  back.compose(batch, bytesMax);
  return batch.puts;
}

describe("write-back", () => {
  test("agrees with a plain list", () => {
    const command = fc.record({
      what: fc.constantFrom("put", "put", "put", "put", "flush", "hurry", "scan", "pass", "compose", "finish"),
      key: fc.integer({ min: 0, max: 5 }).map((i) => `k${i}`),
      n: fc.constantFrom(3, 3, 3, 5),
      size: fc.integer({ min: 0, max: 60 }),
      pass: fc.integer({ min: 0, max: 600 }),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
        const { back, buffer, settled } = makeRig();
        const items: Item[] = [];
        let [head, taken, urgent] = [0, 0, 0];
        let now = 0;
        let nextAt = 0;
        const wanted: number[] = [];
        const done = new Set<Item>();
        const lastOf = (key: string): number => items.findLastIndex((item) => item.key === key);
        const marks: number[] = [];
        // Of each scan: its mark, and the items that it waits for.
        const scans: { mark: ScanMark; items: Item[] }[] = [];
        const early: Item[] = [];
        const earlyInFlight: Item[] = [];
        commands.forEach(({ what, key, n, size, pass }, i) => {
          if (what === "put") {
            const value = `${i}${"x".repeat(size)}`;
            const at = lastOf(key);
            const joins = at >= taken && items[at]?.n === n && items[at]?.early !== "gone";
            expect(back.put(instant(now), writeOf(key, value, n), i)).toBe(joins ? "joined" : "queued");
            if (joins) (items[at] as Item).value = value;
            else items.push({ key, n, value, at: now, segment: i, early: "no" });
            expect(buffer.dirtyToken(fullKeyFor(key), hashOf(key).high, hashOf(key).low)).not.toBe(0);
          } else if (what === "flush") {
            urgent = items.length;
            marks.push(back.flush());
            expect(marks.at(-1)).toBe(urgent);
          } else if (what === "hurry") {
            const at = lastOf(key);
            const waits = at >= taken && items[at]?.early !== "gone";
            expect(back.hurry(writeOf(key, ""))).toBe(waits ? at + 1 : 0);
            if (waits) urgent = Math.max(urgent, at + 1);
          } else if (what === "scan") {
            const inside = items.filter((item) => partitionFor(item.key) === partitionFor(key));
            scans.push({
              mark: back.hurryPartition(partitionFor(key)),
              items: inside.filter((item) => !done.has(item)),
            });
            for (const item of inside.filter((one) => one.early === "no" && items.indexOf(one) >= taken)) {
              item.early = "asked";
              early.push(item);
            }
          } else if (what === "pass") {
            now += pass;
            const first = items[taken];
            const isDue = urgent <= taken && first !== undefined && Math.max(first.at + 1_000, nextAt) <= now;
            expect(back.nextTick() <= now).toBe(isDue);
            back.tick(instant(now));
            if (isDue) {
              nextAt = now + 100;
              urgent = Math.max(urgent, taken);
              while (urgent < items.length && (items[urgent] as Item).at + 1_000 <= now) urgent += 1;
            }
          } else if (what === "compose" && head === taken && earlyInFlight.length === 0) {
            const expected: string[] = [];
            const goes = (item: Item): void => {
              if (items[lastOf(item.key)] === item) expected.push(`${item.key}=${item.value}`);
            };
            for (const item of early.splice(0)) {
              goes(item);
              item.early = "gone";
              earlyInFlight.push(item);
            }
            for (; taken < urgent; taken += 1) {
              const item = items[taken] as Item;
              if (item.early !== "gone") goes(item);
            }
            expect(compose(back)).toEqual(expected);
          } else if (what === "finish") {
            back.finish();
            const ended: Item[] = [];
            for (; head < taken; head += 1) {
              const item = items[head] as Item;
              if (item.early !== "gone") ended.push(item);
            }
            ended.push(...earlyInFlight.splice(0));
            for (const item of ended) done.add(item);
            for (const item of ended) {
              const { high, low } = hashOf(item.key);
              wanted.push(low);
              const isClean = buffer.dirtyToken(fullKeyFor(item.key), high, low) === 0;
              expect(isClean).toBe(done.has(items[lastOf(item.key)] as Item));
            }
          }
          expect([back.size, back.waiting, back.due]).toEqual([
            items.length - head,
            items.length - taken,
            urgent > taken || early.length > 0,
          ]);
          expect(back.oldestSegment).toBe(items[head]?.segment ?? none);
          for (const mark of marks) expect(back.passed(mark)).toBe(taken >= mark);
          // A scan may wait longer than it must, for those who asked before it.
          for (const scan of scans) {
            if (back.reached(scan.mark)) expect(scan.items.filter((item) => !done.has(item))).toEqual([]);
            else expect(head < taken || early.length + earlyInFlight.length > 0).toBe(true);
          }
          expect(settled).toEqual(wanted);
          for (const key of new Set(items.map((item) => item.key))) {
            const { high, low } = hashOf(key);
            const held = buffer.get(fullKeyFor(key), high, low) as Uint8Array;
            expect(decoder.decode(held)).toBe(items[lastOf(key)]?.value);
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  test("many records wait at once, over many laps of the queue", () => {
    const { back, buffer } = makeRig();
    let written = 0;
    for (let round = 0; round < 6; round += 1) {
      const count = round < 3 ? 700 : 2_500;
      for (let i = 0; i < count; i += 1) back.put(instant(0), writeOf(`${round}-${i}`, "v"), 1);
      expect(back.size).toBe(count);
      back.flush();
      const puts = compose(back);
      expect(puts).toEqual(Array.from({ length: count }, (_, i) => `${round}-${i}=v`));
      back.finish();
      written += puts.length;
      expect([back.size, buffer.dirtyBytes]).toEqual([0, 0]);
    }
    expect(written).toBe(3 * 700 + 3 * 2_500);
  });

  test("a batch ends past its limit, and the rest goes with the next", () => {
    const { back } = makeRig();
    for (let i = 0; i < 10; i += 1) back.put(instant(0), writeOf(`k${i}`, "x".repeat(1_000)), 1);
    const mark = back.flush();
    expect(compose(back, 2_500)).toHaveLength(3);
    expect([back.passed(mark), back.due]).toEqual([false, true]);
    back.finish();
    expect(compose(back, none)).toHaveLength(7);
    expect(back.passed(mark)).toBe(true);
    back.finish();
    expect(() => makeRig().back.finish()).not.toThrow();
  });

  test("a change while its batch is in flight goes with the next one, and stays dirty until then", () => {
    const { back, buffer } = makeRig();
    const { high, low } = hashOf("k");
    back.put(instant(0), writeOf("k", "1"), 1);
    back.flush();
    expect(compose(back)).toEqual(["k=1"]);
    expect(back.put(instant(0), writeOf("k", "2"), 2)).toBe("queued");
    expect(back.oldestSegment).toBe(1);
    back.finish();
    expect(back.oldestSegment).toBe(2);
    expect(buffer.dirtyToken(fullKeyFor("k"), high, low)).not.toBe(0);
    back.flush();
    expect(compose(back)).toEqual(["k=2"]);
    back.finish();
    expect(buffer.dirtyToken(fullKeyFor("k"), high, low)).toBe(0);
  });

  test("leaves change by the sum of what was joined, in the tree class of each", () => {
    const { back, leaves } = makeRig();
    back.put(instant(0), writeOf("k", "1", 3, 0x0f), 1);
    back.put(instant(0), writeOf("k", "2", 3, 0x11), 1);
    back.put(instant(0), writeOf("k", "3", 5, 0x40), 1);
    expect(leaves.held).toBe(0);
    back.flush();
    expect(compose(back)).toEqual(["k=3"]);
    const sums: [number, number][] = [];
    leaves.forEach((n, _partition, words) => {
      sums.push([n, words.reduce((sum, word) => sum ^ word, 0)]);
    });
    expect(sums).toEqual([
      [3, 0],
      [5, 0],
    ]);
    expect([...(leaves.wordsOf(3, partitionFor("k")) as Uint32Array)].filter((word) => word !== 0)).toEqual([
      0x1e, 0x1e,
    ]);
    expect([...(leaves.wordsOf(5, partitionFor("k")) as Uint32Array)].filter((word) => word !== 0)).toEqual([
      0x40, 0x40,
    ]);
  });

  test("a record for which the buffer has no room is refused, and an earlier one of its key stays as it was", () => {
    const { back, buffer } = makeRig({ buffer: 4096 });
    const { high, low } = hashOf("k");
    expect(back.put(instant(0), writeOf("k", "small"), 1)).toBe("queued");
    expect(back.put(instant(0), writeOf("k", "x".repeat(10_000)), 1)).toBe("refused");
    expect(decoder.decode(buffer.get(fullKeyFor("k"), high, low) as Uint8Array)).toBe("small");
    back.flush();
    expect(compose(back)).toEqual(["k=small"]);
  });

  test("a scan waits for its partition's records only, and they for no others", () => {
    const { back, buffer, settled } = makeRig();
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    for (const key of keys) back.put(instant(0), writeOf(key, "v"), 1);
    const inside = keys.filter((key) => partitionFor(key) === partitionFor("k0"));
    expect(inside.length).toBeLessThan(keys.length);
    const [mark, again] = [back.hurryPartition(partitionFor("k0")), back.hurryPartition(partitionFor("k0"))];
    expect([back.due, back.reached(mark), back.reached(again)]).toEqual([true, false, false]);
    expect(compose(back)).toEqual(inside.map((key) => `${key}=v`));
    expect(back.put(instant(0), writeOf("k0", "w"), 2)).toBe("queued");
    expect([back.due, back.reached(mark), back.reached(again)]).toEqual([false, false, false]);
    back.finish();
    expect([back.reached(mark), back.reached(again), settled.length]).toEqual([true, true, inside.length]);
    back.flush();
    expect(compose(back)).toEqual([...keys.filter((key) => !inside.includes(key)).map((key) => `${key}=v`), "k0=w"]);
    back.finish();
    expect([back.size, buffer.dirtyBytes, settled.length]).toEqual([0, 0, keys.length + 1]);
  });

  test("so many bytes end the wait of the oldest", () => {
    const { back } = makeRig({ bytesMax: 5_000 });
    for (let i = 0; i < 4; i += 1) back.put(instant(0), writeOf(`k${i}`, "x".repeat(1_000)), 1);
    expect([back.due, back.nextTick()]).toEqual([false, 1_000]);
    back.put(instant(0), writeOf("k4", "x".repeat(1_000)), 1);
    expect([back.due, back.nextTick()]).toEqual([true, never]);
    expect(compose(back)).toEqual([`k0=${"x".repeat(1_000)}`]);
  });

  test("records leave at most every so often, each after its delay; without an interval all leave with the first", () => {
    const { back } = makeRig({ delayUs: 1_000, everyUs: 300 });
    for (const at of [0, 100, 200, 900]) back.put(instant(at), writeOf(`k${at}`, "v"), 1);
    back.tick(instant(999));
    expect(back.due).toBe(false);
    back.tick(instant(1_050));
    expect(compose(back)).toEqual(["k0=v"]);
    back.finish();
    expect(back.nextTick()).toBe(1_350);
    back.tick(instant(1_350));
    expect(compose(back)).toEqual(["k100=v", "k200=v"]);
    back.finish();
    const all = makeRig({ delayUs: 1_000, everyUs: 0 }).back;
    for (const at of [0, 999]) all.put(instant(at), writeOf(`k${at}`, "v"), 1);
    all.tick(instant(1_000));
    expect(compose(all)).toEqual(["k0=v", "k999=v"]);
  });
});
