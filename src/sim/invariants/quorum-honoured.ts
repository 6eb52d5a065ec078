/**
 * quorum-honoured (G1, I-1): at the instant a node hands an acknowledgement to its link, at least W distinct owners
 * hold the write or a descendant, as its mode promises: synced for `durable`, in the system for `buffered` and
 * `one-durable`, in the process for `memory`. Looks into disks through the ledger and into object buffers, and never
 * believes a receipt.
 */
import { Durability } from "../../base/durability.ts";
import type { Instant } from "../../base/time.ts";
import type { AckWatch } from "../client-call.ts";
import type { Cluster } from "../cluster.ts";
import { type Operation, operationText } from "../history.ts";
import { inMemory } from "../in-memory.ts";
import type { Report } from "../violation.ts";

/** Watches every acknowledgement as it leaves its node. */
export class QuorumHonoured implements AckWatch {
  readonly #cluster: Cluster;
  readonly #report: Report;

  constructor(cluster: Cluster, report: Report) {
    this.#cluster = cluster;
    this.#report = report;
  }

  onAckSent(now: Instant, operation: Operation): void {
    const { plan } = this.#cluster;
    const w = operation.w === 0 ? plan.w : operation.w;
    const mode = (operation.durability === 0 ? plan.durability : operation.durability) as Durability;
    const holders = mode === Durability.memory ? this.#inMemory(operation) : this.#onDisk(operation, mode);
    if (holders >= w) return;
    const text = `acknowledged with ${holders} of ${w} copies (mode ${mode}): ${operationText(operation)}`;
    this.#report({ at: now, invariant: "quorum-honoured", key: operation.key, text });
  }

  #onDisk(operation: Operation, mode: Durability): number {
    const { ledger, plan } = this.#cluster;
    const dots = ledger.dotsOf(operation.requestId);
    let holders = 0;
    for (let node = 0; node < plan.nodes; node += 1) {
      if (ledger.holds(node, operation.key, dots, mode === Durability.durable)) holders += 1;
    }
    return holders;
  }

  /** A node that died since the operation began may have held a copy: it counts, for nobody can look any more. */
  #inMemory(operation: Operation): number {
    const { ledger, plan, world } = this.#cluster;
    const held = Array.from({ length: plan.nodes }, (_, node) => inMemory(this.#cluster, node, operation.key));
    for (const set of held) if (set !== undefined) ledger.learn(set);
    const dots = ledger.dotsOf(operation.requestId);
    // Superseded in every buffer before any engine saw it, and pushed out of `recent`: nobody can tell any more. So it is
    // where the dot of one attempt is known, and another one was acknowledged.
    if (dots.length < operation.attempts && held.some((set) => set?.version.coversAll(operation.context)))
      return plan.nodes;
    let holders = 0;
    for (let node = 0; node < plan.nodes; node += 1) {
      const inBuffer = held[node]?.version.coversAny(dots) ?? false;
      const died = (world.nodes[node]?.endedAt ?? 0) >= operation.begin;
      if (inBuffer || died || ledger.holds(node, operation.key, dots, false)) holders += 1;
    }
    return holders;
  }
}
