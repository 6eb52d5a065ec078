/**
 * Target: the cluster, as the generator sees it. `cluster-target.ts` binds it to the client's core and real sockets; tests
 * bind it to a made-up server on made-up time, which is how the generator itself is held to account.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { AnyReply, Request } from "../client/request.ts";

export interface Target {
  now(): Instant;
  /** Begins a request; its events follow. An error: it was refused, and none follows. */
  begin(now: Instant, request: Request<AnyReply>): RingtailError | null;
  /** Sends what was begun, without waiting for the turn to end. Not from inside an event of a request. */
  flush(now: Instant): void;
  /** Asks for one call of `turn` when the events of this turn are through; only the latest `turn` counts. */
  wantTurn(turn: (now: Instant) => void): void;
  /** 16 bytes that nobody has drawn before. */
  requestId(): Uint8Array;
}
