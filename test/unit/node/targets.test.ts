/** Targets: whom an op asks when nodes are down and lists change, and who is best asked first. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeNumber } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { GetOp } from "../../../src/coordinator/get.ts";
import { PutCoordinator, PutOp } from "../../../src/coordinator/put.ts";
import { type AskedQuorum, Quorum } from "../../../src/coordinator/quorum.ts";
import { hintOwner, ownSlots, packedAt } from "../../../src/coordinator/slots.ts";
import type { RouteState } from "../../../src/node/route-health.ts";
import { bestOf, chooseTargets, degradedIn, type KeyOwners, type Routes, slotOf } from "../../../src/node/targets.ts";

const list = Uint16Array.from([1, 2, 3, 4, 5, 6]);
const key: KeyOwners = { list, bucketN: 3, pending: undefined, sameHost: (a, b) => a === b };
const policy = { name: "", n: 3, r: 2, w: 2, durability: 2, resolver: 0, version: 1 } as const;

function routesOf(
  states: Readonly<Record<number, RouteState>>,
  costs: Readonly<Record<number, number>> = {},
  full: readonly number[] = [],
): Routes {
  const state = (number: number): RouteState => states[number] ?? "ok";
  return {
    allReachable: !Object.values(states).includes("down"),
    reachable: (number) => state(number) !== "down",
    allWritable: !Object.values(states).includes("down") && full.length === 0,
    writable: (number) => state(number) !== "down" && !full.includes(number),
    state,
    cost: (number) => costs[number] ?? 0,
  };
}

function putOf(routes: Routes, about: Partial<KeyOwners> = {}, asked: AskedQuorum = {}): PutOp<string> {
  const op = new PutOp("put", new Uint8Array(1), new Quorum(policy, asked));
  chooseTargets(op, "put", { ...key, ...about }, routes);
  return op;
}

function getOf(routes: Routes, about: Partial<KeyOwners> = {}, asked: AskedQuorum = {}): GetOp<string> {
  const op = new GetOp("get", new Uint8Array(1), new Quorum(policy, asked));
  chooseTargets(op, "get", { ...key, ...about }, routes);
  return op;
}

const pending = { joining: nodeNumber(9), replaced: nodeNumber(2) };

describe("who is asked", () => {
  test("all well: the shared list itself; a put may go on to the rest, a get may not", () => {
    const put = putOf(routesOf({ 2: "degraded" }));
    expect(put.targetNumbers).toBe(list);
    expect([put.candidates, put.fallbacks, put.pendingSlot]).toEqual([3, 0, -1]);
    const get = getOf(routesOf({}));
    expect([get.targetNumbers === list, get.candidates]).toEqual([true, 0]);
  });

  test("an owner that is down is replaced by the first fallback that is not", () => {
    const op = putOf(routesOf({ 2: "down", 4: "down" }));
    expect([...op.targetNumbers]).toEqual([1, 5, 3, 6]);
    expect([op.fallbacks, op.candidates, hintOwner({ ...op, targets: 3 }, 1)]).toEqual([0b010, 1, 2]);
    const get = getOf(routesOf({ 1: "down", 3: "down" }));
    expect([[...get.targetNumbers], get.fallbacks, get.candidates]).toEqual([[4, 2, 5], 0b101, 0]);
  });

  test("a put goes around a disk that is nearly full, a get does not", () => {
    const routes = routesOf({}, {}, [2, 4]);
    const put = putOf(routes);
    expect([[...put.targetNumbers], put.fallbacks]).toEqual([[1, 5, 3, 6], 0b010]);
    expect([...getOf(routes).targetNumbers.subarray(0, 3)]).toEqual([1, 2, 3]);
    const everywhere = putOf(routesOf({}, {}, [1, 2, 3, 4, 5, 6]));
    expect([[...everywhere.targetNumbers], everywhere.fallbacks]).toEqual([[1, 2, 3], 0]);
  });

  test("without a fallback left the owner keeps its slot, to be tried", () => {
    const down = { 1: "down", 2: "down", 4: "down", 5: "down", 6: "down" } as const;
    const op = putOf(routesOf(down));
    expect([[...op.targetNumbers], op.fallbacks, op.candidates]).toEqual([[1, 2, 3], 0, 0]);
  });

  test("where only owners count, owners are asked; fallbacks are candidates", () => {
    for (const asked of [{ strict: true }, { pw: 1 }]) {
      const op = putOf(routesOf({ 2: "down" }), {}, asked);
      expect([[...op.targetNumbers], op.fallbacks, op.candidates]).toEqual([[1, 2, 3, 4, 5, 6], 0, 3]);
    }
    expect([...getOf(routesOf({ 2: "down" }), {}, { pr: 1 }).targetNumbers]).toEqual([1, 2, 3]);
  });

  test("a narrower n never makes an owner a fallback of another", () => {
    const op = putOf(routesOf({}), {}, { n: 1 });
    expect([[...op.targetNumbers], op.candidates]).toEqual([[1, 4, 5, 6], 3]);
    expect([...getOf(routesOf({ 1: "down" }), {}, { n: 2 }).targetNumbers]).toEqual([4, 2]);
  });

  test("the pending member comes after the owners: asked by a put, in reserve for a get", () => {
    const op = putOf(routesOf({}), { pending });
    expect([[...op.targetNumbers], op.candidates]).toEqual([[1, 2, 3, 9, 4, 5, 6], 3]);
    expect([op.pendingSlot, op.replacedSlot, op.hostOf]).toEqual([3, 1, ownSlots]);
    const down = putOf(routesOf({ 9: "down", 2: "down" }), { pending });
    expect([[...down.targetNumbers], down.fallbacks, [...down.ownerNumbers]]).toEqual([
      [1, 4, 3, 5, 6],
      0b1010,
      [1, 2, 3, 9],
    ]);
    const get = getOf(routesOf({ 9: "down" }), { pending });
    expect([[...get.targetNumbers], get.pendingSlot, get.candidates, get.fallbacks]).toEqual([[1, 2, 3, 9], 3, 0, 0]);
  });

  test("a pending member that is a fallback of today's list is asked once", () => {
    const op = putOf(routesOf({ 1: "down" }), { pending: { joining: nodeNumber(4), replaced: nodeNumber(2) } });
    expect([[...op.targetNumbers], op.fallbacks]).toEqual([[5, 2, 3, 4, 6], 0b0001]);
  });

  test("a pending member outside of a narrowed list is left out", () => {
    expect(putOf(routesOf({}), { pending: { ...pending, replaced: nodeNumber(3) } }, { n: 2 }).pendingSlot).toBe(-1);
  });

  test("hosts: the pending member may share one with a fallback", () => {
    const op = putOf(routesOf({}), { pending, sameHost: (a, b) => a === b || a + b === 9 + 5 });
    expect([0, 1, 2, 3, 4, 5].map((slot) => packedAt(op.hostOf, slot))).toEqual([0, 1, 2, 3, 4, 3]);
  });
});

const stateOf = fc.constantFrom<RouteState>("ok", "degraded", "down");

test("any states: no node twice, no fallback that is down, every slot's owner is right, and the core takes it", () => {
  const worlds = fc.record({
    states: fc.array(stateOf, { minLength: 9, maxLength: 9 }),
    length: fc.integer({ min: 1, max: 9 }),
    n: fc.integer({ min: 1, max: 3 }),
    strict: fc.boolean(),
    change: fc.option(
      fc.record({ joining: fc.integer({ min: 4, max: 12 }), replaced: fc.integer({ min: 1, max: 3 }) }),
    ),
  });
  fc.assert(
    fc.property(worlds, ({ states, length, n, strict, change }) => {
      const nodes = Uint16Array.from({ length }, (_, at) => at + 1);
      const routes = routesOf(Object.fromEntries(states.map((state, at) => [at + 1, state])));
      const moving =
        change === null ? undefined : { joining: nodeNumber(change.joining), replaced: nodeNumber(change.replaced) };
      const about = { list: nodes, pending: moving };
      for (const op of [
        putOf(routes, about, { n, w: 1, r: 1, strict }),
        getOf(routes, about, { n, w: 1, r: 1, strict }),
      ]) {
        const owners = Math.min(n, length);
        const slots = [...op.targetNumbers];
        expect(new Set(slots.slice(0, owners + op.candidates)).size).toBe(
          slots.slice(0, owners + op.candidates).length,
        );
        for (let slot = 0; slot < owners; slot += 1) {
          const owner = slot + 1;
          const usesFallback = (op.fallbacks & (1 << slot)) !== 0;
          if (!usesFallback) expect(slots[slot]).toBe(owner);
          else expect([routes.state(owner), routes.state(slots[slot] as number) === "down"]).toEqual(["down", false]);
          if (usesFallback) expect(slots[slot]).toBeGreaterThan(3);
        }
        if (strict) expect(op.fallbacks).toBe(0);
        if (!(op instanceof PutOp)) continue;
        for (const candidate of slots.slice(slots.length - op.candidates)) {
          if (op.targetNumbers !== nodes) expect(routes.state(candidate)).not.toBe("down");
        }
        op.localSlot = 0;
        op.durability = 2;
        op.timeoutUs = 1_000;
        const nothing = () => {};
        const core = new PutCoordinator<string>(
          {
            putLocal: nothing,
            writeReplica: nothing,
            keepHint: nothing,
            askHead: nothing,
            heard: nothing,
            silent: nothing,
            staleRing: nothing,
            reply: nothing,
            forget: nothing,
          },
          { opsMax: 1, replicaMarginUs: 0, silenceUs: 200 },
        );
        core.begin(instant(0), op);
        expect(op.targets).toBe(owners + (op.pendingSlot < 0 ? 0 : 1));
      }
    }),
    { numRuns: 500 },
  );
});

describe("who is asked first, and who coordinates", () => {
  test("the cheapest that is well; else one that is degraded; never one that is down", () => {
    const costs = { 1: 500, 2: 300, 3: 900 };
    expect(bestOf(list, 3, 0, routesOf({}, costs))).toBe(1);
    expect(bestOf(list, 3, 0b010, routesOf({}, costs))).toBe(0);
    expect(bestOf(list, 3, 0, routesOf({ 2: "degraded" }, costs))).toBe(0);
    expect(bestOf(list, 3, 0b001, routesOf({ 2: "degraded" }, costs))).toBe(2);
    expect(bestOf(list, 3, 0b101, routesOf({ 2: "degraded" }, costs))).toBe(1);
    expect(bestOf(list, 3, 0, routesOf({ 1: "down", 2: "down", 3: "down" }, costs))).toBe(-1);
    expect(bestOf(list, 3, 0b111, routesOf({}, costs))).toBe(-1);
  });

  test("no more than a third of a list is degraded: the costliest are", () => {
    const all = { 1: "degraded", 2: "degraded", 3: "degraded" } as const;
    expect(degradedIn(list, 3, routesOf(all, { 1: 5, 2: 9, 3: 7 }))).toBe(0b010);
    expect(degradedIn(list, 2, routesOf(all, { 1: 5, 2: 9 }))).toBe(0);
    expect(degradedIn(list, 3, routesOf({ 3: "degraded" }))).toBe(0b100);
    fc.assert(
      fc.property(
        fc.array(stateOf, { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 8 }),
        (states, count) => {
          const nodes = Uint16Array.from({ length: 8 }, (_, at) => at + 1);
          const routes = routesOf(Object.fromEntries(states.map((state, at) => [at + 1, state])), { 1: 3, 4: 9, 6: 1 });
          const mask = degradedIn(nodes, count, routes);
          const places = [...nodes.keys()].filter((at) => (mask & (1 << at)) !== 0);
          const degraded = states.slice(0, count).filter((state) => state === "degraded").length;
          expect(places.length).toBe(Math.min(degraded, Math.floor(count / 3)));
          for (const at of places) expect(states[at]).toBe("degraded");
        },
      ),
    );
  });

  test("the slot of a node", () => {
    expect([slotOf(list, 3, nodeNumber(3)), slotOf(list, 3, nodeNumber(4))]).toEqual([2, -1]);
  });
});
