/** Scale: of a plot's axis: where a value lies between 0 and 1, and the ticks that people read; linear, logarithmic, and in nines. */
import { ninesOf } from "../spectrum.ts";

export interface Scale {
  /** 0 to 1; beyond that for values outside. */
  at(value: number): number;
  readonly ticks: readonly (readonly [value: number, label: string])[];
}

const steps = [1, 2, 2.5, 5, 10];

/** Whole thousands with commas; small numbers with as many digits as they need. */
export function numberText(value: number): string {
  if (Math.abs(value) < 1000) return String(Number(value.toPrecision(3)));
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** From `from` to `to`, in about `count` round steps. */
export function linearScale(from: number, to: number, count = 6): Scale {
  const span = Math.max(to - from, 1e-9);
  const unit = 10 ** Math.floor(Math.log10(span / count));
  const step = unit * (steps.find((one) => span / (unit * one) <= count) ?? 10);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => {
    const value = Number(((first + i) * step).toPrecision(12));
    return [value, numberText(value)] as const;
  });
  return { at: (value) => (value - from) / span, ticks };
}

/** Decades that hold all values; values that are not positive lie at its lower end. */
export function logScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive, 1e9)) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-9)) - 1e-9));
  if (positive.length === 0) return logScale([0.1, 1]);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => {
    const value = Number((10 ** (low + i)).toPrecision(3));
    return [value, numberText(value)] as const;
  });
  return { at: (value) => (value <= 0 ? 0 : (Math.log10(value) - low) / (high - low)), ticks };
}

/** Percentiles, each nine as wide as the one before; up to `to`, a percentile. */
export function ninesScale(to: number): Scale {
  const span = Math.max(1, ninesOf(to));
  const ticks = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter((percentile) => ninesOf(percentile) <= span + 1e-6);
  return {
    at: (percentile) => ninesOf(percentile) / span,
    ticks: ticks.map((percentile) => [percentile, `p${percentile}`] as const),
  };
}
