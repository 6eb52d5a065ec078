/** Where the time of an answered request went. */
import type { Instant } from "../base/time.ts";
import type { Timing } from "./receipt.ts";
import type { AnyReply, Request } from "./request.ts";

/** The timing of a request that is answered now. */
export function timingOf(now: Instant, request: Request<AnyReply>): Timing {
  const { attempts, hedged } = request;
  return { totalUs: now - request.started, attemptUs: now - request.sentAt, attempts, hedged };
}
