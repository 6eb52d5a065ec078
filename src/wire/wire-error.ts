/**
 * WireError: bytes that are no valid message. Its text is for the log and for the other side's people: it says what
 * was wrong and where, and repeats nothing that was in the bytes.
 */

/** Thrown by `decode`. The link is answered with an error or closed; no state has changed. */
export class WireError extends Error {
  override readonly name = "WireError";
}
