/**
 * Client: the SDK's face, and where promises begin. It knows no sockets: `io/ringtail-client.ts` binds it to the system
 * as `RingtailClient`, tests bind it to a world of their own. Thinking is the core's, data access the buckets'.
 */

import { RingtailError } from "../base/errors.ts";
import { type ClusterId, clusterId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import { Bucket } from "./bucket.ts";
import type { CallHost } from "./call.ts";
import { bytes, type Codec } from "./codecs.ts";
import { ClientCore } from "./core.ts";
import type { ClientEnvironment } from "./environment.ts";
import {
  type BucketOptions,
  bucketNames,
  type ClientOptions,
  checkOptions,
  coordinationOf,
  latencyTargetMsDefault,
  latencyTargetUsOf,
  optionsWithTimeout,
  timeoutUsOf,
  wholeNumber,
} from "./options.ts";
import type { Coordination } from "./own-coordination.ts";
import { RawClient } from "./raw.ts";
import type { RequestOptions } from "./request.ts";

/** What a host calls on the client's behalf. */
export interface HostedCore {
  tick(now: Instant): void;
  endTurn(now: Instant): void;
}

/** An environment that is told, once, whom its alarm and its turn ends are for. */
export interface HostEnvironment extends ClientEnvironment {
  attach(core: HostedCore): void;
}

/** One client of one cluster. */
export class Client {
  /** Requests without promises; internal. */
  readonly raw: RawClient;
  readonly #host: CallHost;
  readonly #defaults: RequestOptions;
  readonly #opened: Promise<void>;
  readonly #closed: Promise<void>;

  /** Checks the options and throws `INVALID_ARGUMENT`; then begins to connect: `opened` tells how that ends. */
  protected constructor(env: HostEnvironment, options: ClientOptions) {
    const timeoutUs = timeoutUsOf("timeoutMs", options.timeoutMs ?? 1000);
    this.#defaults = optionsWithTimeout(timeoutUs);
    let onClosed = (): void => {};
    this.#closed = new Promise((resolve) => {
      onClosed = resolve;
    });
    let onOpen = (): void => {};
    let onOpenFailed = (_error: RingtailError): void => {};
    this.#opened = new Promise((resolve, reject) => {
      onOpen = resolve;
      onOpenFailed = reject;
    });
    const core = new ClientCore(env, coreOptionsOf(options), {
      onOpen: () => onOpen(),
      onOpenFailed: (_now, error) => onOpenFailed(error),
      onClosed: () => onClosed(),
    });
    env.attach(core);
    this.#host = { core, env };
    this.raw = new RawClient(this.#host);
    core.start(env.now());
  }

  /** Resolves when the ring is here; rejects, and the client is closed, when no seed node gave one. */
  protected get opened(): Promise<void> {
    return this.#opened;
  }

  /** The ring that requests are routed by at the moment. */
  get ring(): Ring {
    return this.#host.core.ring;
  }

  /** A bucket whose values are bytes. */
  bucket(name: string, options?: BucketOptions<Uint8Array>): Bucket<Uint8Array>;
  /** A bucket whose values the codec reads and writes. */
  bucket<T>(name: string, options: BucketOptions<T> & { readonly codec: Codec<T> }): Bucket<T>;
  bucket<T>(name: string, options?: BucketOptions<T>): Bucket<T> | Bucket<Uint8Array> {
    checkOptions("the bucket's options", options, bucketNames);
    if (options?.codec === undefined) return new Bucket(this.#host, name, bytes, this.#defaults, options);
    return new Bucket(this.#host, name, checkedCodec(options.codec), this.#defaults, options);
  }

  /** Rejects what is in flight with `CLIENT_CLOSED` and resolves when no connection is left. May be called again. */
  close(): Promise<void> {
    this.#host.core.close(this.#host.env.now());
    return this.#closed;
  }
}

function checkedCodec<T>(codec: Codec<T>): Codec<T> {
  if (typeof codec?.encode === "function" && typeof codec.decode === "function") return codec;
  throw new RingtailError(
    "INVALID_ARGUMENT",
    "the codec is none; allowed: an object with the functions encode and decode",
  );
}

function coreOptionsOf(options: ClientOptions): {
  seedNodes: readonly string[];
  clusterId: ClusterId | undefined;
  connectTimeoutUs: number;
  connectionsPerNode: number;
  inFlightMax: number;
  coordination: Coordination;
  latencyTargetUs: number;
} {
  const { seedNodes } = options;
  const coordination = coordinationOf(options.coordination);
  if (!Array.isArray(seedNodes) || seedNodes.length === 0) {
    const given = Array.isArray(seedNodes) ? "empty" : typeof seedNodes;
    throw new RingtailError("INVALID_ARGUMENT", `seedNodes is ${given}; allowed: a list of HOST:PORT, at least one`);
  }
  return {
    seedNodes: [...seedNodes],
    clusterId: options.clusterId === undefined ? undefined : clusterId(options.clusterId),
    connectTimeoutUs: timeoutUsOf("connectTimeoutMs", options.connectTimeoutMs ?? 5000),
    connectionsPerNode: wholeNumber(
      "connectionsPerNode",
      options.connectionsPerNode ?? 1,
      1,
      coordination === "client" ? 2 : 8,
    ),
    inFlightMax: wholeNumber("inFlightMax", options.inFlightMax ?? 8192, 1, 65_536),
    coordination,
    latencyTargetUs: latencyTargetUsOf(options.latencyTargetMs ?? latencyTargetMsDefault),
  };
}
