/**
 * Time as cores see it: passed in, never read. The edge reads the monotonic clock once per I/O callback and hands it
 * down as the first argument; the simulator hands down its own.
 */
declare const brand: unique symbol;

/** Monotonic time in whole microseconds from an arbitrary origin; at most 2^53. */
export type Instant = number & { readonly [brand]: "Instant" };
/** A duration in whole microseconds. */
export type DurationUs = number;
/** Milliseconds since 1970: for people and for ages across restarts, never for order. */
export type WallMs = number;

/** Where the edge reads time. Nothing on floors 0-4 but `Node`'s entry points may hold one. */
export interface Clock {
  now(): Instant;
  wallMs(): WallMs;
}

/** An instant from a number of microseconds. */
export function instant(us: number): Instant {
  return us as Instant;
}

/** The instant `us` microseconds after `at`. */
export function after(at: Instant, us: DurationUs): Instant {
  return (at + us) as Instant;
}

/** Later than everything. */
export const never: Instant = Number.MAX_SAFE_INTEGER as Instant;
