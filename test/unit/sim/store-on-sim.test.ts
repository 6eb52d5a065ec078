/** The store suites on the simulated disk, and the store's own limits, which are the same whatever the disk. */
import { expect, test } from "vitest";
import { storeBusy } from "../../../src/storage/store.ts";
import { objectBufferConformance } from "../../conformance/object-buffer.ts";
import { storeConformance } from "../../conformance/store.ts";
import { SimHost } from "../../support/engine-host.ts";
import { fullKeyFor, hashOf, StoreRig } from "../../support/store-rig.ts";

storeConformance(() => new SimHost(), 100);
objectBufferConformance(() => new SimHost());

test("past 65,536 scans that are not answered yet, more are refused", async () => {
  const host = new SimHost();
  const rig = await StoreRig.open(host);
  await rig.hintNow("k", 7, "kept", 100);
  const asked = 66_000;
  const { high, low } = hashOf("k");
  for (let i = 0; i < asked; i += 1) rig.store.readHints(host.now(), fullKeyFor("k"), high, low, i);
  await rig.until(() => rig.hints.size === asked);
  const answers = [...rig.hints.values()];
  const refused = answers.filter(({ error }) => error !== null);
  expect(refused.every(({ error, hints }) => error === storeBusy && hints.length === 0)).toBe(true);
  expect(refused).toHaveLength(asked - 65_536);
  expect(answers.filter(({ hints }) => hints.length === 1)).toHaveLength(65_536);
  await rig.close();
});

test("past its places for reads, more are refused: a refusal is an error, and no miss", async () => {
  const rig = await StoreRig.open(new SimHost(), { readsMax: 4 });
  const tokens = Array.from({ length: 6 }, (_, i) => rig.ask(`k${i}`));
  await rig.until(() => rig.reads.size === tokens.length);
  expect(tokens.map((token) => rig.reads.get(token)?.error)).toEqual([null, null, null, null, storeBusy, storeBusy]);
  expect(await rig.readEngine("k5")).toBe(null);
  await rig.close();
});
