/** What a store with a write-ahead log must do on any engine and log, as a suite: run on the simulated disk and on RocksDB. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SyncMode } from "../../src/storage/store.ts";
import { logEntryBytes, putLogEntry } from "../../src/storage/write-ahead-log.ts";
import { sealRecord } from "../../src/version/record.ts";
import type { SiblingSet } from "../../src/version/sibling-set.ts";
import type { EngineHost } from "../support/engine-host.ts";
import { FailingLog } from "../support/failing-log.ts";
import { fullKeyFor, leavesOf, partitionFor, type RigOptions, StoreRig, textOf, treeN } from "../support/store-rig.ts";

/** `makeHost` gives a fresh, empty host; `runs`: how many generated histories to try. */
export function loggedStoreConformance(makeHost: () => EngineHost, runs: number): void {
  let host: EngineHost;
  let rig: StoreRig;

  async function open(options: RigOptions = {}): Promise<void> {
    rig = await StoreRig.open(host, { logged: true, ...options });
  }

  /** Ends the process as kill -9 does, and starts the next one on what is there. */
  async function crash(options: RigOptions = {}): Promise<void> {
    const { sets } = rig;
    await host.crash();
    await open(options);
    for (const [name, set] of sets) rig.sets.set(name, set);
  }

  /** Puts each of the names at once, and waits for all. */
  async function putAll(names: readonly string[], value: string, sync: SyncMode = SyncMode.none): Promise<void> {
    const tokens = names.map((name) => rig.put(name, value, sync));
    await rig.until(() => tokens.every((token) => rig.written(token)));
  }

  async function drained(): Promise<void> {
    await rig.until(() => rig.store.queuedBytes === 0 && rig.store.dirtyBytes === 0);
  }

  describe("store with a log", () => {
    beforeEach(async () => {
      host = makeHost();
      await open();
    });

    afterEach(async () => {
      if (!rig.closed && rig.failure === undefined) await rig.close();
      else if (!rig.closed) await host.closeLast();
      await host.dispose();
    });

    test("acknowledges from the log, before the engine has anything, and loses nothing to a kill", async () => {
      const names = Array.from({ length: 50 }, (_, i) => `k${i}`);
      await putAll(names, "v");
      expect(rig.store.counters.batches).toBe(0);
      expect(rig.store.dirtyBytes).toBeGreaterThan(0);
      expect(await rig.readEngine("k0")).toBeNull();
      await crash();
      expect(rig.report).toMatchObject({ created: false, hole: false });
      for (const name of names) expect(await rig.readEngine(name)).toBe("v");
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      expect(rig.lookup("k0")).toBe("v");
    });

    test("a key that changes often is one write of the engine, its last", async () => {
      for (let i = 0; i < 20; i += 1) await rig.putNow("hot", `v${i}`);
      expect(rig.store.counters.coalesced).toBe(19);
      await drained();
      expect(rig.store.counters.batches).toBe(1);
      expect(await rig.readEngine("hot")).toBe("v19");
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("a sync is one of the log, and answers only those who asked", async () => {
      const plain = rig.put("a", "1");
      const designated = rig.put("b", "1", SyncMode.designated);
      const durable = rig.put("c", "1", SyncMode.now);
      await rig.until(() => rig.synced(designated) && rig.synced(durable));
      expect(rig.store.counters.batches).toBe(0);
      expect(rig.synced(plain)).toBe(false);
      for (const token of [designated, durable])
        expect(rig.log.indexOf(`written ${token}`)).toBeLessThan(rig.log.indexOf(`synced ${token}`));
    });

    test("a replay brings what the engine lacks, keeps what it has, and lets the segments go", async () => {
      await putAll(["a", "b"], "1");
      await drained();
      await putAll(["b", "c"], "2");
      await crash({ logSegmentBytes: 100 });
      expect([await rig.readEngine("a"), await rig.readEngine("b"), await rig.readEngine("c")]).toEqual([
        "1",
        "2",
        "2",
      ]);
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      expect(host.segments()).toHaveLength(1);
      await crash();
      expect([await rig.readEngine("a"), await rig.readEngine("b"), await rig.readEngine("c")]).toEqual([
        "1",
        "2",
        "2",
      ]);
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      expect(rig.report?.hole).toBe(false);
    });

    test("segments go when the engine has what was in them, and a clean stop leaves none", async () => {
      await rig.close();
      await open({ logSegmentBytes: 2_000 });
      const first = host.segments()[0] as number;
      for (let i = 0; i < 20; i += 1) {
        await putAll(
          Array.from({ length: 10 }, (_, k) => `k${i}-${k}`),
          "x".repeat(200),
        );
      }
      expect(host.segments().length).toBeGreaterThan(1);
      await rig.until(() => host.segments().length === 1);
      expect(host.segments()[0]).toBeGreaterThan(first + 10);
      await putAll(["last"], "v");
      await rig.close();
      expect(host.segments()).toEqual([]);
      await open();
      expect(await rig.readEngine("last")).toBe("v");
      expect(await rig.readEngine("k19-9")).toHaveLength(200);
    });

    test("a tree holds what was acknowledged, before the engine has it, and no longer when it is deleted", async () => {
      const partition = partitionFor("k0");
      const holds = (): boolean => rig.store.leaves.holds(treeN, partition);
      expect(holds()).toBe(false);
      await rig.putNow("k0", "v");
      expect([rig.store.counters.batches, holds(), rig.store.leaves.holds(treeN + 1, partition)]).toEqual([
        0,
        true,
        false,
      ]);
      await drained();
      expect(holds()).toBe(true);
      let cursor: Uint8Array | null = null;
      do {
        cursor = (await rig.deletePage(partition, cursor)).cursor;
      } while (cursor !== null);
      expect(holds()).toBe(false);
    });

    test("a scan sees everything that was acknowledged before it was asked for", async () => {
      const names = Array.from({ length: 300 }, (_, i) => `k${i}`);
      for (let round = 0; round < 3; round += 1) {
        await putAll(names, `v${round}`);
        const partition = partitionFor("k0");
        const inside = names.filter((name) => partitionFor(name) === partition);
        expect(await rig.scan(partition, 5)).toEqual(new Map(inside.map((name) => [name, `v${round}`])));
      }
    });

    test("what was deleted is not brought back by a replay, nor is anything else lost", async () => {
      const names = Array.from({ length: 200 }, (_, i) => `k${i}`);
      await putAll(names, "v");
      const partition = partitionFor("k0");
      let cursor: Uint8Array | null = null;
      do {
        cursor = (await rig.deletePage(partition, cursor)).cursor;
      } while (cursor !== null);
      await crash();
      for (const name of names) {
        if (partitionFor(name) === partition) rig.sets.delete(name);
        expect(await rig.readEngine(name)).toBe(partitionFor(name) === partition ? null : "v");
      }
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("a key written during a deletion is left standing, and does not come back when it is deleted after all", async () => {
      const partition = partitionFor("k0");
      await putAll(["k0"], "old");
      const token = rig.askDelete(partition, null);
      rig.put("k0", "new");
      let { cursor } = await rig.deleted(token);
      while (cursor !== null || (await rig.scan(partition, 10)).size > 0) {
        ({ cursor } = await rig.deletePage(partition, cursor));
      }
      await crash();
      expect(await rig.readEngine("k0")).toBeNull();
    });

    test("a deletion does not wait for the log to be empty, only for what it held when asked", async () => {
      await rig.close();
      await open({ logSegmentBytes: 500 });
      await putAll(["k0"], "v");
      const partition = partitionFor("k0");
      const others = Array.from({ length: 100 }, (_, i) => `o${i}`).filter((name) => partitionFor(name) !== partition);
      const token = rig.askDelete(partition, null);
      for (let i = 0; !rig.deletions.has(token); i += 1) {
        if (i > 3_000) throw new Error("the deletion starves");
        await rig.putNow(others[i % others.length] as string, `${i}`);
      }
      expect((await rig.deleted(token)).deleted).toBe(1);
    });

    test("a deletion is not held up by what waits for write-back in other partitions", async () => {
      const names = Array.from({ length: 3_000 }, (_, i) => `k${i}`);
      const partition = partitionFor("k0");
      const inside = names.filter((name) => partitionFor(name) === partition).slice(0, 30);
      await putAll(inside, "v");
      await drained();
      // Keeps all of them, and leaves nothing of the partition in the log.
      await rig.deleted(rig.askDelete(partition, null, () => 0));
      await putAll(
        names.filter((name) => partitionFor(name) !== partition),
        "v",
      );
      expect(rig.store.dirtyBytes).toBeGreaterThan(0);
      expect(await rig.deletePage(partition, null)).toEqual({ deleted: inside.length, unreadable: 0, cursor: null });
      for (const name of inside) rig.sets.delete(name);
      await drained();
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("when the object buffer has no room writes wait for their batch, in order, and survive a kill", async () => {
      await rig.close();
      await open({ bufferBytes: 16 * 1024 });
      const names = Array.from({ length: 60 }, (_, i) => `k${i % 20}`);
      const tokens = names.map((name, i) => rig.put(name, `${i}:${"x".repeat(1_500)}`));
      await rig.until(() => tokens.every((token) => rig.written(token)));
      expect(rig.store.counters.memoryWaits).toBeGreaterThan(0);
      const expected = new Map([...rig.sets].map(([name, set]) => [name, textOf(sealRecord(set))]));
      for (const [name, value] of expected) expect(await rig.get(name)).toBe(value);
      await crash();
      for (const [name, value] of expected) expect(await rig.readEngine(name)).toBe(value);
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("a log that cannot be written fails the store, in a turn of its own, and answers nobody", async () => {
      await rig.close();
      const logs: FailingLog[] = [];
      await open({
        wrapLog: (log) => {
          const failing = new FailingLog(log);
          logs.push(failing);
          return failing;
        },
      });
      await putAll(["a"], "1");
      (logs[0] as FailingLog).broken = true;
      // So much that some of it is appended before the turn ends.
      const tokens = Array.from({ length: 30 }, (_, i) => rig.put(`k${i}`, "x".repeat(50_000)));
      await rig.until(() => rig.failure !== undefined);
      expect(rig.failure).toMatch(/log cannot be written: no space left/);
      expect(tokens.filter((token) => rig.written(token))).toEqual([]);
    });

    test("a segment that is gone, emptied or cut between two entries is a hole, whichever it is", async () => {
      const entry = logEntryBytes(fullKeyFor("k0"), rig.makeWrite("k0", "v").sealed);
      // Of each case: how many bytes stay of the oldest, a middle and the newest segment; -1: it is removed.
      for (const [at, bytes, hole] of [
        [0, -1, true],
        [0, 0, true],
        [0, entry, true],
        [1, -1, true],
        [1, 0, true],
        [1, 2 * entry, true],
        [-1, -1, true],
        // Nobody can tell this one from the log of a node that was killed before its last writes.
        [-1, 0, false],
      ] as const) {
        await crash({ logSegmentBytes: 3 * entry });
        await rig.until(() => host.segments().length === 1);
        for (let i = 0; i < 10; i += 1) await rig.putNow(`k${i}`, "v");
        const before = host.segments();
        expect(before).toHaveLength(4);
        await host.crash();
        host.cutSegment(before.at(at) as number, bytes);
        await open();
        expect([at, bytes, rig.report?.hole]).toEqual([at, bytes, hole]);
        await crash();
        expect([at, bytes, rig.report?.hole]).toEqual([at, bytes, false]);
        await rig.close();
        await open();
        expect([at, bytes, rig.report?.hole]).toEqual([at, bytes, false]);
      }
    });

    test("a segment that is not needed any more, and is back after a power cut, is left alone", async () => {
      await crash();
      await putAll(["k0"], "v");
      const [oldest] = host.segments() as [number];
      const stray = rig.makeWrite("k0", "stray");
      await host.crash();
      const bytes = new Uint8Array(logEntryBytes(stray.fullKey, stray.sealed));
      putLogEntry(bytes, 0, stray);
      host.addSegment(oldest - 1, bytes);
      await open();
      expect(rig.report?.hole).toBe(false);
      expect(await rig.readEngine("k0")).toBe("v");
      expect(host.segments()).toHaveLength(1);
    });

    test("acknowledged writes survive a kill at any instant", async () => {
      const command = fc.record({
        key: fc.integer({ min: 0, max: 7 }),
        sync: fc.constantFrom(SyncMode.none, SyncMode.none, SyncMode.designated, SyncMode.now),
        size: fc.constantFrom(1, 300, 3_000),
        after: fc.constantFrom("nothing", "nothing", "answer", "drain", "kill"),
      });
      const options = fc.record({
        bufferBytes: fc.constantFrom(8 * 1024, 64 * 1024),
        logSegmentBytes: fc.constantFrom(500, 10_000),
      });
      const shape = fc.tuple(fc.array(command, { minLength: 1, maxLength: 40 }), options);
      let round = 0;
      await fc.assert(
        fc.asyncProperty(shape, async ([history, sizes]) => {
          await crash(sizes);
          round += 1;
          const given: Map<string, Given[]> = new Map();
          const killAndCheck = async (): Promise<void> => {
            const before = rig;
            await crash(sizes);
            expect(rig.report?.hole).toBe(false);
            for (const [name, writes] of given) {
              const sure = writes.findLastIndex(({ token, found }) => found || before.written(token));
              const allowed: (string | null)[] = writes.slice(Math.max(0, sure)).map(({ value }) => value);
              if (sure < 0) allowed.push(null);
              const value = await rig.readEngine(name);
              expect(allowed).toContain(value);
              const kept = writes.find((write) => write.value === value);
              if (kept === undefined) rig.sets.delete(name);
              else rig.sets.set(name, kept.set);
              given.set(name, kept === undefined ? [] : [{ ...kept, found: true }]);
            }
            expect(rig.leaves()).toEqual(leavesOf(rig.sets));
          };
          for (const [i, { key, sync, size, after }] of history.entries()) {
            const name = `r${round}-k${key}`;
            const value = `${round}/${i}:${"x".repeat(size)}`;
            const token = rig.put(name, value, sync);
            const write = { token, value, set: rig.sets.get(name) as SiblingSet, found: false };
            given.set(name, [...(given.get(name) ?? []), write]);
            if (after === "answer") await rig.until(() => rig.written(token));
            else if (after === "drain") await drained();
            else if (after === "kill") await killAndCheck();
          }
          await killAndCheck();
        }),
        { numRuns: runs },
      );
    });
  });
}

/** A write of a history: `found` by a later life. */
interface Given {
  readonly token: number;
  readonly value: string;
  readonly set: SiblingSet;
  readonly found: boolean;
}
