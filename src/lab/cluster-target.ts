/**
 * ClusterTarget: a real cluster as the generator drives it: the SDK's core without the promises around it, on sockets.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { ClientCore } from "../client/core.ts";
import type { AnyReply, Request } from "../client/request.ts";
import { SystemClientEnvironment } from "../io/client-environment.ts";
import { systemClock } from "../io/clock.ts";
import { TurnEnd } from "../io/turn.ts";
import type { Ring } from "../ring/ring.ts";
import type { Target } from "./target.ts";

/** How to connect. */
export interface ClusterTargetOptions {
  /** Checked addresses, "host:port". */
  readonly seedNodes: readonly string[];
  readonly connectionsPerNode: number;
  readonly inFlightMax: number;
}

const connectTimeoutUs = 5_000_000;
const requestIdBytes = 16;

export class ClusterTarget implements Target {
  readonly #env = new SystemClientEnvironment();
  readonly #core: ClientCore;
  readonly #turnEnd: TurnEnd;
  #turn: (now: Instant) => void = () => {};
  readonly #opened: Promise<void>;
  readonly #closed: Promise<void>;

  private constructor(options: ClusterTargetOptions) {
    let onOpen = (): void => {};
    let onOpenFailed = (_error: RingtailError): void => {};
    let onClosed = (): void => {};
    this.#opened = new Promise((resolve, reject) => {
      onOpen = resolve;
      onOpenFailed = reject;
    });
    this.#closed = new Promise((resolve) => {
      onClosed = resolve;
    });
    this.#turnEnd = new TurnEnd(systemClock, (now) => this.#turn(now));
    this.#core = new ClientCore(
      this.#env,
      { ...options, connectTimeoutUs, clusterId: undefined },
      { onOpen: () => onOpen(), onOpenFailed: (_now, error) => onOpenFailed(error), onClosed: () => onClosed() },
    );
    this.#env.attach(this.#core);
    this.#core.start(this.#env.now());
  }

  /** Rejects with `RingtailError` when no seed node gives a ring. */
  static async connect(options: ClusterTargetOptions): Promise<ClusterTarget> {
    const target = new ClusterTarget(options);
    await target.#opened;
    return target;
  }

  get ring(): Ring {
    return this.#core.ring;
  }

  now(): Instant {
    return this.#env.now();
  }

  begin(now: Instant, request: Request<AnyReply>): RingtailError | null {
    return this.#core.begin(now, request);
  }

  flush(now: Instant): void {
    this.#core.endTurn(now);
  }

  wantTurn(turn: (now: Instant) => void): void {
    this.#turn = turn;
    this.#turnEnd.want();
  }

  requestId(): Uint8Array {
    return this.#env.randomBytes(requestIdBytes);
  }

  /** Resolves when no connection is left. */
  close(): Promise<void> {
    this.#core.close(this.#env.now());
    return this.#closed;
  }
}
