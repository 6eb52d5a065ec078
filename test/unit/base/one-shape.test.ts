/** What V8 knows of objects and lists, asked of V8 itself. */
import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { expect, it } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { emptyList, varyFields } from "../../../src/base/one-shape.ts";
import { decodeRing, encodeRing } from "../../../src/wire/ring-codec.ts";
import { movingRing } from "../../support/moving-ring.ts";

setFlagsFromString("--allow-natives-syntax");
const ask = <T>(question: string): T => runInThisContext(question) as T;

const sameClass = ask<(a: object, b: object) => boolean>("(a, b) => %HaveSameMap(a, b)");

it("a policy from the wire has the class of one that was made here", () => {
  const { before } = movingRing();
  expect(sameClass(decodeRing(encodeRing(before)).policyOf(noBytes), before.policyOf(noBytes))).toBe(true);
});

it("an empty list that may hold anything has the class that it has with something in it", () => {
  const list = emptyList<object>();
  expect(list).toEqual([]);
  const filled = emptyList<object>();
  filled.push({});
  expect(sameClass(list, filled)).toBe(true);
  const plain: object[] = [];
  expect(sameClass(plain, filled)).toBe(false);
});

it("a class whose specimen was varied keeps its compiled code when its fields first change", () => {
  class Op {
    failed = 0;
    late = false;
    message = "";
    held: object | null = null;
  }
  const isOptimized = ask<(run: unknown) => number>("(run) => %GetOptimizationStatus(run)");
  const optimize = ask<(run: unknown) => void>("(run) => %OptimizeFunctionOnNextCall(run)");
  const prepare = ask<(run: unknown) => void>("(run) => %PrepareFunctionForOptimization(run)");
  varyFields(new Op());
  const make = (): Op => new Op();
  prepare(make);
  for (let i = 0; i < 10; i += 1) make();
  optimize(make);
  make();
  const before = isOptimized(make);
  const op = make();
  op.failed = 1;
  op.late = true;
  op.message = "late";
  op.held = {};
  expect(isOptimized(make)).toBe(before);
});

it("each field of a specimen gets another value of its kind", () => {
  const specimen = { zero: 0, one: 1, yes: true, empty: "", text: "a", none: null, some: {} };
  const before = { ...specimen };
  varyFields(specimen);
  for (const name of Object.keys(before) as (keyof typeof before)[]) {
    expect(specimen[name]).not.toBe(before[name]);
    if (before[name] !== null && specimen[name] !== null) expect(typeof specimen[name]).toBe(typeof before[name]);
  }
});
