/** changePolicy: a bucket's policy changes alone, from the version in force, and never its n. */
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { Resolver } from "../../../src/base/resolver.ts";
import { changePolicy } from "../../../src/ring/bucket-change.ts";
import { movingRing } from "../../support/moving-ring.ts";

const { ring } = movingRing();
const inForce = ring.policyOf(utf8("sessions"));
const wanted = { ...inForce, name: "sessions", resolver: Resolver.lww, version: inForce.version + 1 };

describe("changing a bucket's policy", () => {
  it("gives the bucket one of its own, in the next epoch, and moves nothing", () => {
    const next = changePolicy(ring, wanted);
    expect(next.epoch).toBe(ring.epoch + 1);
    expect(next.policyOf(utf8("sessions"))).toEqual(wanted);
    expect(next.policyOf(utf8("others"))).toEqual(inForce);
    expect(next.fences).toEqual(ring.fences);
    expect(next.goal).toEqual(ring.goal);
  });

  it("replaces the one that is there, and the default", () => {
    const next = changePolicy(changePolicy(ring, wanted), { ...wanted, w: 3, version: wanted.version + 1 });
    expect(next.buckets.map(({ name, w }) => [name, w])).toEqual([
      ["", 2],
      ["sessions", 3],
    ]);
    expect(changePolicy(ring, { ...wanted, name: "" }).policyOf(utf8("others")).resolver).toBe(Resolver.lww);
  });

  it("refuses a policy made from another version, another n, and numbers that are none", () => {
    expect(() => changePolicy(ring, inForce)).toThrow(/changed meanwhile/);
    expect(() => changePolicy(ring, { ...wanted, n: 2, r: 1, w: 1 })).toThrow(/n is 2; allowed: 3/);
    expect(() => changePolicy(ring, { ...wanted, r: 4 })).toThrow(/r of the policy of bucket "sessions" is 4/);
    expect(() => changePolicy(ring, { ...wanted, resolver: 9 as 0 })).toThrow(/resolver of bucket "sessions" is 9/);
  });
});
