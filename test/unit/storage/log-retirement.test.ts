/** When log segments go: after a sync of the engine that began when write-back had nothing of them left. */
import { beforeEach, expect, test } from "vitest";
import { SyncMode } from "../../../src/storage/store.ts";
import { SimHost } from "../../support/engine-host.ts";
import { partitionFor, StoreRig } from "../../support/store-rig.ts";

let host: SimHost;
let rig: StoreRig;

beforeEach(async () => {
  host = new SimHost();
  rig = await StoreRig.open(host, { logged: true, logSegmentBytes: 1_000 });
});

test("a segment stays as long as the engine has not synced what is in it", async () => {
  const { disk } = host.drive;
  for (let i = 0; i < 40; i += 1) await rig.putNow(`k${i}`, "x".repeat(300));
  expect(host.segments().length).toBeGreaterThan(10);
  disk.faults.slowness = 100;
  await rig.until(() => rig.store.dirtyBytes === 0);
  expect(host.segments()[0]).toBe(1);
  disk.faults.slowness = 1;
  await rig.until(() => host.segments().length === 1);
});

test("a deletion waits until the log has nothing of its partition, and for no other's sake", async () => {
  rig = await StoreRig.open(host, { logged: true, logSegmentBytes: 1_000_000 });
  const all = Array.from({ length: 40 }, (_, i) => `k${i}`);
  for (const key of all) await rig.putNow(key, "v");
  const [first, second] = [...new Set(all.map((key) => partitionFor(key)))] as [number, number];
  const began = host.segments().at(-1) as number;
  expect((await rig.deletePage(first, null)).deleted).toBeGreaterThan(0);
  const cut = host.segments().at(-1) as number;
  expect(cut).toBe(began + 1);
  // The cut that the first partition needed has served the second one as well.
  expect((await rig.deletePage(second, null)).deleted).toBeGreaterThan(0);
  expect(host.segments().at(-1)).toBe(cut);
  await rig.putNow(all.find((key) => partitionFor(key) === second) as string, "again");
  expect((await rig.deletePage(second, null)).deleted).toBe(1);
  expect(host.segments().at(-1)).toBe(cut + 1);
  // What a crash leaves in the log brings nothing back.
  host.drive.kill();
  const next = await StoreRig.open(host, { logged: true });
  for (const key of all) {
    const stays = ![first, second].includes(partitionFor(key));
    expect(await next.readEngine(key), key).toBe(stays ? "v" : null);
  }
});

test("a power cut at any instant of it loses nothing that was synced", async () => {
  for (let step = 1; step <= 30; step += 1) {
    host = new SimHost(step);
    rig = await StoreRig.open(host, { logged: true, logSegmentBytes: 1_000 });
    for (let i = 0; i < 12; i += 1) await rig.putNow(`k${i}`, "x".repeat(300));
    const last = await rig.putNow("last", "v", SyncMode.now);
    await rig.until(() => rig.synced(last));
    const end = host.now() + 1_000_000 + step * 300;
    await rig.until(() => host.now() >= end);
    host.drive.powerCut();
    const next = await StoreRig.open(host, { logged: true });
    for (let i = 0; i < 12; i += 1) expect(await next.readEngine(`k${i}`), `k${i}, step ${step}`).toHaveLength(300);
  }
});
