/** Mender: who is asked for a damaged record, when it is written anew, and when it stays as it is. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { utf8, utf8Text } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { fullKeyOf, keyOf } from "../../../src/base/full-key.ts";
import type { NodeNumber } from "../../../src/base/ids.ts";
import { type DurationUs, type Instant, instant, never } from "../../../src/base/time.ts";
import { type MendEffects, Mender } from "../../../src/repair/mender.ts";
import { openRecord } from "../../../src/version/record.ts";
import { recordNamed } from "../../support/replica-story.ts";

const keyNamed = (name: string): Uint8Array => fullKeyOf(utf8("b"), utf8(name));
const nameOf = (fullKey: Uint8Array): string => utf8Text(keyOf(fullKey));
const ofHint = (target: number): string => (target === 0 ? "" : ` for node ${target}`);
const secondUs: DurationUs = 1_000_000;

/** Tells what it is asked, and remembers the ids. */
class World implements MendEffects {
  readonly lines: string[] = [];
  readonly mender: Mender = new Mender(this);
  others: number[] | null = [2, 3];
  now: Instant = instant(secondUs);
  /** Of the attempt asked for last. */
  id = 0;

  #say(id: number, line: string): void {
    this.id = id;
    this.lines.push(line);
  }

  readRecord(_now: Instant, id: number, fullKey: Uint8Array, target: number): void {
    this.#say(id, `read ${nameOf(fullKey)}${ofHint(target)}`);
  }

  othersOf(): readonly NodeNumber[] | null {
    return this.others as NodeNumber[] | null;
  }

  fetch(_now: Instant, id: number, peer: NodeNumber, fullKey: Uint8Array): void {
    this.#say(id, `ask node ${peer} for ${nameOf(fullKey)}`);
  }

  overwrite(_now: Instant, id: number, fullKey: Uint8Array, target: number, sealed: Uint8Array | null): void {
    const values = sealed === null ? ["nothing"] : openRecord(sealed).siblings.map(({ value }) => utf8Text(value));
    this.#say(id, `write ${nameOf(fullKey)}${ofHint(target)}: ${values.join(" ")}`);
  }

  mended(_now: Instant, fullKey: Uint8Array, target: number, lost: boolean): void {
    this.lines.push(`${nameOf(fullKey)}${ofHint(target)} is ${lost ? "lost" : "mended"}`);
  }

  stays(_now: Instant, fullKey: Uint8Array, why: string): void {
    this.lines.push(`${nameOf(fullKey)} stays: ${why}`);
  }

  /** What was said since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }

  pass(duration: DurationUs): void {
    this.now = instant(this.now + duration);
    this.mender.tick(this.now);
  }

  /** Finds the key damaged, and that the own record cannot be read. */
  begin(name: string, target: number = 0): void {
    expect(this.mender.found(this.now, keyNamed(name), target)).toBe(true);
    expect(this.mender.nextTick()).toBe(this.now);
    this.mender.tick(this.now);
    this.mender.onRecord(this.now, this.id, null, "damaged");
  }
}

let world: World;
let mender: Mender;

beforeEach(() => {
  world = new World();
  mender = world.mender;
});

afterEach(() => enableCanaries([]));

test("planted: damage that nobody takes notice of stays, and one owner's word is taken for all", () => {
  enableCanaries(["skip-mending"]);
  expect(mender.found(world.now, keyNamed("k"), 0)).toBe(false);
  enableCanaries(["mend-from-first"]);
  world.begin("k");
  mender.onFetched(world.now, world.id, recordNamed("B1"), null);
  expect(world.take().at(-1)).toBe("write k: b1");
});

test("what all other owners hold together is written anew", () => {
  world.begin("k");
  expect(mender.found(world.now, keyNamed("k"), 0)).toBe(false);
  mender.onFetched(world.now, world.id, recordNamed("B1"), null);
  expect(world.take()).toEqual(["read k", "ask node 2 for k", "ask node 3 for k"]);
  mender.onFetched(world.now, world.id, recordNamed("C1"), null);
  expect(world.take()).toEqual(["write k: b1 c1"]);
  mender.onWritten(world.now, world.id, null);
  expect(world.take()).toEqual(["k is mended"]);
  expect(mender.size).toBe(0);
  expect(mender.counters).toEqual({ found: 1, mended: 1, lost: 0, failed: 0, leftOut: 0 });
});

test("one owner that has it is enough, if every other says that it has nothing", () => {
  world.begin("k");
  mender.onFetched(world.now, world.id, null, null);
  mender.onFetched(world.now, world.id, recordNamed("C1"), null);
  expect(world.take().at(-1)).toBe("write k: c1");
});

test("an owner that cannot say what it holds leaves the record as it is, told once, and tried ever more seldom", () => {
  world.begin("k");
  mender.onFetched(world.now, world.id, recordNamed("B1"), null);
  mender.onFetched(world.now, world.id, null, "it is down");
  expect(world.take().at(-1)).toBe("k stays: it is down");
  const waits: number[] = [];
  for (let i = 0; i < 9; i += 1) {
    mender.tick(world.now);
    waits.push((mender.nextTick() - world.now) / secondUs);
    world.pass(mender.nextTick() - world.now);
    mender.onRecord(world.now, world.id, null, "damaged");
    mender.onFetched(world.now, world.id, null, "it is down");
    if (mender.starved) mender.grant(world.now, 8);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(world.take().filter((line) => line.includes("stays"))).toEqual([]);
  mender.onPeerUp(world.now);
  expect(mender.nextTick()).toBe(world.now);
});

test("nobody has it: it stays", () => {
  world.begin("k");
  for (let i = 0; i < 2; i += 1) mender.onFetched(world.now, world.id, null, null);
  expect(world.take().at(-1)).toBe("k stays: no other owner has it");
  world.others = [];
  world.begin("j");
  expect(world.take().at(-1)).toBe("j stays: there is no other owner");
  expect(mender.size).toBe(2);
});

test("a damaged hint gives way to what the owners hold, and to nothing where they hold nothing: that is told", () => {
  world.begin("k", 5);
  expect(mender.found(world.now, keyNamed("k"), 6)).toBe(true);
  mender.onFetched(world.now, world.id, null, null);
  mender.onFetched(world.now, world.id, recordNamed("C1"), null);
  expect(world.take()).toEqual(["read k for node 5", "ask node 2 for k", "ask node 3 for k", "write k for node 5: c1"]);
  mender.onWritten(world.now, world.id, null);
  mender.tick(world.now);
  mender.onRecord(world.now, world.id, null, "damaged");
  for (let i = 0; i < 2; i += 1) mender.onFetched(world.now, world.id, null, null);
  expect(world.take().slice(-1)).toEqual(["write k for node 6: nothing"]);
  mender.onWritten(world.now, world.id, null);
  expect(world.take()).toEqual(["k for node 6 is lost"]);
  expect(mender.counters).toMatchObject({ found: 2, mended: 2, lost: 1 });
  world.begin("j", 5);
  mender.onRecord(world.now, world.id, recordNamed("B1"), null);
  expect(mender.size).toBe(0);
});

test("a damaged hint for the only owner: there is nobody to ask", () => {
  world.others = [];
  world.begin("k", 5);
  expect(world.take().at(-1)).toBe("write k for node 5: nothing");
});

test("bytes that are no record are no answer", () => {
  world.begin("k");
  const bad = recordNamed("B1").slice();
  bad[bad.length - 1] = (bad.at(-1) as number) ^ 1;
  mender.onFetched(world.now, world.id, bad, null);
  expect(world.take().at(-1)).toBe("k stays: another owner sent what is no record");
});

test("an attempt without an answer ends, and a late answer finds nothing", () => {
  world.begin("k");
  const { id } = world;
  expect(mender.nextTick()).toBe(world.now + 10 * secondUs);
  world.pass(10 * secondUs);
  expect(world.take().at(-1)).toBe("k stays: no answer in time");
  mender.onFetched(world.now, id, recordNamed("B1"), null);
  mender.onWritten(world.now, id, null);
  expect(world.take()).toEqual([]);
  expect(mender.size).toBe(1);
});

test("what the object buffer still has is brought to the disk again; what is gone is no damage any more", () => {
  mender.found(world.now, keyNamed("k"), 0);
  mender.tick(world.now);
  mender.onRecord(world.now, world.id, recordNamed("A1"), null);
  expect(world.take()).toEqual(["read k", "write k: a1"]);
  mender.onWritten(world.now, world.id, "the disk is slow");
  expect(world.take()).toEqual(["k stays: the disk is slow"]);
  world.pass(secondUs);
  mender.onRecord(world.now, world.id, null, null);
  expect(mender.size).toBe(0);
  world.others = null;
  world.begin("j");
  expect(mender.size).toBe(0);
});

test("a few at a time, each for a credit, and no more than are kept in mind", () => {
  for (let i = 0; i < 5_000; i += 1) mender.found(world.now, keyNamed(`k${i}`), 0);
  expect(mender.counters).toMatchObject({ found: 4096, leftOut: 904 });
  mender.tick(world.now);
  expect(world.take().length).toBe(8);
  expect(mender.starved).toBe(true);
  for (let id = 1; id <= 8; id += 1) mender.onRecord(world.now, id, null, null);
  mender.tick(world.now);
  expect([world.take(), mender.nextTick()]).toEqual([[], never]);
  mender.grant(world.now, 3);
  expect(world.take().length).toBe(3);
});
