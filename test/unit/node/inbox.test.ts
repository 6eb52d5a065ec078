/** The line of client requests: bounded by time, clients take turns, the newest first and reads shed first under overload. */
import { afterEach, describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { Asker } from "../../../src/node/asker.ts";
import { Inbox, type InboxEffects, intervalUs, perTurnLeast, targetUs } from "../../../src/node/inbox.ts";
import type { Session } from "../../../src/node/session.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";

afterEach(() => enableCanaries([]));

/** A client with one connection; only what an inbox looks at. */
function client(name: string): Session {
  return { asker: new Asker(""), waiting: 0, closed: false, label: name } as unknown as Session;
}

const turnUs = 2_000;
/** Ten times what a turn begins at the least. */
const flooded = 10 * perTurnLeast;
const body = new Uint8Array([1, 2, 3]);

/** A node whose turns begin a fixed number of requests, since each turn counts as longer than it should be. */
class Rig implements InboxEffects {
  readonly inbox = new Inbox(this);
  now: Instant = instant(1_000_000);
  room = true;
  inFlight = 0;
  readonly begun_: {
    readonly who: string;
    readonly frameId: number;
    readonly type: number;
    readonly waited: number;
  }[] = [];
  readonly refused: { readonly who: string; readonly frameId: number; readonly type: number }[] = [];
  cost = 1;

  hasRoom(): boolean {
    return this.room;
  }

  begin(now: Instant, arrivedAt: Instant, session: Session, { type, frameId }: Frame): number {
    this.begun_.push({ who: session.label, frameId, type, waited: now - arrivedAt });
    return this.cost;
  }

  begun(): void {}

  refuse(session: Session, { type, frameId }: Frame): void {
    this.refused.push({ who: session.label, frameId, type });
  }

  /** The least that a turn begins: what is left after many long ones. */
  slow(): this {
    for (let i = 0; i < 32; i += 1) this.inbox.endTurn(this.now, 50_000);
    return this;
  }

  ask(from: Session, count: number, type: number = FrameType.GET, firstId = 0): void {
    for (let i = 0; i < count; i += 1) {
      this.inbox.onRequest(this.now, from, new Frame(type, 0, firstId + i, body));
    }
  }

  turn(tookUs = 50_000): boolean {
    this.now = instant(this.now + turnUs);
    return this.inbox.endTurn(this.now, tookUs);
  }
}

/** Twice as much as can be begun, for so long. */
function overload(rig: Rig, from: Session, turns: number): void {
  for (let i = 0; i < turns; i += 1) {
    rig.ask(from, perTurnLeast, FrameType.GET, 10_000 + 2 * perTurnLeast * i);
    rig.ask(from, perTurnLeast, FrameType.PUT, 10_000 + 2 * perTurnLeast * i + perTurnLeast);
    rig.turn();
  }
}

describe("no overload", () => {
  test("what a turn is good for is begun as it comes, without a copy or a wait", () => {
    const rig = new Rig();
    rig.ask(client("a"), 64);
    expect(rig.begun_).toHaveLength(64);
    expect(rig.inbox.waiting).toBe(0);
    expect(rig.turn()).toBe(false);
  });

  test("a burst stands in line, in its order, and none of it is refused while it lasts no longer than an interval", () => {
    const rig = new Rig().slow();
    rig.ask(client("a"), 100);
    expect(rig.inbox.waiting).toBeGreaterThan(0);
    while (rig.inbox.waiting > 0) rig.turn();
    expect(rig.begun_.map(({ frameId }) => frameId)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(rig.refused).toEqual([]);
  });

  test("short turns begin more and more, long ones fewer", () => {
    const rig = new Rig().slow();
    rig.ask(client("a"), 3_000);
    const before = rig.begun_.length;
    rig.turn();
    const few = rig.begun_.length - before;
    for (let i = 0; i < 20; i += 1) rig.turn(100);
    const then = rig.begun_.length;
    rig.turn(100);
    expect(few).toBe(perTurnLeast);
    expect(rig.begun_.length - then).toBe(64);
  });

  test("where no more may be worked on the line waits, and goes on when it may", () => {
    const rig = new Rig();
    rig.room = false;
    rig.ask(client("a"), 3);
    expect(rig.turn()).toBe(false);
    expect(rig.begun_).toEqual([]);
    expect(rig.inbox.nextTick(rig.now)).toBeLessThanOrEqual(rig.now + targetUs);
    rig.room = true;
    rig.turn();
    expect(rig.begun_).toHaveLength(3);
  });

  test("what came over a connection that has closed is forgotten", () => {
    const rig = new Rig();
    const gone = client("a");
    rig.room = false;
    rig.ask(gone, 3);
    (gone as { closed: boolean }).closed = true;
    rig.room = true;
    rig.turn();
    expect(rig.begun_).toEqual([]);
    expect(rig.inbox.waiting).toBe(0);
  });
});

describe("overload", () => {
  test("nothing waits longer than an interval, however much comes, and the line stays short", () => {
    const rig = new Rig().slow();
    const flood = client("a");
    for (let i = 0; i < 400; i += 1) {
      rig.ask(flood, flooded);
      rig.turn();
      expect(rig.inbox.longestWait(rig.now)).toBeLessThanOrEqual(intervalUs);
    }
    expect(rig.inbox.overloaded).toBe(true);
    expect(rig.inbox.waiting).toBeLessThan(flooded * 8);
    expect(Math.max(...rig.begun_.map(({ waited }) => waited))).toBeLessThanOrEqual(intervalUs);
    const lately = rig.begun_.slice(-100);
    expect(Math.max(...lately.map(({ waited }) => waited))).toBeLessThanOrEqual(2 * targetUs);
  });

  test("a line that never ends is what the planted bug makes of it", () => {
    enableCanaries(["line-without-end"]);
    const rig = new Rig().slow();
    for (let i = 0; i < 200; i += 1) {
      rig.ask(client("a"), flooded);
      rig.turn();
    }
    expect(rig.inbox.longestWait(rig.now)).toBeGreaterThan(2 * intervalUs);
  });

  test("every turn begins as much as it can: refusing takes nothing from goodput", () => {
    const rig = new Rig().slow();
    overload(rig, client("a"), 100);
    const before = rig.begun_.length;
    overload(rig, client("a"), 100);
    expect(rig.begun_.length - before).toBe(perTurnLeast * 100);
  });

  test("reads are refused before writes, and are not starved", () => {
    const rig = new Rig().slow();
    overload(rig, client("a"), 400);
    rig.refused.length = 0;
    rig.begun_.length = 0;
    overload(rig, client("a"), 100);
    const reads = (rows: readonly { readonly type: number }[]): number =>
      rows.filter(({ type }) => type === FrameType.GET).length;
    expect(reads(rig.begun_)).toBeGreaterThanOrEqual(perTurnLeast * 22);
    expect(reads(rig.begun_)).toBeLessThanOrEqual(perTurnLeast * 28);
    expect(reads(rig.refused)).toBeGreaterThan(2 * (rig.refused.length - reads(rig.refused)));
  });

  test("the newest goes first", () => {
    const rig = new Rig().slow();
    const flood = client("a");
    for (let i = 0; i < 100; i += 1) {
      rig.ask(flood, flooded, FrameType.GET, flooded * i);
      rig.turn();
    }
    rig.begun_.length = 0;
    rig.ask(flood, flooded, FrameType.GET, 100_000);
    rig.turn();
    const newest = Array.from({ length: perTurnLeast }, (_, i) => 100_000 + flooded - 1 - i);
    expect(rig.begun_.map(({ frameId }) => frameId)).toEqual(newest);
  });

  test("fewer are under way at once while turns are long, and more again while they are short", () => {
    const rig = new Rig().slow();
    rig.inFlight = 100;
    overload(rig, client("a"), 200);
    rig.begun_.length = 0;
    overload(rig, client("a"), 10);
    expect(rig.begun_).toEqual([]);
    rig.inFlight = 31;
    overload(rig, client("a"), 10);
    expect(rig.begun_.length).toBeGreaterThan(0);
    rig.inFlight = 60;
    for (let i = 0; i < 60; i += 1) {
      rig.ask(client("b"), 2 * perTurnLeast);
      rig.turn(100);
    }
    rig.begun_.length = 0;
    rig.ask(client("b"), 8);
    rig.turn(100);
    expect(rig.begun_.length).toBeGreaterThan(0);
  });

  test("it is over when the line has been short for an interval", () => {
    const rig = new Rig().slow();
    overload(rig, client("a"), 200);
    expect(rig.inbox.overloaded).toBe(true);
    while (rig.inbox.waiting > 0) rig.turn();
    rig.turn();
    expect(rig.inbox.overloaded).toBe(true);
    for (let i = 0; i < 60; i += 1) rig.turn();
    expect(rig.inbox.overloaded).toBe(false);
  });

  test("a long silence, or one long turn after it, is none", () => {
    const rig = new Rig().slow();
    rig.turn();
    rig.now = instant(rig.now + 60_000_000);
    rig.ask(client("a"), 100);
    rig.now = instant(rig.now + 50_000);
    rig.inbox.endTurn(rig.now, 50_000);
    expect(rig.inbox.overloaded).toBe(false);
    expect(rig.refused).toEqual([]);
  });
});

describe("clients take turns", () => {
  /** A client that floods, and one that asks for little. */
  function beside(): { readonly modest: number; readonly refused: number } {
    const rig = new Rig().slow();
    const flood = client("flood");
    const modest = client("modest");
    for (let i = 0; i < 300; i += 1) {
      rig.ask(flood, flooded);
      rig.ask(modest, 1);
      rig.turn();
    }
    const count = (rows: readonly { readonly who: string }[]): number =>
      rows.filter(({ who }) => who === "modest").length;
    return { modest: count(rig.begun_), refused: count(rig.refused) };
  }

  test("one that floods the node makes its own requests wait, not those of the others", () => {
    const { modest, refused } = beside();
    expect(modest).toBeGreaterThanOrEqual(299);
    expect(refused).toBe(0);
  });

  test("without turns it would be refused with the others", () => {
    enableCanaries(["no-turns-among-clients"]);
    expect(beside().refused).toBeGreaterThan(100);
  });
});

test("the line is bounded in requests: what comes to a full one is refused at once", () => {
  const rig = new Rig();
  rig.room = false;
  rig.ask(client("a"), 10_000);
  expect(rig.inbox.waiting).toBe(8_192);
  expect(rig.refused).toHaveLength(10_000 - 8_192);
});

test("and in bytes", () => {
  const rig = new Rig();
  const from = client("a");
  rig.room = false;
  const mebibyte = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 40; i += 1) {
    rig.inbox.onRequest(rig.now, from, new Frame(FrameType.PUT, 0, i, mebibyte));
  }
  expect(rig.inbox.waitingBytes).toBe(32 * mebibyte.length);
  expect(rig.refused).toHaveLength(8);
});
