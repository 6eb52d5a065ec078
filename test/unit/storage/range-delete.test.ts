/** Dropping a partition of which a record is damaged. What both engines must do alike is in test/conformance/store.ts. */
import { expect, test } from "vitest";
import { SimHost } from "../../support/engine-host.ts";
import { partitionFor, StoreRig } from "../../support/store-rig.ts";

test("a damaged record goes with the others; its share of a leaf stays, and nothing else does", async () => {
  const host = new SimHost();
  const first = await StoreRig.open(host);
  const partition = partitionFor("k0");
  const names = Array.from({ length: 400 }, (_, i) => `k${i}`).filter((name) => partitionFor(name) === partition);
  for (const name of names) await first.putNow(name, "v");
  await first.close();
  host.drive.kill();
  host.drive.disk.flipBit(String.fromCharCode(0x10), String.fromCharCode(0x11));
  const rig = await StoreRig.open(host);
  expect(rig.leaves().size).toBeGreaterThan(1);
  expect(await rig.deletePage(partition, null)).toEqual({ deleted: names.length, unreadable: 1, cursor: null });
  expect(await rig.deletePage(partition, null)).toEqual({ deleted: 0, unreadable: 0, cursor: null });
  expect(rig.leaves().size).toBe(1);
  await rig.close();
});
