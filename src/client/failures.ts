/**
 * What an application is told when a request failed. Statuses that only nodes and the router speak of get a public
 * name, and a write that may have happened although no answer came says so.
 */
import { type ErrorCode, errorTable, RingtailError } from "../base/errors.ts";
import type { AnyReply, Request } from "./request.ts";

/** The code that an application sees for a failure between nodes. */
function publicCode(code: ErrorCode): ErrorCode {
  if (!errorTable[code].internal) return code;
  return code === "EXPIRED" ? "DEADLINE_EXCEEDED" : "QUORUM_NOT_MET";
}

/** Whether a write whose attempt ended so may have happened all the same, at some replicas or at all of them. */
export function leavesDoubt(code: ErrorCode): boolean {
  return code === "DEADLINE_EXCEEDED" || code === "CONNECTION_LOST" || code === "QUORUM_NOT_MET";
}

/**
 * The error for a request that failed for good. `where` names the node; empty: none was asked. For a write, an earlier
 * attempt that may have succeeded outweighs a later refusal that would have been worth another attempt.
 */
export function failureOf(
  request: Request<AnyReply>,
  code: ErrorCode,
  message: string,
  where: string,
  retryAfterUs: number,
): RingtailError {
  const inDoubt = request.isWrite && request.uncertain !== null;
  const shown = inDoubt && errorTable[code].retryable && !leavesDoubt(code) ? request.uncertain : code;
  let text = message === "" ? errorTable[code].meaning : message;
  if (where !== "") text += ` (${where}${request.attempts > 1 ? `, attempt ${request.attempts}` : ""})`;
  if (inDoubt) text += "; the write may still have happened: read the key, or write again with the context";
  else if (request.isWrite && request.attempts === 0) text += "; the write was not sent";
  return new RingtailError(publicCode(shown ?? code), text, Math.ceil(retryAfterUs / 1000));
}
