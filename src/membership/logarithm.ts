/**
 * Logarithms in integers: no float decides anything on this floor, and two nodes must come to the same timeouts whatever
 * engine they run on. Sixteen bits behind the point are more than any formula here needs.
 */
import { assert } from "../base/assert.ts";

const fractionBits = 16;
const one = 2 ** 26;

/** log2 of an integer from 1 to 2^31, in units of 2^-16, rounded down. */
export function log2Fixed(value: number): number {
  assert(Number.isInteger(value) && value >= 1 && value <= 0x8000_0000, "no logarithm of this");
  const whole = 31 - Math.clz32(value >>> 0);
  let result = whole;
  // The mantissa is in [1, 2) with 26 bits behind the point: its square fits a double exactly.
  let mantissa = value >= one ? Math.floor((value * one) / 2 ** whole) : (value * one) / 2 ** whole;
  for (let bit = 0; bit < fractionBits; bit += 1) {
    mantissa = Math.floor((mantissa * mantissa) / one);
    result *= 2;
    if (mantissa >= 2 * one) {
      result += 1;
      mantissa = Math.floor(mantissa / 2);
    }
  }
  return result;
}

/** 1,000 x log10 of an integer from 1, rounded down; within a hundredth below a whole number it is taken for that. */
export function log10Milli(value: number): number {
  // 1,000 x log10(2) = 301.029996, in millionths; what `log2Fixed` rounds off stays below a hundredth.
  const scale = 65_536 * 1_000_000;
  return Math.floor((log2Fixed(value) * 301_029_996 + scale / 100) / scale);
}

/** The number of decimal digits that `value` (from 0) needs: ceil(log10(value + 1)). */
export function decimalDigits(value: number): number {
  let digits = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
}
