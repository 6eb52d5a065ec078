/**
 * ClientEnvironment: everything the client asks of the world. `io/client-environment.ts` binds it to sockets and the
 * system's clock, tests and the simulator to made-up ones; the client never knows which.
 *
 * The host's duties: it calls `ClientCore.tick` when the alarm is due and `ClientCore.endTurn` once after the callbacks
 * of a turn in which `wantTurnEnd` was called, and it never calls the core from inside a call of the core's.
 */
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import type { Transport } from "../wire/link.ts";

export interface ClientEnvironment {
  readonly transport: Transport;
  /** For choices and jitter; seeded by the host. */
  readonly rng: Rng;
  /** Read where an application calls in; everything else is told `now`. */
  now(): Instant;
  /** Fresh random bytes fit for request ids; the caller's own. */
  randomBytes(count: number): Uint8Array;
  /** Asks for one `tick` at or soon after `at`; `never` asks for none. Only the latest call counts. */
  setAlarm(at: Instant): void;
  /** Asks for one `endTurn` when this turn's callbacks are through. */
  wantTurnEnd(): void;
}
