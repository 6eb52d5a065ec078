/** What the store must do on any engine, as a suite: run on the simulated disk and on RocksDB. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatKey, u64Bytes } from "../../src/storage/keys.ts";
import { SyncMode, storeDamaged } from "../../src/storage/store.ts";
import { sealRecord } from "../../src/version/record.ts";
import type { EngineHost } from "../support/engine-host.ts";
import type { EngineProbe } from "../support/engine-probe.ts";
import { EngineRecorder } from "../support/engine-recorder.ts";
import { fullKeyFor, hashOf, leavesOf, partitionFor, partitions, StoreRig, textOf } from "../support/store-rig.ts";

/** Writes straight into an engine, and closes it. */
async function tamper(host: EngineHost, entries: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<void> {
  const engine = await host.open();
  const seen = new EngineRecorder();
  engine.attach(seen);
  const batch = engine.batch();
  for (const [key, value] of entries) batch.put(key, value);
  engine.write(batch, 1);
  await host.until(() => seen.count("written") === 1);
  engine.close();
  await host.until(() => seen.closed);
}

/** `makeHost` gives a fresh, empty host; `runs`: how many generated histories to try. */
export function storeConformance(makeHost: () => EngineHost, runs: number): void {
  let host: EngineHost;
  let rig: StoreRig;

  async function reopen(): Promise<void> {
    await rig.close();
    rig = await StoreRig.open(host);
  }

  async function withProbe(options = {}): Promise<EngineProbe> {
    const reopened = await rig.reopenWithProbe(options);
    rig = reopened.rig;
    return reopened.probe;
  }

  describe("store", () => {
    beforeEach(async () => {
      host = makeHost();
      rig = await StoreRig.open(host);
    });

    afterEach(async () => {
      if (!rig.closed && rig.failure === undefined) await rig.close();
      await host.dispose();
    });

    test("a new store says so; an old one finds its records, leaves and batch number again", async () => {
      expect(rig.report).toMatchObject({ created: true, hole: false, batchNumber: 0, leaves: 0 });
      for (let i = 0; i < 50; i += 1) rig.put(`k${i}`, `v${i}`);
      const last = rig.put("k0", "again");
      await rig.until(() => rig.written(last));
      const { batchNumber } = rig.store;
      const leaves = rig.leaves();
      await reopen();
      expect(rig.report).toMatchObject({ created: false, hole: false, batchNumber, leaves: leaves.size });
      expect(rig.leaves()).toEqual(leaves);
      expect(rig.lookup("k0")).toBeUndefined();
      expect(await rig.get("k0")).toBe("again");
      expect(await rig.get("k49")).toBe("v49");
      expect(await rig.get("none")).toBeNull();
    });

    test("puts to one key, queued at once, end on the last", async () => {
      for (let round = 0; round < 30; round += 1) {
        let last = 0;
        for (let i = 0; i < 6; i += 1) last = rig.put("k", `${round}/${i}`);
        await rig.until(() => rig.written(last));
        expect(rig.lookup("k")).toBe(`${round}/5`);
      }
      await reopen();
      expect(await rig.get("k")).toBe("29/5");
    });

    test("one batch is in flight; whatever came meanwhile shares the next", async () => {
      const probe = await withProbe();
      const before = probe.batches;
      const first = rig.put("first", "v");
      await rig.until(() => probe.batches === before + 1);
      const others = Array.from({ length: 100 }, (_, i) => rig.put(`k${i}`, "v"));
      await rig.until(() => others.every((token) => rig.written(token)));
      expect(rig.written(first)).toBe(true);
      expect(probe.batches).toBe(before + 2);
      expect(probe.batchesInFlightMost).toBe(1);
      expect(rig.log.filter((line) => line.startsWith("written"))).toEqual(
        [first, ...others].map((token) => `written ${token}`),
      );
    });

    test("a batch ends before it grows past its limit, but takes one large record", async () => {
      const probe = await withProbe({ batchBytesMax: 10_000 });
      const before = probe.batches;
      const tokens = Array.from({ length: 10 }, (_, i) => rig.put(`k${i}`, "x".repeat(3_000)));
      tokens.push(rig.put("large", "x".repeat(50_000)));
      await rig.until(() => tokens.every((token) => rig.written(token)));
      expect(probe.batches - before).toBe(5);
      expect(await rig.readEngine("large")).toHaveLength(50_000);
    });

    test("a sync is told only to those who asked for it, after their write", async () => {
      const plain = rig.put("a", "1");
      const designated = rig.put("b", "1", SyncMode.designated);
      const durable = rig.put("c", "1", SyncMode.now);
      await rig.until(() => rig.synced(designated) && rig.synced(durable));
      await rig.close();
      expect(rig.log).not.toContain(`synced ${plain}`);
      for (const token of [designated, durable]) {
        expect(rig.log.indexOf(`written ${token}`)).toBeLessThan(rig.log.indexOf(`synced ${token}`));
      }
    });

    test("a sync never holds up writes, two are never in flight, and each covers what was written before it", async () => {
      const probe = await withProbe();
      const before = probe.syncs;
      const durable: number[] = [];
      for (let i = 0; i < 60; i += 1) {
        durable.push(rig.put(`d${i}`, "v", i % 3 === 0 ? SyncMode.now : SyncMode.designated));
        await rig.putNow(`p${i}`, "v");
      }
      await rig.until(() => durable.every((token) => rig.synced(token)));
      expect(probe.syncsInFlightMost).toBe(1);
      expect(probe.overlapped).toBe(true);
      expect(probe.syncs - before).toBeLessThan(60);
    });

    test("a leaf is written once per batch, however many of its records are", async () => {
      const probe = await withProbe();
      probe.holdWrites = true;
      rig.put("stuck", "v");
      await rig.until(() => probe.heldBack === 1);
      const before = rig.store.counters.leavesWritten;
      const tokens = Array.from({ length: 9 }, (_, i) => rig.put("k", `v${i}`));
      probe.releaseWrites(host.now());
      await rig.until(() => tokens.every((token) => rig.written(token)));
      expect(rig.store.counters.leavesWritten - before).toBe(1);
    });

    test("a deletion passes over a key that is written meanwhile, and its leaf stays right", async () => {
      const names = Array.from({ length: 200 }, (_, i) => `k${i}`).filter(
        (name) => partitionFor(name) === partitionFor("k0"),
      );
      for (const name of names) await rig.putNow(name, "old");
      const probe = await withProbe();
      probe.holdWrites = true;
      rig.put("stuck", "v");
      await rig.until(() => probe.heldBack === 1);
      const queued = rig.put("k0", "queued before");
      const scans = probe.scansAnswered;
      const page = rig.askDelete(partitionFor("k0"), null);
      const last = names.at(-1) as string;
      rig.put(last, "queued after");
      await rig.until(() => probe.scansAnswered > scans);
      probe.releaseWrites(host.now());
      const { deleted, cursor } = await rig.deleted(page);
      await rig.until(() => rig.written(queued) && rig.store.queuedBytes === 0);
      expect(deleted).toBe(names.length - 2);
      expect(cursor).not.toBeNull();
      expect([await rig.readEngine("k0"), await rig.readEngine(last)]).toEqual(["queued before", "queued after"]);
      for (const name of names) if (name !== "k0" && name !== last) rig.sets.delete(name);
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      expect((await rig.deletePage(partitionFor("k0"), cursor)).deleted).toBeGreaterThan(0);
    });

    test("a record that fails its checksum is an error, never absent, and does not stay", async () => {
      await rig.putNow("k", "v");
      const hash = hashOf("k");
      await rig.close();
      const broken = sealRecord(rig.sets.get("k") as never).slice();
      broken[broken.length - 1] = (broken[broken.length - 1] as number) ^ 1;
      await tamper(host, [[recordKeyOf("k"), broken]]);
      rig = await StoreRig.open(host);
      const token = rig.ask("k");
      await rig.until(() => rig.reads.has(token));
      expect(rig.reads.get(token)?.sealed).toBeNull();
      expect(rig.reads.get(token)?.error).toBe(storeDamaged);
      expect(rig.store.lookup(fullKeyFor("k"), hash.high, hash.low)).toBeUndefined();
    });

    test("records of a partition come in pages, and a partition is deleted in pages with its leaves", async () => {
      for (let i = 0; i < 3000; i += 1) rig.put(`k${i}`, `v${i}`);
      const last = rig.put("k0", "v0");
      await rig.until(() => rig.written(last));
      const dropped = partitionFor("k0");
      const inside = [...rig.sets.keys()].filter((name) => partitionFor(name) === dropped);
      const expected = new Map(inside.map((name) => [name, `v${name.slice(1)}`]));
      expect(await rig.scan(dropped, 50)).toEqual(expected);
      let cursor: Uint8Array | null = null;
      let deleted = 0;
      let pages = 0;
      do {
        const page = await rig.deletePage(dropped, cursor);
        deleted += page.deleted;
        pages += 1;
        cursor = page.cursor;
      } while (cursor !== null);
      expect(deleted).toBe(inside.length);
      expect(pages).toBeGreaterThan(1);
      for (const name of inside) rig.sets.delete(name);
      expect(rig.lookup("k0")).toBeUndefined();
      expect(await rig.get("k0")).toBeNull();
      expect(await rig.scan(dropped, 50)).toEqual(new Map());
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      await reopen();
      expect(await rig.scan(dropped, 50)).toEqual(new Map());
      const other = partitions - 1 - dropped;
      expect((await rig.scan(other, 1000)).size).toBeGreaterThan(100);
    });

    test("a deletion keeps what the caller keeps", async () => {
      await rig.putNow("k", "v");
      const page = await rig.deleted(rig.askDelete(partitionFor("k"), null, () => 0));
      expect(page).toEqual({ deleted: 0, unreadable: 0, cursor: null });
      expect(await rig.readEngine("k")).toBe("v");
    });

    test("hints are found by key, with everybody they are kept for", async () => {
      await rig.hintNow("k", 7, "seven", 100);
      await rig.hintNow("k", 0x0102, "other", 90);
      await rig.hintNow("k2", 7, "next", 110);
      const expected = [
        [7, 100, "seven"],
        [0x0102, 90, "other"],
      ];
      expect(await rig.hintsOf("k")).toEqual(expected);
      await reopen();
      expect(await rig.hintsOf("k")).toEqual(expected);
      expect(await rig.hintsOf("nobody")).toEqual([]);
    });

    test("a hint is in no leaf and no buffer, and a record is no hint", async () => {
      await rig.putNow("k", "v");
      const before = rig.leaves();
      await rig.hintNow("k", 7, "kept", 100);
      expect(rig.leaves()).toEqual(before);
      expect(await rig.get("k")).toBe("v");
      await reopen();
      expect(rig.leaves()).toEqual(before);
      expect(await rig.get("k")).toBe("v");
    });

    test("agrees with a plain map of hints over any history: by key, by target, and in numbers", async () => {
      const command = fc.record({
        key: fc.integer({ min: 0, max: 5 }),
        target: fc.constantFrom(1, 2, 0x0100, 0xffff),
        drop: fc.boolean(),
        second: fc.integer({ min: 1, max: 4 }),
        size: fc.constantFrom(1, 300),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), fc.boolean(), async (history, restart) => {
          for (const { key, target, drop, second, size } of history) {
            if (drop) await rig.dropHintNow(`k${key}`, target);
            else await rig.hintNow(`k${key}`, target, "x".repeat(size), second);
          }
          const { hintModel } = rig;
          if (restart) {
            await reopen();
            for (const [name, hint] of hintModel) rig.hintModel.set(name, hint);
          }
          await rig.checkHints(
            [1, 2, 0x0100, 0xffff],
            [0, 1, 2, 3, 4, 5].map((key) => `k${key}`),
          );
        }),
        { numRuns: Math.ceil(runs / 4) },
      );
    });

    test("more scans than the engine is asked for at once wait for their turn", async () => {
      await rig.hintNow("k", 7, "kept", 100);
      const asked = 5_000;
      const { high, low } = hashOf("k");
      for (let i = 0; i < asked; i += 1) rig.store.readHints(host.now(), fullKeyFor("k"), high, low, i);
      await rig.until(() => rig.hints.size === asked);
      const answered = [...rig.hints.values()].filter(({ error, hints }) => error === null && hints.length === 1);
      expect(answered).toHaveLength(asked);
    });

    test("stop writes what was answered from memory, answers what was asked, and closes", async () => {
      const memory = rig.put("m", "v", SyncMode.none, true);
      const durable = rig.put("d", "v", SyncMode.designated);
      await rig.close();
      expect(rig.log.slice(-1)).toEqual(["closed"]);
      expect(rig.written(memory) && rig.written(durable) && rig.synced(durable)).toBe(true);
      rig = await StoreRig.open(host);
      expect(await rig.get("m")).toBe("v");
      expect(await rig.get("d")).toBe("v");
    });

    test("an answer may lead to the next call on the store", async () => {
      let left = 20;
      rig.whenWritten = () => {
        left -= 1;
        if (left > 0) rig.put("chain", `v${left}`, SyncMode.none, left % 2 === 0);
      };
      rig.put("chain", "v20", SyncMode.none, true);
      await rig.until(() => left === 0 && rig.store.queuedBytes === 0);
      expect(await rig.readEngine("chain")).toBe("v1");
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("refuses a later format, another ring's partitions, and a store that is not Ringtail's", async () => {
      await rig.close();
      await tamper(host, [[formatKey(), u64Bytes(2, partitions)]]);
      await expect(StoreRig.open(host)).rejects.toThrow("format 2");
      await closeEngine();
      await tamper(host, [[formatKey(), u64Bytes(1, 32)]]);
      await expect(StoreRig.open(host)).rejects.toThrow("32 partitions");
      await closeEngine();
      await tamper(host, [[new Uint8Array([0]), new Uint8Array([1])]]);
      await expect(StoreRig.open(host)).rejects.toThrow("no format stamp");
      await closeEngine();
    });

    /** A store that refuses to start leaves its engine to the process's end: close it here. */
    async function closeEngine(): Promise<void> {
      await host.closeLast();
    }

    test("agrees with a plain map over any history", async () => {
      const command = fc.record({
        key: fc.integer({ min: 0, max: 11 }),
        kind: fc.constantFrom("plain", "designated", "now", "memory", "memory", "get", "get", "wait"),
        size: fc.constantFrom(1, 300, 3000),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 60 }), fc.boolean(), async (history, restart) => {
          await rig.close();
          rig = await StoreRig.open(host, { bufferBytes: 16 * 1024 });
          round += 1;
          await runHistory(rig, history, round);
          await rig.until(() => rig.store.queuedBytes === 0 && rig.store.dirtyBytes === 0);
          const final = new Map([...rig.sets].map(([name, set]) => [name, textOf(sealRecord(set))]));
          if (restart) {
            const { sets } = rig;
            await reopen();
            for (const [name, set] of sets) rig.sets.set(name, set);
          }
          for (const [name, value] of final) {
            expect(await rig.get(name)).toBe(value);
            expect(await rig.readEngine(name)).toBe(value);
          }
        }),
        { numRuns: runs },
      );
    });
  });
}

interface Command {
  readonly key: number;
  readonly kind: string;
  readonly size: number;
}

/** One key has one writer at a time, as behind a replica; other keys go on meanwhile. */
async function runHistory(rig: StoreRig, history: readonly Command[], round: number): Promise<void> {
  const values = new Map<string, string>();
  const pending = new Map<string, { token: number; value: string }>();
  const settle = (name: string): void => {
    const write = pending.get(name);
    if (write === undefined || !rig.written(write.token)) return;
    values.set(name, write.value);
    pending.delete(name);
  };
  for (const [i, command] of history.entries()) {
    const name = `r${round}-k${command.key}`;
    settle(name);
    if (command.kind === "wait") await rig.until(() => rig.store.queuedBytes === 0 && rig.store.dirtyBytes === 0);
    else if (command.kind === "get") {
      const allowed = [values.get(name) ?? null, pending.get(name)?.value];
      expect(allowed).toContain(await rig.get(name));
    } else {
      await rig.until(() => {
        settle(name);
        return !pending.has(name);
      });
      const value = `${i}:${"x".repeat(command.size)}`;
      const memory = command.kind === "memory";
      const sync = command.kind === "now" ? SyncMode.now : command.kind === "designated" ? SyncMode.designated : 0;
      pending.set(name, { token: rig.put(name, value, memory ? 0 : sync, memory), value });
    }
  }
}

function recordKeyOf(name: string): Uint8Array {
  const { high, low } = hashOf(name);
  const fullKey = fullKeyFor(name);
  const key = new Uint8Array(9 + fullKey.length);
  const view = new DataView(key.buffer);
  view.setUint8(0, 0x10);
  view.setUint32(1, high);
  view.setUint32(5, low);
  key.set(fullKey, 9);
  return key;
}
