/** Routing: who coordinates a put, and what the data path learns from what its slots answer. */
import { describe, expect, test } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { type ErrorCode, wireOf } from "../../../src/base/errors.ts";
import { nodeIdOf, nodeNumber, type PartitionId } from "../../../src/base/ids.ts";
import { silentLog } from "../../../src/base/log.ts";
import { instant } from "../../../src/base/time.ts";
import { GetOp } from "../../../src/coordinator/get.ts";
import { PutOp } from "../../../src/coordinator/put.ts";
import { type AskedQuorum, Quorum } from "../../../src/coordinator/quorum.ts";
import { ReadRule, WriteRule } from "../../../src/handoff/transfer.ts";
import type { Peers } from "../../../src/node/peers.ts";
import { Routing } from "../../../src/node/routing.ts";
import type { NodeState } from "../../../src/node/state.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { defaultPolicy, fieldsOf, membersOn } from "../ring/support.ts";

/** Six nodes on hosts of their own; the list of partition 0 is 1, 2, 3 and then 4, 5, 6. */
const ring = new Ring(fieldsOf(membersOn(6), [1, 2, 3, 4, 5, 6, 1, 2]));
const now = instant(1);

interface Setting {
  readonly readRule?: ReadRule;
  readonly writeRule?: WriteRule;
}

function routingOf(number: number, down: readonly number[], setting: Setting = {}): Routing {
  const shared = {
    ring,
    number: nodeNumber(number),
    env: { log: silentLog },
    nodeId: nodeIdOf(new Uint8Array(16).fill(number)),
    config: { bodyMaxBytes: 4096 },
    readRule: () => setting.readRule ?? ReadRule.serve,
    writeRule: () => setting.writeRule ?? WriteRule.accept,
  };
  const routing = new Routing(shared as unknown as NodeState, { of: () => undefined } as unknown as Peers);
  for (let peer = 1; peer <= 6; peer += 1) if (peer !== number) routing.health.watch(nodeNumber(peer));
  for (const peer of down) routing.health.refused(now, nodeNumber(peer));
  return routing;
}

function putBy(routing: Routing, asked: AskedQuorum = {}): PutOp<string> {
  const op = new PutOp("put", noBytes, new Quorum(defaultPolicy, asked));
  op.partition = 0 as PartitionId;
  routing.aim(op, "put");
  return op;
}

describe("a put is coordinated", () => {
  test("by an owner, whichever, however many of the others are down", () => {
    for (const down of [[], [2], [2, 3, 4, 5]]) {
      const routing = routingOf(1, down);
      const op = putBy(routing);
      expect([op.localSlot, routing.mayCoordinate(op, false)]).toEqual([0, true]);
    }
  });

  test("all well: with the ring's own list, and nothing else is made", () => {
    expect(putBy(routingOf(1, [])).targetNumbers).toBe(ring.preferenceList(0 as PartitionId, 3));
  });

  test("by nobody else while an owner can be reached, though it were among the targets", () => {
    const routing = routingOf(4, [1, 2]);
    const op = putBy(routing);
    expect([...op.targetNumbers.subarray(0, 3)]).toEqual([4, 5, 3]);
    expect(op.localSlot).toBe(0);
    expect(routing.mayCoordinate(op, false)).toBe(false);
    // Whoever passed it on has looked: from there no owner could be reached.
    expect(routing.mayCoordinate(op, true)).toBe(true);
    expect(routing.hintTarget(op, 0)).toBe(1);
  });

  test("by a fallback that reaches no owner; one further down the list takes the first one's place", () => {
    const first = routingOf(4, [1, 2, 3]);
    expect(first.mayCoordinate(putBy(first), false)).toBe(true);
    const last = routingOf(6, [1, 2, 3]);
    const op = putBy(last);
    // All three fallbacks stand in for the owners already, the last of them in the last slot.
    expect([op.localSlot, last.mayCoordinate(op, false)]).toEqual([2, true]);
    const narrow = putBy(last, { n: 1, w: 1, r: 1 });
    expect(narrow.localSlot).toBe(-1);
    expect(last.mayCoordinate(narrow, false)).toBe(true);
    expect([narrow.localSlot, narrow.targetNumbers[0], last.hintTarget(narrow, 0)]).toEqual([0, 6, 1]);
  });

  test("by owners alone, if owners alone count", () => {
    const routing = routingOf(4, [1, 2, 3]);
    for (const asked of [{ strict: true }, { pw: 1 }]) {
      expect(routing.mayCoordinate(putBy(routing, asked), false)).toBe(false);
    }
  });

  test("by an owner that is still receiving the partition only if there is no other", () => {
    const receiving = { readRule: ReadRule.notSynced };
    const one = routingOf(1, [2], receiving);
    expect(one.mayCoordinate(putBy(one), false)).toBe(false);
    expect(one.mayCoordinate(putBy(one), true)).toBe(true);
    const alone = routingOf(1, [2, 3], receiving);
    expect(alone.mayCoordinate(putBy(alone), false)).toBe(true);
    const notReady = routingOf(1, [2, 3], { writeRule: WriteRule.notReady });
    expect(notReady.mayCoordinate(putBy(notReady), true)).toBe(false);
  });
});

describe("what slots answer", () => {
  /** Tells of so many answers of slot 1 and returns what is thought of its node. */
  function stateAfter(code: ErrorCode, fallback: boolean): string {
    const routing = routingOf(1, []);
    const op = new GetOp("get", noBytes, new Quorum(defaultPolicy, {}));
    op.partition = 0 as PartitionId;
    routing.aim(op, "get");
    if (fallback) op.fallbacks = 0b010;
    for (let i = 0; i < 20; i += 1) {
      routing.health.sent(nodeNumber(2));
      routing.heard(now, op, 1, wireOf(code), -1);
    }
    expect(routing.health.inFlight(2)).toBe(code === "CONNECTION_LOST" ? 20 : 0);
    return routing.health.state(2);
  }

  test("errors of its own degrade a node, errors of the request do not", () => {
    expect(stateAfter("OVERLOADED", false)).toBe("degraded");
    expect(stateAfter("STORAGE_FAILED", true)).toBe("degraded");
    for (const code of ["WRONG_OWNER", "NOT_SYNCED", "CONNECTION_LOST"] as const)
      expect(stateAfter(code, false)).toBe("ok");
  });

  test("a fallback without room for hints is not ill", () => {
    expect(stateAfter("OVERLOADED", true)).toBe("ok");
  });

  test("what an op leaves behind unanswered is not under way for ever, but silence has been counted already", () => {
    const routing = routingOf(1, []);
    const op = putBy(routing);
    for (const number of [2, 3]) routing.health.sent(nodeNumber(number));
    op.awaiting = 0b111;
    op.silent = 0b100;
    routing.forget(op);
    expect([routing.health.inFlight(2), routing.health.inFlight(3)]).toEqual([0, 1]);
  });
});

describe("a large record is sent whole", () => {
  function bodySlots(routing: Routing, times = 40): number[] {
    const slots = new Set<number>();
    for (let i = 0; i < times; i += 1) {
      const op = new GetOp("get", noBytes, new Quorum(defaultPolicy, {}));
      op.partition = 0 as PartitionId;
      routing.aimGet(op);
      slots.add(op.bodySlot);
    }
    return [...slots].sort();
  }

  test("by the coordinator itself, if what it holds counts", () => {
    expect(bodySlots(routingOf(2, []))).toEqual([1]);
    expect(bodySlots(routingOf(2, [], { readRule: ReadRule.notSynced }))).toEqual([0]);
  });

  test("else by the better of two at random, never by one that is down or slow", () => {
    const routing = routingOf(5, []);
    expect(bodySlots(routing)).toEqual([0, 1]);
    for (const peer of [1, 2, 3]) {
      for (let i = 0; i < 20; i += 1) routing.health.answered(now, nodeNumber(peer), peer === 1 ? 2_000 : 500);
    }
    expect(bodySlots(routing), "the slowest of three is never the better of two").toEqual([1, 2]);
    expect(bodySlots(routingOf(5, [1])), "the fallback in slot 0 answers from its hints").toEqual([1]);
  });
});
