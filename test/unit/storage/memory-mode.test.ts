/** When memory writes reach the engine where there is no log: after 20 ms, or when 4 MiB have gathered. */
import { beforeEach, expect, test } from "vitest";
import { SyncMode } from "../../../src/storage/store.ts";
import { SimHost } from "../../support/engine-host.ts";
import { StoreRig } from "../../support/store-rig.ts";

let host: SimHost;
let rig: StoreRig;

beforeEach(async () => {
  host = new SimHost();
  rig = await StoreRig.open(host, { bufferBytes: 32 * 1024 * 1024 });
});

test("20 ms after the first of them, however many follow", async () => {
  await rig.putNow("a", "v", SyncMode.none, true);
  const first = host.now();
  expect(rig.store.nextTick() - first).toBeGreaterThan(15_000);
  for (let i = 0; i < 10 && rig.store.counters.batches === 0; i += 1) {
    const turn = host.now() + 2_000;
    rig.put(`b${i}`, "v", SyncMode.none, true);
    rig.put("a", `${i}`, SyncMode.none, true);
    await rig.until(() => host.now() >= turn);
  }
  await rig.until(() => rig.store.dirtyBytes === 0);
  expect(host.now() - first).toBeGreaterThan(18_000);
  expect(host.now() - first).toBeLessThan(22_000);
  expect(rig.store.counters.batches).toBe(1);
});

test("when 4 MiB have gathered", async () => {
  const start = host.now();
  for (let i = 0; i < 9; i += 1) await rig.putNow(`k${i}`, "x".repeat(500_000), SyncMode.none, true);
  await rig.until(() => rig.store.dirtyBytes === 0);
  expect(host.now() - start).toBeLessThan(18_000);
  expect(rig.store.counters.memoryWaits).toBe(0);
});

test("a record too large for the object buffer waits for its batch, and is not lost from sight", async () => {
  rig = await StoreRig.open(new SimHost(), { bufferBytes: 64 * 1024 });
  await rig.putNow("k", "small", SyncMode.none, true);
  const token = rig.put("k", "x".repeat(100_000), SyncMode.none, true);
  expect(rig.lookup("k")).toBe("small");
  await rig.until(() => rig.written(token));
  expect(rig.store.counters.memoryWaits).toBe(1);
  expect(rig.lookup("k")).toBeUndefined();
  expect(await rig.get("k")).toHaveLength(100_000);
});
