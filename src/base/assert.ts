/**
 * Assertions stay on in production: a failed one is our bug, is logged, and the node exits rather than go on from a
 * state nobody thought of. An operating error (a full disk, a bad frame) is never an assertion.
 */

/** Our bug. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws `AssertionError` unless `condition` holds. `message` is a constant: build no strings on the hot path. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a switch over a union: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
