/**
 * The cluster as each of its nodes answers for itself: what `ringtail status` and the dashboard show. The JSON document is
 * the one that other programs read (`status --json`): fields are added, never renamed.
 */
import { askEvery, type NodeAnswer } from "../cli/every-node.ts";
import { statusQuestion } from "../cli/questions.ts";
import type { Ring } from "../ring/ring.ts";
import type { LatencySummary, StatusReply } from "../wire/gen/codecs.ts";

/** One node's answer, or why there is none. */
export type NodeStatus = NodeAnswer<StatusReply>;

/** Asks all members of the ring that have not left. */
export function statusOfAll(ring: Ring, timeoutMs: number): Promise<NodeStatus[]> {
  return askEvery(ring, timeoutMs, statusQuestion());
}

/** In a word how a node is: `alive`, `down` (no answer), `starting` or `stopping`. */
export function stateOf({ reply }: NodeStatus): string {
  if (reply === undefined) return "down";
  return reply.phase === "serving" ? "alive" : reply.phase;
}

function latencyOf({ name, count, p50Us, p99Us, p999Us, maxUs }: LatencySummary): [string, unknown] {
  return [name, { count, p50: p50Us, p99: p99Us, "p99.9": p999Us, max: maxUs }];
}

/** The document of `ringtail status --json`. */
export function statusDocument(ring: Ring, nodes: readonly NodeStatus[]): Readonly<Record<string, unknown>> {
  return {
    cluster: { id: ring.clusterId, epoch: ring.epoch, partitions: ring.partitions },
    nodes: nodes.map((node) => {
      const { id, name, address, host, zone, number } = node.member;
      const { reply, reason } = node;
      return {
        ...{ id, name, address, host, zone, state: stateOf(node), pid: reply?.pid ?? null, number },
        uptimeSeconds: reply?.uptimeSeconds ?? null,
        insecure: reply?.insecure ?? null,
        reason: reason === "" ? null : reason,
        peers: Object.fromEntries((reply?.peers ?? []).map((peer) => [peer.number, peer.state])),
        counters: Object.fromEntries((reply?.counters ?? []).map((counter) => [counter.name, counter.value])),
        latenciesUs: Object.fromEntries((reply?.latencies ?? []).map(latencyOf)),
      };
    }),
  };
}
