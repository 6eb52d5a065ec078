/**
 * How the store keeps the object buffer and the engine coherent, as a suite: memory writes, back-pressure, and when an
 * entry may change. Run on the simulated disk and on RocksDB.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { enableCanaries } from "../../src/base/canary.ts";
import { SyncMode } from "../../src/storage/store.ts";
import type { EngineHost } from "../support/engine-host.ts";
import type { EngineProbe } from "../support/engine-probe.ts";
import { leavesOf, StoreRig, textOf } from "../support/store-rig.ts";

/** `makeHost` gives a fresh, empty host. */
export function objectBufferConformance(makeHost: () => EngineHost): void {
  let host: EngineHost;
  let rig: StoreRig;

  async function withProbe(options = {}): Promise<EngineProbe> {
    const reopened = await rig.reopenWithProbe(options);
    rig = reopened.rig;
    return reopened.probe;
  }

  describe("store and object buffer", () => {
    beforeEach(async () => {
      host = makeHost();
      rig = await StoreRig.open(host);
    });

    afterEach(async () => {
      enableCanaries([]);
      if (!rig.closed && rig.failure === undefined) await rig.close();
      await host.dispose();
    });

    test("a memory write is in the object buffer and answered before the engine has it", async () => {
      const probe = await withProbe();
      const before = probe.batches;
      const token = await rig.putNow("k", "fast", SyncMode.none, true);
      expect(probe.batches).toBe(before);
      expect(rig.lookup("k")).toBe("fast");
      expect(rig.store.dirtyBytes).toBeGreaterThan(0);
      await rig.until(() => rig.store.dirtyBytes === 0);
      expect(probe.batches).toBe(before + 1);
      expect(await rig.readEngine("k")).toBe("fast");
      expect(rig.log.filter((line) => line === `written ${token}`)).toHaveLength(1);
    });

    test("memory writes of one key cost one engine write, and their leaf comes out right", async () => {
      const before = rig.store.counters.batchBytes;
      const tokens = Array.from({ length: 50 }, (_, i) => rig.put("hot", `v${i}`, SyncMode.none, true));
      await rig.until(() => rig.store.dirtyBytes === 0);
      expect(tokens.every((token) => rig.written(token))).toBe(true);
      expect(rig.store.counters.coalesced).toBe(49);
      expect(rig.store.counters.batchBytes - before).toBeLessThan(400);
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
      await rig.close();
      rig = await StoreRig.open(host);
      expect(await rig.get("hot")).toBe("v49");
    });

    test("a memory write that follows another kind of write of its key does not overtake it", async () => {
      rig.put("k", "1", SyncMode.none, true);
      rig.put("k", "2", SyncMode.none, false);
      rig.put("k", "3", SyncMode.none, true);
      await rig.until(() => rig.store.dirtyBytes === 0 && rig.store.queuedBytes === 0);
      expect(rig.lookup("k")).toBe("3");
      expect(await rig.readEngine("k")).toBe("3");
      expect(rig.leaves()).toEqual(leavesOf(rig.sets));
    });

    test("when the engine falls behind, memory writes wait for their batches", async () => {
      const probe = await withProbe({ bufferBytes: 64 * 1024 });
      probe.holdWrites = true;
      const stuck = rig.put("stuck", "v");
      await rig.until(() => probe.heldBack === 1);
      const tokens = Array.from({ length: 100 }, (_, i) => rig.put(`k${i}`, "x".repeat(1000), SyncMode.none, true));
      expect(rig.store.dirtyBytes).toBeGreaterThan(32 * 1024);
      await rig.until(() => rig.written(tokens[0] as number));
      expect(rig.written(tokens[99] as number)).toBe(false);
      expect(rig.store.counters.memoryWaits).toBeGreaterThan(40);
      expect(rig.lookup("k0")).toHaveLength(1000);
      probe.releaseWrites(host.now());
      await rig.until(() => [...tokens, stuck].every((token) => rig.written(token)));
      expect(rig.store.dirtyBytes).toBeLessThan(32 * 1024);
      for (let i = 0; i < 100; i += 1) expect(await rig.get(`k${i}`)).toHaveLength(1000);
    });

    test("a buffer entry changes when its batch completes, not before", async () => {
      const probe = await withProbe();
      await rig.putNow("k", "old");
      probe.holdWrites = true;
      const token = rig.put("k", "new");
      await rig.until(() => probe.heldBack === 1);
      expect(rig.lookup("k")).toBe("old");
      probe.releaseWrites(host.now());
      expect(rig.written(token)).toBe(true);
      expect(rig.lookup("k")).toBe("new");
    });

    /** Reads "b", and while the engine's answer is held back writes it anew and pushes the new entry out again. */
    async function overtakenRead(): Promise<string> {
      await rig.putNow("b", "1");
      const probe = await withProbe();
      probe.holdGets = true;
      const asked = rig.ask("b");
      await rig.until(() => probe.heldBack === 1);
      await rig.putNow("b", "2");
      // Only the rule keeps the old one away now.
      for (let i = 0; i < 500; i += 1) rig.put(`x${i}`, "x".repeat(1000));
      await rig.until(() => rig.store.queuedBytes === 0);
      expect(rig.lookup("b")).toBeUndefined();
      probe.releaseGets(host.now());
      await rig.until(() => rig.reads.has(asked));
      return textOf(rig.reads.get(asked)?.sealed as Uint8Array);
    }

    test("a read fills the object buffer", async () => {
      await rig.putNow("a", "1");
      await withProbe();
      await rig.readEngine("a");
      expect(rig.lookup("a")).toBe("1");
    });

    test("but not when a write of the key began meanwhile", async () => {
      expect(await overtakenRead()).toBe("1");
      expect(rig.lookup("b")).toBeUndefined();
      expect(rig.store.counters.fillsDropped).toBe(1);
      expect(await rig.get("b")).toBe("2");
    });

    test("for the next read would be answered with what is no more", async () => {
      enableCanaries(["stale-fill"]);
      expect(await overtakenRead()).toBe("1");
      expect(await rig.get("b")).toBe("1");
    });

    test("nor when one that had begun before ended meanwhile", async () => {
      await rig.putNow("b", "1");
      const probe = await withProbe();
      probe.holdWrites = true;
      rig.put("stuck", "v");
      await rig.until(() => probe.heldBack === 1);
      const token = rig.put("b", "2");
      probe.holdGets = true;
      const asked = rig.ask("b");
      await rig.until(() => probe.heldBack === 2);
      probe.releaseWrites(host.now());
      await rig.until(() => rig.written(token));
      for (let i = 0; i < 500; i += 1) rig.put(`x${i}`, "x".repeat(1000));
      await rig.until(() => rig.store.queuedBytes === 0);
      expect(rig.lookup("b")).toBeUndefined();
      probe.releaseGets(host.now());
      expect(textOf(rig.reads.get(asked)?.sealed as Uint8Array)).toBe("1");
      expect(rig.lookup("b")).toBeUndefined();
    });
  });
}
