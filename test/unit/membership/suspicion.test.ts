/** The timing formulas: memberlist's published values, tables of theirs, and laws. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NodeId, nodeId } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { decimalDigits, log2Fixed, log10Milli } from "../../../src/membership/logarithm.ts";
import { type Profile, profiles } from "../../../src/membership/profile.ts";
import {
  confirmationsExpected,
  retransmitLimit,
  Suspicion,
  suspicionMaxUs,
  suspicionMinUs,
  suspicionTimeoutUs,
  syncIntervalUs,
} from "../../../src/membership/suspicion.ts";

const { lan, memberlistLan, wan } = profiles;
const s = 1_000_000;

function seconds(us: number): number {
  return Math.round(us / 10_000) / 100;
}

function timeout(profile: Profile, members: number, confirmations: number): number {
  return suspicionTimeoutUs({
    confirmations,
    expected: confirmationsExpected(profile, members),
    minUs: suspicionMinUs(profile, members),
    maxUs: suspicionMaxUs(profile, members),
  });
}

describe("logarithms in integers", () => {
  it("agree with the floating ones", () => {
    for (const value of [1, 2, 3, 4, 7, 8, 10, 31, 32, 99, 100, 1_000, 4_096, 65_535, 1_000_000, 0x7fff_ffff]) {
      expect(log2Fixed(value) / 65_536).toBeCloseTo(Math.log2(value), 4);
      expect(Math.abs(log10Milli(value) - Math.floor(1_000 * Math.log10(value)))).toBeLessThanOrEqual(1);
      expect(decimalDigits(value)).toBe(Math.ceil(Math.log10(value + 1)));
    }
    for (const exact of [1, 10, 100, 1_000, 10_000])
      expect(log10Milli(exact)).toBe(Math.round(1_000 * Math.log10(exact)));
    expect(decimalDigits(0)).toBe(0);
    expect(() => log2Fixed(0)).toThrow();
    expect(() => log2Fixed(1.5)).toThrow();
  });

  it("never fall", () => {
    for (let value = 2; value < 5_000; value += 1)
      expect(log2Fixed(value)).toBeGreaterThanOrEqual(log2Fixed(value - 1));
  });
});

describe("suspicion", () => {
  it.each([
    [8, 4.0, 24],
    [32, 6.0, 36],
    [100, 8.0, 48],
    [256, 9.6, 58],
    [1_000, 12, 72],
    [4_096, 14.4, 87],
  ])("memberlist LAN, n = %i: %f to %f s", (members, min, max) => {
    expect(suspicionMinUs(memberlistLan, members) / s).toBeCloseTo(min, 0);
    expect(Math.round(suspicionMaxUs(memberlistLan, members) / s)).toBe(max);
    expect(suspicionMinUs(lan, members)).toBe(suspicionMinUs(memberlistLan, members) / 2);
  });

  it("has memberlist's timeouts by confirmations: 3, 4-10, 30 and 100 members", () => {
    expect([0, 1, 2].map((c) => seconds(timeout(memberlistLan, 3, c)))).toEqual([4, 4, 4]);
    for (const members of [4, 8, 10])
      expect([0, 1, 2].map((c) => seconds(timeout(memberlistLan, members, c)))).toEqual([24, 11.38, 4]);
    const thirty = [0, 1, 2].map((c) => timeout(memberlistLan, 30, c) / s);
    expect(thirty[0]).toBeCloseTo(35.5, 0);
    expect(thirty[1]).toBeCloseTo(16.8, 1);
    expect(thirty[2]).toBeCloseTo(5.9, 1);
    expect([0, 1, 2].map((c) => seconds(timeout(memberlistLan, 100, c)))).toEqual([48, 22.76, 8]);
  });

  it("with three confirmations expected: 24, 14, 8.15, 4 s", () => {
    const at = (confirmations: number): number =>
      seconds(suspicionTimeoutUs({ confirmations, expected: 3, minUs: 4 * s, maxUs: 24 * s }));
    expect([0, 1, 2, 3, 4].map(at)).toEqual([24, 14, 8.15, 4, 4]);
  });

  it("memberlist's own test table", () => {
    // suspicion_test.go, remainingSuspicionTime: three expected, 2 to 30 s; confirmations, elapsed and what remains.
    const remaining = (confirmations: number, elapsed: number): number =>
      suspicionTimeoutUs({ confirmations, expected: 3, minUs: 2 * s, maxUs: 30 * s }) / s - elapsed;
    expect(remaining(0, 0)).toBe(30);
    expect(remaining(1, 2)).toBe(14);
    expect(remaining(2, 3)).toBeCloseTo(4.81, 2);
    expect(remaining(3, 4)).toBe(-2);
    expect(remaining(4, 5)).toBe(-3);
    expect(remaining(5, 10)).toBe(-8);
  });

  it("expects nobody's confirmation where there are too few", () => {
    expect([2, 3, 4, 5, 100].map((n) => confirmationsExpected(lan, n))).toEqual([0, 0, 2, 2, 2]);
    expect([2, 5, 6, 7].map((n) => confirmationsExpected(wan, n))).toEqual([0, 0, 4, 4]);
    expect(confirmationsExpected({ ...lan, suspicionMult: 1 }, 10)).toBe(0);
  });

  it("each confirmation shortens it, never below the shortest", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5_000 }), fc.integer({ min: 3, max: 12 }), (members, suspicionMult) => {
        const profile = { ...lan, suspicionMult };
        const expected = confirmationsExpected(profile, members);
        const min = suspicionMinUs(profile, members);
        let previous = suspicionMaxUs(profile, members) + 1;
        for (let c = 0; c <= expected; c += 1) {
          const now = timeout(profile, members, c);
          expect(now).toBeLessThan(previous);
          expect(now).toBeGreaterThanOrEqual(min);
          const real =
            suspicionMaxUs(profile, members) -
            (suspicionMaxUs(profile, members) - min) * (Math.log(c + 1) / Math.log(expected + 1));
          if (expected > 0) expect(Math.abs(now - Math.max(min, real))).toBeLessThan(min / 100 + 1_001);
          previous = now;
        }
        expect(timeout(profile, members, expected)).toBe(min);
      }),
    );
  });

  it("counts each accuser once, and no more than are expected", () => {
    const id = (n: number): NodeId => nodeId(n.toString(16).padStart(32, "0"));
    const start = instant(1_000_000);
    const options = { member: id(1), incarnation: 3, accuser: id(2), profile: lan, members: 10 };
    const suspicion = new Suspicion(start, options);
    expect(suspicion.deadline - start).toBe(12 * s);
    expect(suspicion.confirm(id(2))).toBe(false);
    expect(suspicion.confirm(id(3))).toBe(true);
    expect(suspicion.confirm(id(3))).toBe(false);
    expect(seconds(suspicion.deadline - start)).toBe(5.69);
    expect(suspicion.confirm(id(4))).toBe(true);
    expect(suspicion.deadline - start).toBe(2 * s);
    expect(suspicion.confirm(id(5))).toBe(false);
    expect(suspicion.confirmations).toBe(2);
    suspicion.postpone(instant(start + s));
    expect(suspicion.deadline - start).toBe(2 * s);
    suspicion.postpone(instant(start + 3 * s));
    expect(suspicion.deadline - start).toBe(3 * s);
  });
});

describe("other formulas", () => {
  it("an update is passed on 4, 8, 12, 16 times among 9, 99, 999, 9,999 members", () => {
    expect([1, 9, 10, 99, 100, 999, 9_999].map((n) => retransmitLimit(lan, n))).toEqual([4, 4, 8, 8, 12, 12, 16]);
  });

  it("state syncs: 30 s to 32 members, 180 s at 1,024, 240 s at 4,096", () => {
    const at = (n: number): number => syncIntervalUs(lan, n) / s;
    expect([2, 32, 33, 64, 65, 1_024, 4_096].map(at)).toEqual([30, 30, 60, 60, 90, 180, 240]);
  });
});
