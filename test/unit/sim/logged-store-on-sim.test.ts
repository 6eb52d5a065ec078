/** The suite of the store with a log on the simulated disk, and power cuts and memory writes at every instant. */
import { describe, expect, test } from "vitest";
import { SyncMode } from "../../../src/storage/store.ts";
import { sealRecord } from "../../../src/version/record.ts";
import { loggedStoreConformance } from "../../conformance/logged-store.ts";
import { SimHost } from "../../support/engine-host.ts";
import { leavesOf, StoreRig, textOf } from "../../support/store-rig.ts";

loggedStoreConformance(() => new SimHost(), 60);

const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

async function passTime(rig: StoreRig, host: SimHost, us: number): Promise<void> {
  const end = host.now() + us;
  await rig.until(() => host.now() >= end);
}

describe("power cuts", () => {
  test("what was synced survives, whether the log or the engine has it", async () => {
    let lost = 0;
    for (const seed of seeds) {
      const host = new SimHost(seed);
      const sizes = { logged: true, logSegmentBytes: 1_500, bufferBytes: seed % 2 === 0 ? 8 * 1024 : 256 * 1024 };
      const rig = await StoreRig.open(host, sizes);
      const sure: Map<string, number> = new Map();
      for (let i = 0; i < 60; i += 1) {
        const name = `k${i % 17}`;
        const sync = i % 4 === 0 ? SyncMode.now : i % 4 === 1 ? SyncMode.designated : SyncMode.none;
        const token = rig.put(name, `${i}:${"x".repeat((i * 37) % 400)}`, sync);
        if (i % 3 === 0) await rig.until(() => rig.written(token));
        if (i % 10 === seed % 10) await passTime(rig, host, 50_000 * (seed % 30));
        if (sync !== SyncMode.none) sure.set(name, i);
        if (i % 7 === 0 && sync !== SyncMode.none) await rig.until(() => rig.synced(token));
        else if (sync !== SyncMode.none && !rig.synced(token)) sure.delete(name);
      }
      host.drive.powerCut();
      const next = await StoreRig.open(host, sizes);
      for (const [name, i] of sure) {
        const found = await next.readEngine(name);
        expect(found, `${name} of seed ${seed}`).not.toBeNull();
        expect(Number.parseInt(found as string, 10)).toBeGreaterThanOrEqual(i);
      }
      for (const [name, set] of rig.sets) if ((await next.readEngine(name)) !== textOf(sealRecord(set))) lost += 1;
      await next.close();
    }
    expect(lost).toBeGreaterThan(0);
  });

  test("a torn log is none with a hole, and the next life goes on behind it", async () => {
    for (const seed of seeds) {
      const host = new SimHost(seed);
      let rig = await StoreRig.open(host, { logged: true });
      for (let life = 0; life < 4; life += 1) {
        for (let i = 0; i < 10; i += 1) await rig.putNow(`${life}-${i}`, "v");
        host.drive.powerCut();
        rig = await StoreRig.open(host, { logged: true });
        expect(rig.report?.hole).toBe(false);
      }
    }
  });
});

describe("memory writes", () => {
  test("reach the log within 20 ms of the first that waits, and none is appended before for them alone", async () => {
    const host = new SimHost();
    const rig = await StoreRig.open(host, { logged: true });
    const start = host.now();
    for (let i = 0; i < 8; i += 1) {
      await rig.putNow(`k${i}`, "v", SyncMode.none, true);
      expect(host.drive.disk.segments.get(1)?.length).toBe(0);
      await passTime(rig, host, 2_000);
    }
    await rig.until(() => (host.drive.disk.segments.get(1)?.length ?? 0) > 0);
    expect(host.now() - start).toBeGreaterThan(18_000);
    expect(host.now() - start).toBeLessThan(22_000);
    expect(rig.store.counters.batches).toBe(0);
    host.drive.kill();
    const next = await StoreRig.open(host, { logged: true });
    for (let i = 0; i < 8; i += 1) expect(await next.readEngine(`k${i}`)).toBe("v");
    expect(next.leaves()).toEqual(leavesOf(rig.sets));
  });

  test("go along with the next append that somebody waits for", async () => {
    const host = new SimHost();
    const rig = await StoreRig.open(host, { logged: true });
    await rig.putNow("a", "memory", SyncMode.none, true);
    await rig.putNow("b", "buffered");
    host.drive.kill();
    const next = await StoreRig.open(host, { logged: true });
    expect([await next.readEngine("a"), await next.readEngine("b")]).toEqual(["memory", "buffered"]);
  });

  test("a kill within 20 ms may lose them, and leaves records and leaves that agree", async () => {
    const host = new SimHost();
    const rig = await StoreRig.open(host, { logged: true });
    await rig.putNow("a", "buffered");
    await rig.putNow("b", "memory", SyncMode.none, true);
    host.drive.kill();
    const next = await StoreRig.open(host, { logged: true });
    expect([await next.readEngine("a"), await next.readEngine("b")]).toEqual(["buffered", null]);
    rig.sets.delete("b");
    expect(next.leaves()).toEqual(leavesOf(rig.sets));
  });
});
