/** What the simulated disk does to a store: kills, power cuts, holes, flipped bits, errors. Many seeds each. */
import { describe, expect, test } from "vitest";
import { batchNumberKey, KeyKind } from "../../../src/storage/keys.ts";
import { SyncMode } from "../../../src/storage/store.ts";
import { SimHost } from "../../support/engine-host.ts";
import { leavesOf, StoreRig } from "../../support/store-rig.ts";

const seeds = Array.from({ length: 40 }, (_, i) => i + 1);
const recordsFrom = String.fromCharCode(KeyKind.record);
const recordsTo = String.fromCharCode(KeyKind.record + 1);

/** Puts `count` keys, one batch each; every fourth is durable. */
async function fill(rig: StoreRig, count: number, prefix = "k"): Promise<void> {
  for (let i = 0; i < count; i += 1) await rig.putNow(`${prefix}${i}`, "v", i % 4 === 0 ? SyncMode.now : SyncMode.none);
}

async function present(rig: StoreRig, names: readonly string[]): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const name of names) found.push((await rig.get(name)) !== null);
  return found;
}

describe("simulated disk", () => {
  test("a kill loses nothing that was answered, and the run of batches has no hole", async () => {
    const late = { kept: 0, lost: 0 };
    for (const seed of seeds) {
      const host = new SimHost(seed);
      const rig = await StoreRig.open(host);
      await fill(rig, 20);
      rig.put("in flight", "v");
      await rig.until(() => rig.store.batchNumber === 21);
      host.drive.kill();
      const next = await StoreRig.open(host);
      expect(next.report?.hole).toBe(false);
      expect(
        await present(
          next,
          Array.from({ length: 20 }, (_, i) => `k${i}`),
        ),
      ).not.toContain(false);
      if ((await next.get("in flight")) === null) late.lost += 1;
      else late.kept += 1;
    }
    expect(late.kept).toBeGreaterThan(0);
    expect(late.lost).toBeGreaterThan(0);
  });

  test("a power cut keeps what was synced and a prefix of the rest: a torn tail, which is no hole", async () => {
    let lost = 0;
    for (const seed of seeds) {
      const host = new SimHost(seed);
      const rig = await StoreRig.open(host);
      const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
      await fill(rig, 30);
      const synced = names.filter((_, i) => rig.synced(i + 1));
      host.drive.powerCut();
      const next = await StoreRig.open(host);
      expect(next.report?.hole).toBe(false);
      const found = await present(next, names);
      const kept = found.indexOf(false) < 0 ? 30 : found.indexOf(false);
      expect(found.slice(kept)).not.toContain(true);
      expect(kept).toBeGreaterThanOrEqual(synced.length === 0 ? 0 : names.indexOf(synced.at(-1) as string) + 1);
      expect(next.report?.batchNumber).toBe(kept);
      for (const name of names.slice(0, kept)) next.sets.set(name, rig.sets.get(name) as never);
      expect(next.leaves()).toEqual(leavesOf(next.sets));
      if (kept < 30) lost += 1;
    }
    expect(lost).toBeGreaterThan(5);
  });

  test("a hole in the log is reported, however it lies", async () => {
    for (const seed of seeds) {
      const host = new SimHost(seed);
      const rig = await StoreRig.open(host);
      await fill(rig, 30);
      host.drive.kill();
      expect(host.drive.disk.tearHole()).toBe(true);
      const next = await StoreRig.open(host);
      expect(next.report?.hole).toBe(true);
      expect(next.report?.batchNumber).toBe(30);
    }
  });

  test("a run of batch numbers longer than its slots is still gapless, and a hole in it is seen", async () => {
    const host = new SimHost();
    await (await StoreRig.open(host)).close();
    const last = 65_536 + 5_000;
    const put = async (numbers: readonly number[]): Promise<void> => {
      const engine = await host.open();
      let written = false;
      engine.attach({
        onGot() {},
        onWritten: () => {
          written = true;
        },
        onSynced() {},
        onScanned() {},
        onClosed() {},
      });
      const batch = engine.batch();
      for (const number of numbers) {
        const value = new Uint8Array(8);
        new DataView(value.buffer).setBigUint64(0, BigInt(number));
        batch.put(batchNumberKey(number), value);
      }
      engine.write(batch, 1);
      await host.until(() => written);
    };
    await put(Array.from({ length: 65_536 }, (_, i) => last - i));
    const whole = await StoreRig.open(host);
    expect(whole.report).toMatchObject({ hole: false, batchNumber: last });
    await whole.close();
    await put([last - 4_000 - 65_536]);
    const torn = await StoreRig.open(host);
    expect(torn.report).toMatchObject({ hole: true, batchNumber: last });
  });

  test("a bit flipped at rest in a record is an error to its reader and an unreadable key to a scan", async () => {
    let read = 0;
    for (const seed of seeds.slice(0, 15)) {
      const host = new SimHost(seed);
      const rig = await StoreRig.open(host);
      await rig.putNow("k", "value");
      await rig.close();
      expect(host.drive.disk.flipBit(recordsFrom, recordsTo)).not.toBeNull();
      const next = await StoreRig.open(host);
      await expect(next.readEngine("k")).rejects.toThrow(/record/);
      read += 1;
    }
    expect(read).toBe(15);
  });

  test("a failed write, and a failed sync, end the store", async () => {
    for (const kind of ["writeErrors", "syncErrors"] as const) {
      const host = new SimHost();
      const rig = await StoreRig.open(host);
      await rig.putNow("a", "v");
      host.drive.disk.faults[kind] = 1000;
      const token = rig.put("b", "v", SyncMode.now);
      rig.ask("a");
      await rig.until(() => rig.failure !== undefined);
      expect(rig.failure).toMatch(kind === "writeErrors" ? "a write failed" : "a sync failed");
      expect(rig.synced(token)).toBe(false);
      const { length } = rig.log;
      rig.put("c", "v");
      rig.store.endTurn(host.now());
      for (let i = 0; i < 50; i += 1) await host.until(() => true);
      expect(rig.log.length).toBe(length);
    }
  });

  test("a failed read is an error, not an absent record", async () => {
    const host = new SimHost();
    const rig = await StoreRig.open(host);
    host.drive.disk.faults.readErrors = 1000;
    await expect(rig.readEngine("nothing")).rejects.toThrow("simulated read error");
    host.drive.disk.faults.readErrors = 0;
    expect(await rig.readEngine("nothing")).toBeNull();
  });

  test("state files are atomic: after a kill there is the old or the new one", async () => {
    const seen = new Set<string>();
    for (const seed of seeds) {
      const host = new SimHost(seed);
      const states = host.drive.boot(() => {}).stateFiles;
      states.save("ring", new Uint8Array([1]), 1);
      host.drive.kill();
      seen.add(String(host.drive.boot(() => {}).stateFiles.load("ring")));
    }
    expect([...seen].sort()).toEqual(["1", "null"]);
  });

  test("a wiped disk is a new one", async () => {
    const host = new SimHost();
    const rig = await StoreRig.open(host);
    await rig.putNow("k", "v");
    host.drive.kill();
    host.drive.disk.wipe();
    const next = await StoreRig.open(host);
    expect(next.report?.created).toBe(true);
    expect(await next.get("k")).toBeNull();
  });
});
