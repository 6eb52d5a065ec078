/** What a start makes of a log that was written by hand: any relation to the engine, torn, damaged, with holes. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { syncMarkerKey } from "../../../src/storage/keys.ts";
import { SyncMode } from "../../../src/storage/store.ts";
import { StoreWrite } from "../../../src/storage/store-write.ts";
import { logEnd, logEntryBytes, putLogEntry } from "../../../src/storage/write-ahead-log.ts";
import { openRecord as openSealed } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import { SimHost } from "../../support/engine-host.ts";
import { FailingLog } from "../../support/failing-log.ts";
import { leavesOf, StoreRig } from "../../support/store-rig.ts";

let host: SimHost;
/** Makes writes, and remembers sets; its store has no log. */
let maker: StoreRig;

beforeEach(async () => {
  host = new SimHost();
  maker = await StoreRig.open(host);
});

afterEach(() => enableCanaries([]));

function bytesOf(writes: readonly StoreWrite[]): Uint8Array {
  const bytes = new Uint8Array(writes.reduce((sum, { fullKey, sealed }) => sum + logEntryBytes(fullKey, sealed), 0));
  let at = 0;
  for (const write of writes) at = putLogEntry(bytes, at, write);
  return bytes;
}

function segment(number: number, bytes: Uint8Array): void {
  const added = host.drive.disk.addSegment(number);
  added.append(bytes);
  added.synced = bytes.length;
}

/** The next life, with a log. */
async function start(): Promise<StoreRig> {
  if (!maker.closed) await maker.close();
  return StoreRig.open(host, { logged: true });
}

async function give(write: StoreWrite): Promise<void> {
  maker.give(write);
  await maker.until(() => maker.written(write.token));
}

test("a record that the engine lacks, and one that it has as it was earlier, are brought to it", async () => {
  await maker.putNow("earlier", "1");
  const writes = [maker.makeWrite("new", "1"), maker.makeWrite("earlier", "2")];
  segment(1, bytesOf(writes));
  const rig = await start();
  expect([await rig.readEngine("new"), await rig.readEngine("earlier")]).toEqual(["1", "2"]);
  expect(rig.leaves()).toEqual(leavesOf(maker.sets));
  expect(rig.report).toMatchObject({ hole: false, batchNumber: 2 });
  expect(host.segments()).toEqual([2]);
});

test("what the engine has as it is, or as it was later, stays: no batch is written", async () => {
  const first = maker.makeWrite("later", "1");
  await give(first);
  await maker.putNow("later", "2");
  const same = maker.makeWrite("same", "1");
  await give(same);
  const batchNumber = maker.store.batchNumber;
  segment(1, bytesOf([first, same]));
  const rig = await start();
  expect([await rig.readEngine("later"), await rig.readEngine("same")]).toEqual(["2", "1"]);
  expect(rig.report).toMatchObject({ hole: false, batchNumber });
  expect(rig.leaves()).toEqual(leavesOf(maker.sets));
});

test("a replay that took the log's word for everything would bring back what was overwritten", async () => {
  const first = maker.makeWrite("later", "1");
  await give(first);
  await maker.putNow("later", "2");
  segment(1, bytesOf([first]));
  enableCanaries(["replay-overwrites"]);
  const rig = await start();
  expect(await rig.readEngine("later")).toBe("1");
});

test("states that do not cover each other are merged, whichever lies where", async () => {
  for (const loggedFirst of [false, true]) {
    host = new SimHost(loggedFirst ? 2 : 1);
    maker = await StoreRig.open(host);
    const one = maker.writeOf("k", SiblingSet.empty, setBy(1), SyncMode.none, false);
    const other = maker.writeOf("k", SiblingSet.empty, setBy(2), SyncMode.none, false);
    await give(loggedFirst ? other : one);
    segment(1, bytesOf([loggedFirst ? one : other]));
    const rig = await start();
    const token = rig.ask("k");
    await rig.until(() => rig.reads.has(token));
    const both = setBy(1).merge(setBy(2));
    expect(both.siblings).toHaveLength(2);
    expect(openSealed(rig.reads.get(token)?.sealed as Uint8Array).sameCausally(both)).toBe(true);
    expect(rig.leaves()).toEqual(leavesOf([["k", both]]));
  }
});

test("of many entries of a key the last counts, within a segment and across segments, over many pages", async () => {
  const names = Array.from({ length: 700 }, (_, i) => `k${i}`);
  const round = (value: string): Uint8Array => bytesOf(names.map((name) => maker.makeWrite(name, value)));
  segment(1, new Uint8Array([...round("1"), ...round("2"), ...logEnd()]));
  segment(2, round("3"));
  const rig = await start();
  for (const name of names.slice(0, 20)) expect(await rig.readEngine(name)).toBe("3");
  expect(rig.leaves()).toEqual(leavesOf(maker.sets));
  expect(rig.report?.hole).toBe(false);
  expect(host.segments()).toEqual([3]);
});

test("large records are replayed a few at a time", async () => {
  const writes = Array.from({ length: 12 }, (_, i) => maker.makeWrite(`k${i}`, "x".repeat(400_000)));
  segment(1, bytesOf(writes));
  const rig = await start();
  expect(rig.report?.batchNumber).toBe(4);
  expect(await rig.readEngine("k11")).toHaveLength(400_000);
});

test("the newest segment may be torn at any byte: what is whole is replayed, and it is no hole", async () => {
  const whole = bytesOf([maker.makeWrite("a", "1"), maker.makeWrite("b", "1")]);
  const last = bytesOf([maker.makeWrite("c", "1")]);
  for (let length = 0; length < last.length; length += 7) {
    host = new SimHost();
    maker = await StoreRig.open(host);
    segment(1, new Uint8Array([...whole, ...last.subarray(0, length)]));
    const rig = await start();
    expect(rig.report?.hole).toBe(false);
    expect([await rig.readEngine("a"), await rig.readEngine("b"), await rig.readEngine("c")]).toEqual(["1", "1", null]);
  }
});

test("an older segment that ends early is a hole, and so is one that is missing; the rest is replayed", async () => {
  const first = bytesOf([maker.makeWrite("a", "1"), maker.makeWrite("b", "1")]);
  segment(1, first.subarray(0, first.length - 1));
  segment(2, bytesOf([maker.makeWrite("c", "1")]));
  let rig = await start();
  expect(rig.report?.hole).toBe(true);
  expect([await rig.readEngine("a"), await rig.readEngine("b"), await rig.readEngine("c")]).toEqual(["1", null, "1"]);
  await rig.close();
  segment(5, bytesOf([maker.makeWrite("d", "1")]));
  segment(7, bytesOf([maker.makeWrite("e", "1")]));
  rig = await start();
  expect(rig.report?.hole).toBe(true);
  expect([await rig.readEngine("d"), await rig.readEngine("e")]).toEqual(["1", "1"]);
  await rig.close();
  expect((await start()).report?.hole).toBe(false);
});

test("an engine that does not say which segment it needs, being of an earlier version, is not held against any", async () => {
  await maker.close();
  host.drive.kill();
  const engine = await host.open();
  const batch = engine.batch();
  batch.del(syncMarkerKey());
  let written = false;
  const onWritten = (): void => {
    written = true;
  };
  engine.attach({ onGot() {}, onWritten, onSynced() {}, onScanned() {}, onClosed() {} });
  engine.write(batch, 1);
  await host.until(() => written);
  host.drive.kill();
  segment(4, bytesOf([maker.makeWrite("a", "1")]));
  segment(5, bytesOf([maker.makeWrite("b", "1")]));
  const rig = await start();
  expect(rig.report?.hole).toBe(false);
  expect([await rig.readEngine("a"), await rig.readEngine("b")]).toEqual(["1", "1"]);
  expect(host.segments()).toEqual([6]);
});

test("a damaged record is a hole, and does not hide an earlier one of its key", async () => {
  const good = maker.makeWrite("k", "1");
  const bad = maker.makeWrite("k", "2");
  bad.sealed = bad.sealed.slice();
  bad.sealed[bad.sealed.length - 1] = (bad.sealed.at(-1) as number) ^ 1;
  segment(1, bytesOf([good, bad, maker.makeWrite("other", "1")]));
  const rig = await start();
  expect(rig.report?.hole).toBe(true);
  expect([await rig.readEngine("k"), await rig.readEngine("other")]).toEqual(["1", "1"]);
});

test("a record that the engine cannot read gives way to what the log has of it, and is a hole", async () => {
  await maker.putNow("k", "1");
  await maker.close();
  host.drive.kill();
  host.drive.disk.flipBit(String.fromCharCode(0x10), String.fromCharCode(0x11));
  segment(1, bytesOf([maker.makeWrite("k", "2")]));
  const rig = await start();
  expect(rig.report?.hole).toBe(true);
  expect(await rig.readEngine("k")).toBe("2");
});

test("a log beside an engine that is new is kept, and more is missing", async () => {
  const write = maker.makeWrite("k", "1");
  host = new SimHost(9);
  segment(3, bytesOf([write]));
  const rig = await StoreRig.open(host, { logged: true });
  expect(rig.report).toMatchObject({ created: true, hole: true });
  expect(await rig.readEngine("k")).toBe("1");
  expect(rig.leaves()).toEqual(leavesOf(maker.sets));
  await rig.close();
});

test("a replay that is cut off is done again", async () => {
  const names = Array.from({ length: 600 }, (_, i) => `k${i}`);
  segment(1, bytesOf(names.map((name) => maker.makeWrite(name, "v"))));
  await maker.close();
  for (let cut = 1; cut <= 12; cut += 1) {
    const rig = await StoreRig.begin(host, { logged: true });
    const end = host.now() + cut * 150;
    await rig.until(() => host.now() >= end || rig.report !== undefined);
    if (cut % 2 === 0) host.drive.kill();
    else host.drive.powerCut();
  }
  const rig = await StoreRig.open(host, { logged: true });
  expect(rig.report?.hole).toBe(false);
  for (const name of names) expect(await rig.readEngine(name)).toBe("v");
  expect(rig.leaves()).toEqual(leavesOf(maker.sets));
});

test("a log that cannot be read, and an engine that fails meanwhile, keep the store from starting", async () => {
  segment(1, bytesOf([maker.makeWrite("k", "1")]));
  await maker.close();
  await expect(
    StoreRig.open(host, {
      logged: true,
      wrapLog: (log) => {
        const failing = new FailingLog(log);
        failing.unreadable = true;
        return failing;
      },
    }),
  ).rejects.toThrow("cannot read the log: input/output error");
  for (const fault of ["readErrors", "writeErrors", "syncErrors"] as const) {
    const rig = await StoreRig.begin(host, { logged: true });
    rig.store.tick(host.now());
    host.drive.disk.faults[fault] = 1000;
    await rig.until(() => rig.failure !== undefined);
    host.drive.disk.faults[fault] = 0;
    host.drive.kill();
  }
  const rig = await StoreRig.open(host, { logged: true });
  expect(await rig.readEngine("k")).toBe("1");
  expect(rig.report?.hole).toBe(false);
  await rig.putNow("k2", "v", SyncMode.now);
});

/** One sibling, put through an actor of this number. */
function setBy(actor: number): SiblingSet {
  return SiblingSet.empty.put({
    context: VersionVector.empty,
    dot: { actorHigh: 0x10000, actorLow: actor, counter: 1 },
    requestId: new Uint8Array(16).fill(actor),
    value: new Uint8Array([actor]),
    tombstone: false,
    second: 1,
    keepRecentFor: 0,
  });
}

/** The entry that the log has of a record that was forgotten. */
function forgottenOf(write: StoreWrite): StoreWrite {
  const gone = Object.assign(new StoreWrite(), write);
  gone.forgotten = true;
  return gone;
}

test("a record that was forgotten goes, one that was written afterwards stays, as it is in the engine or in the log", async () => {
  const old = ["gone", "again", "later"].map((name) => maker.makeWrite(name, "old"));
  const [gone, again, later] = old as [StoreWrite, StoreWrite, StoreWrite];
  await give(gone);
  await give(again);
  for (const name of ["gone", "again", "later"]) maker.sets.delete(name);
  const anew = maker.makeWrite("again", "new");
  await maker.putNow("later", "new");
  segment(1, bytesOf([forgottenOf(gone), forgottenOf(again), anew, forgottenOf(later)]));
  const rig = await start();
  expect(await rig.readEngine("gone")).toBeNull();
  expect([await rig.readEngine("again"), await rig.readEngine("later")]).toEqual(["new", "new"]);
  expect(rig.report?.hole).toBe(false);
});
