/** The client's environment on the real system: sockets, the monotonic clock, one timer, and the system's randomness. */
import { randomBytes } from "node:crypto";
import { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import type { HostEnvironment, HostedCore } from "../client/client.ts";
import type { Transport } from "../wire/link.ts";
import { systemClock } from "./clock.ts";
import { TcpTransport } from "./tcp.ts";
import { Alarm, TurnEnd } from "./turn.ts";

/** So much is drawn from the system at once: a call per request id would cost more than the id is worth. */
const drawnBytes = 4096;

/** One per client. */
export class SystemClientEnvironment implements HostEnvironment {
  readonly transport: Transport = new TcpTransport(systemClock);
  readonly rng: Rng = new Rng(randomBytes(4).readUInt32LE());
  readonly #alarm: Alarm;
  readonly #turnEnd: TurnEnd;
  #core: HostedCore | undefined;
  #drawn: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor() {
    this.#alarm = new Alarm(systemClock, (now) => this.#core?.tick(now));
    this.#turnEnd = new TurnEnd(systemClock, (now) => this.#core?.endTurn(now));
  }

  attach(core: HostedCore): void {
    this.#core = core;
  }

  now(): Instant {
    return systemClock.now();
  }

  randomBytes(count: number): Uint8Array {
    if (this.#used + count > this.#drawn.length) {
      this.#drawn = new Uint8Array(randomBytes(Math.max(drawnBytes, count)));
      this.#used = 0;
    }
    this.#used += count;
    return this.#drawn.subarray(this.#used - count, this.#used);
  }

  setAlarm(at: Instant): void {
    this.#alarm.set(at);
  }

  wantTurnEnd(): void {
    this.#turnEnd.want();
  }
}
