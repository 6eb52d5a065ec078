/** Quorums: what a request may ask for, and what it gets if it asks for nothing. */
import { describe, expect, test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { type AskedQuorum, resolveDurability, resolveQuorum } from "../../../src/coordinator/quorum.ts";
import { policyOf } from "./stories.ts";

const policy = policyOf(3, 2, 2);

function refusal(asked: AskedQuorum, of = policy): string {
  try {
    resolveQuorum(of, asked);
  } catch (error) {
    expect(error).toMatchObject({ name: "RingtailError", code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
  return "accepted";
}

describe("resolveQuorum", () => {
  test("a request that asks for nothing gets the bucket's numbers in a shared object", () => {
    const quorum = resolveQuorum(policy, {});
    expect(quorum).toMatchObject({ n: 3, bucketN: 3, r: 2, w: 2, pr: 0, pw: 0, dw: 0, hostConfirms: 0, strict: false });
    const zeros = { n: 0, r: 0, w: 0, pr: 0, pw: 0, dw: 0, hostConfirms: 0, strict: false };
    expect(resolveQuorum(policy, zeros)).toBe(quorum);
    expect(resolveQuorum({ ...policy }, {})).not.toBe(quorum);
  });

  test("the cache is bounded: it makes anew what it dropped", () => {
    const first = resolveQuorum(policy, {});
    for (let i = 0; i < 3000; i += 1) resolveQuorum(policyOf(5, 3, 3), {});
    expect(resolveQuorum(policy, {})).not.toBe(first);
    expect(resolveQuorum(policy, {})).toEqual(first);
    expect(resolveQuorum(policy, {})).toBe(resolveQuorum(policy, {}));
  });

  test("what is asked for is taken", () => {
    const asked = { n: 3, r: 1, w: 3, pr: 1, pw: 2, dw: 3, hostConfirms: 2, strict: true };
    expect(resolveQuorum(policy, asked)).toMatchObject(asked);
    expect(resolveQuorum(policy, { strict: true })).toMatchObject({ r: 2, w: 2, strict: true });
  });

  test("a smaller n takes the bucket's r and w down with it", () => {
    expect(resolveQuorum(policy, { n: 1 })).toMatchObject({ n: 1, bucketN: 3, r: 1, w: 1 });
    expect(resolveQuorum(policyOf(5, 3, 2), { n: 2 })).toMatchObject({ n: 2, bucketN: 5, r: 2, w: 2 });
  });

  test("a refusal names what is allowed", () => {
    expect(refusal({ n: 4 })).toBe("n is 4; allowed: 1..3 (the bucket's n)");
    expect(refusal({ r: 4 })).toBe("r is 4; allowed: 1..3 (n)");
    expect(refusal({ w: -1 })).toBe("w is -1; allowed: 1..3 (n)");
    expect(refusal({ n: 2, w: 3 })).toBe("w is 3; allowed: 1..2 (n)");
    expect(refusal({ pr: 9 })).toBe("pr is 9; allowed: 1..3 (n)");
    expect(refusal({ pw: 1.5 })).toBe("pw is 1.5; allowed: 1..3 (n)");
    expect(refusal({ dw: Number.NaN })).toBe("dw is NaN; allowed: 1..3 (n)");
    expect(refusal({ hostConfirms: 4 })).toBe("hostConfirms is 4; allowed: 1..3 (n)");
  });

  test("every number is accepted exactly within 1..n", () => {
    for (let n = 1; n <= 7; n += 1) {
      for (const name of ["n", "r", "w", "pr", "pw", "dw", "hostConfirms"]) {
        for (let value = 1; value <= 8; value += 1) {
          const verdict = refusal({ [name]: value }, policyOf(n, 1, 1));
          expect(verdict === "accepted", `${name} ${value} of n ${n}`).toBe(value <= n);
        }
      }
    }
  });

  test("staleness is possible where r + w <= the bucket's n", () => {
    for (let n = 1; n <= 7; n += 1) {
      for (let r = 1; r <= n; r += 1) {
        for (let w = 1; w <= n; w += 1) {
          expect(resolveQuorum(policyOf(n, r, w), {}).stalePossible).toBe(r + w <= n);
          expect(resolveQuorum(policyOf(n, n, n), { r, w }).stalePossible).toBe(r + w <= n);
        }
      }
    }
    expect(resolveQuorum(policy, { n: 1 }).stalePossible).toBe(true);
  });
});

describe("resolveDurability", () => {
  test("0 is the bucket's, the others are taken", () => {
    const durable = policyOf(3, 2, 2, Durability.durable);
    expect(resolveDurability(durable, 0)).toBe(Durability.durable);
    for (const mode of [1, 2, 3, 4]) expect(resolveDurability(durable, mode)).toBe(mode);
  });

  test("a refusal names what is allowed", () => {
    const allowed = "allowed: 0 (the bucket's), 1 (memory), 2 (buffered), 3 (one-durable), 4 (durable)";
    for (const mode of [-1, 5, 1.5]) {
      expect(() => resolveDurability(policy, mode)).toThrow(`durability is ${mode}; ${allowed}`);
    }
  });
});
