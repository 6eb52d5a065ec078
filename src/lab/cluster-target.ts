/**
 * ClusterSystem: a real cluster as the generator drives it: the SDK's core without the promises around it, on sockets.
 */
import { durabilityName } from "../base/durability.ts";
import type { RingtailError } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { ClientCore } from "../client/core.ts";
import { bucketBytes, latencyTargetMsDefault, resolveOptions } from "../client/options.ts";
import type { Coordination } from "../client/own-coordination.ts";
import {
  type AnyReply,
  defaultOptions,
  getRequest,
  putRequest,
  type Request,
  type RequestOptions,
} from "../client/request.ts";
import { SystemClientEnvironment } from "../io/client-environment.ts";
import { systemClock } from "../io/clock.ts";
import { TurnEnd } from "../io/turn.ts";
import { decodeRecordBody } from "../version/record.ts";
import { countSiblings } from "../version/record-decoder.ts";
import type { GetReply, PutReply } from "../wire/gen/codecs.ts";
import { seenByRingtail } from "./contexts.ts";
import type { Answer, OperationEvents, System, SystemFacts, Target } from "./target.ts";
import type { Workload } from "./workloads.ts";

/** How to connect. */
export interface ClusterOptions {
  /** Checked addresses, "host:port". */
  readonly seedNodes: readonly string[];
  readonly connectionsPerNode: number;
  readonly inFlightMax: number;
  readonly coordination: Coordination;
  readonly workload: Workload;
}

const connectTimeoutUs = 5_000_000;
const requestIdBytes = 16;
/** Of one get that the client coordinates: the owners', and a node's if that fails. */
const requestsPerGet = 4;

function requestsMaxOf({ coordination, inFlightMax }: ClusterOptions): number {
  return Math.min(65_536, coordination === "client" ? requestsPerGet * inFlightMax : inFlightMax);
}

export class ClusterSystem implements System {
  readonly seenBy: System["seenBy"] = seenByRingtail;
  readonly #env = new SystemClientEnvironment();
  readonly #core: ClientCore;
  readonly #turnEnd: TurnEnd;
  readonly #workload: Workload;
  readonly #bucket: Uint8Array;
  #turn: (now: Instant) => void = () => {};
  readonly #opened: Promise<void>;
  readonly #closed: Promise<void>;

  private constructor(options: ClusterOptions) {
    this.#workload = options.workload;
    this.#bucket = bucketBytes(options.workload.bucket);
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
    const { seedNodes, connectionsPerNode, coordination } = options;
    const inFlightMax = requestsMaxOf(options);
    this.#core = new ClientCore(
      this.#env,
      {
        ...{ seedNodes, connectionsPerNode, inFlightMax, coordination, connectTimeoutUs, clusterId: undefined },
        latencyTargetUs: latencyTargetMsDefault * 1000,
      },
      { onOpen: () => onOpen(), onOpenFailed: (_now, error) => onOpenFailed(error), onClosed: () => onClosed() },
    );
    this.#env.attach(this.#core);
    this.#core.start(this.#env.now());
  }

  /** Rejects with `RingtailError` when no seed node gives a ring. */
  static async connect(options: ClusterOptions): Promise<ClusterSystem> {
    const system = new ClusterSystem(options);
    await system.#opened;
    return system;
  }

  get facts(): SystemFacts {
    const { r, w, durability } = this.#workload;
    const { ring } = this.#core;
    const policy = ring.policyOf(this.#bucket);
    return {
      nodes: ring.members.filter(({ status }) => status !== "left").length,
      epoch: ring.epoch,
      partitions: ring.partitions,
      n: policy.n,
      r: r === 0 ? policy.r : r,
      w: w === 0 ? policy.w : w,
      durability: durability ?? (policy.durability === 0 ? "unknown" : durabilityName(policy.durability)),
    };
  }

  /** Throws `INVALID_ARGUMENT` when the bucket does not allow what the workload asks for. */
  target(timeoutUs: DurationUs): Target {
    const { r, w, durability } = this.#workload;
    const settings = {
      r: r === 0 ? undefined : r,
      w: w === 0 ? undefined : w,
      durability: durability ?? undefined,
      // An update of these workloads replaces the whole value, whoever wrote it.
      overwrite: true,
    };
    const resolved = resolveOptions(defaultOptions, settings, this.#core.ring.policyOf(this.#bucket));
    return new ClusterTarget(this, this.#bucket, { ...resolved, timeoutUs });
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

  /** 16 bytes that nobody has drawn before. */
  requestId(): Uint8Array {
    return this.#env.randomBytes(requestIdBytes);
  }

  close(): Promise<void> {
    this.#core.close(this.#env.now());
    return this.#closed;
  }
}

class ClusterTarget implements Target {
  readonly #system: ClusterSystem;
  readonly #bucket: Uint8Array;
  readonly #options: RequestOptions;
  readonly #spare: Asked[] = [];

  constructor(system: ClusterSystem, bucket: Uint8Array, options: RequestOptions) {
    this.#system = system;
    this.#bucket = bucket;
    this.#options = options;
  }

  now(): Instant {
    return this.#system.now();
  }

  get(now: Instant, key: Uint8Array, events: OperationEvents): RingtailError | null {
    return this.#system.begin(now, getRequest(this.#bucket, key, this.#options, this.#asked(events)));
  }

  put(
    now: Instant,
    key: Uint8Array,
    value: Uint8Array,
    context: Uint8Array,
    events: OperationEvents,
  ): RingtailError | null {
    const id = this.#system.requestId();
    const asked = this.#asked(events);
    return this.#system.begin(now, putRequest(this.#bucket, key, value, context, id, this.#options, asked));
  }

  flush(now: Instant): void {
    this.#system.flush(now);
  }

  wantTurn(turn: (now: Instant) => void): void {
    this.#system.wantTurn(turn);
  }

  #asked(events: OperationEvents): Asked {
    const asked = this.#spare.pop() ?? new Asked(this.#spare);
    asked.events = events;
    return asked;
  }
}

/** Hears how a request ends, and is its answer; used again, so that nothing is made per operation. */
class Asked implements Answer {
  events: OperationEvents | undefined;
  #reply: GetReply | undefined;
  readonly #spare: Asked[];

  constructor(spare: Asked[]) {
    this.#spare = spare;
  }

  get context(): Uint8Array {
    return (this.#reply as GetReply).context;
  }

  get siblings(): number {
    return countSiblings((this.#reply as GetReply).record, 0);
  }

  get valueBytes(): number | undefined {
    const { siblings } = decodeRecordBody((this.#reply as GetReply).record);
    return siblings.find(({ tombstone }) => !tombstone)?.value.length;
  }

  onReply(now: Instant, _request: Request<AnyReply>, reply: GetReply | PutReply): void {
    if ("record" in reply) {
      this.#reply = reply;
      this.events?.onGot(now, this);
      this.#reply = undefined;
    } else this.events?.onWritten(now, reply.context);
    this.#spare.push(this);
  }

  onFailure(now: Instant, _request: Request<AnyReply>, error: RingtailError): void {
    this.events?.onFailure(now, error);
    this.#spare.push(this);
  }
}
