/**
 * queues-bounded (I-15, G11): no connection's sender ever holds more unsent bytes than configured, requests under way
 * stay within their limit, none stands in line for longer than it may, and all of it returns to nothing once the load has
 * ended.
 */
import { intervalUs } from "../../node/inbox.ts";
import type { Audit, Invariant } from "../audit.ts";
import type { Cluster } from "../cluster.ts";
import type { Report } from "../violation.ts";

const mebibyte = 1024 * 1024;
/** The line is looked at once in a turn: of the longest turn, and of a process that has just gone on after a pause. */
const lookUs = 50_000;

/** Looks at every queue now. Cheap; called from time to time while a run goes on. */
export function checkQueues(cluster: Cluster, report: Report): void {
  const at = cluster.world.now;
  const held = cluster.world.network.heldBytesMax();
  const blame = (text: string): void => report({ at, invariant: "queues-bounded", text });
  for (let seat = 0; seat < cluster.plan.nodes; seat += 1) {
    const shared = cluster.nodeAt(seat)?.shared;
    if (shared === undefined) continue;
    const { config, inFlight } = shared;
    if (inFlight < 0 || inFlight > config.inFlightMax) blame(`node ${seat + 1} has ${inFlight} requests under way`);
    const place = cluster.world.nodes[seat];
    const waited = place?.paused === true ? 0 : shared.longestWait(at);
    if (waited > intervalUs + lookUs) blame(`a request has stood in line at node ${seat + 1} for ${waited} us`);
    const queuedMax = config.queuedMiBPerConnectionMax * mebibyte;
    if (held > queuedMax) blame(`a connection's sender holds ${held} bytes; allowed: ${queuedMax}`);
  }
}

/** Judged once the load is over. */
export const queuesDrain: Invariant = {
  name: "queues-bounded",
  check(audit: Audit) {
    checkQueues(audit.cluster, audit.report);
    for (let seat = 0; seat < audit.cluster.plan.nodes; seat += 1) {
      const inFlight = audit.cluster.nodeAt(seat)?.shared.inFlight ?? 0;
      if (inFlight !== 0) audit.blame("queues-bounded", `node ${seat + 1} still has ${inFlight} requests under way`);
    }
  },
};
