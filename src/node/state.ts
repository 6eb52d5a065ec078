/**
 * NodeState: what the parts of one node share: its configuration, its identity, the ring it obeys, and its counters.
 * Only `Node` changes the identity, the ring and the phase; everybody else reads.
 */
import { assert } from "../base/assert.ts";
import { type ClusterId, type NodeId, type NodeNumber, noNode } from "../base/ids.ts";
import { type Instant, instant } from "../base/time.ts";
import { Metrics } from "../metrics/metrics.ts";
import type { Ring } from "../ring/ring.ts";
import { ContextKey } from "../version/context.ts";
import type { NodeConfig } from "./config.ts";
import type { Environment } from "./environment.ts";

/** `starting`: no ring yet, or its store is not open; `serving`; `stopping`: finishes what it has, takes nothing new. */
export type Phase = "starting" | "serving" | "stopping";

export class NodeState {
  readonly env: Environment;
  readonly config: NodeConfig;
  readonly metrics: Metrics = new Metrics();
  readonly nodeId: NodeId;
  startedAt: Instant = instant(0);
  phase: Phase = "starting";
  number: NodeNumber = noNode;
  clusterId: ClusterId | undefined = undefined;
  /** Requests that came from outside (clients, and peers on behalf of clients) and are not answered yet. */
  inFlight = 0;
  /** Bytes of their frames. */
  inFlightBytes = 0;
  /** The store has fallen behind: it should get no new writes. */
  storeBehind: () => boolean = () => false;
  #ring: Ring | undefined = undefined;
  #contextKey: ContextKey | undefined = undefined;

  constructor(env: Environment, config: NodeConfig, nodeId: NodeId) {
    this.env = env;
    this.config = config;
    this.nodeId = nodeId;
  }

  /** The ring this node obeys, or undefined while it has none. */
  get ringOrNone(): Ring | undefined {
    return this.#ring;
  }

  /** The ring; only called where the node is known to have one. */
  get ring(): Ring {
    assert(this.#ring !== undefined, "the node has a ring");
    return this.#ring;
  }

  get epoch(): number {
    return this.#ring === undefined ? 0 : this.#ring.epoch;
  }

  get contextKey(): ContextKey {
    assert(this.#contextKey !== undefined, "the node has a cluster");
    return this.#contextKey;
  }

  /** Obeys `ring` from now on; `contextKeyBytes` are the 16 bytes under which contexts of its cluster are authenticated. */
  adoptRing(ring: Ring, number: NodeNumber, contextKeyBytes: Uint8Array): void {
    assert(this.#ring === undefined || ring.epoch > this.#ring.epoch, "ring epochs only rise");
    this.#ring = ring;
    this.number = number;
    this.clusterId = ring.clusterId;
    if (this.#contextKey === undefined) this.#contextKey = new ContextKey(0, contextKeyBytes);
  }
}
