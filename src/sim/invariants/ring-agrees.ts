/**
 * ring-agrees (G9, I-11): once all is healed and operators have brought to its end what they began, every member obeys
 * the same ring, in which nothing moves and nothing is staged, and whoever has left it serves nobody.
 */
import type { Ring } from "../../ring/ring.ts";
import type { Audit, Invariant } from "../audit.ts";
import type { Report } from "../violation.ts";

/** What one node says of itself. */
export interface RingView {
  readonly name: string;
  readonly ring: Pick<Ring, "epoch" | "goal" | "owners" | "staged"> | undefined;
  readonly hash: { readonly high: number; readonly low: number };
  readonly serves: boolean;
  /** Whether the newest ring names it and it has not left. */
  readonly isMember: boolean;
}

/** Compares what nodes say. */
export function compareRings(views: readonly RingView[], blame: (text: string) => void): void {
  const members = views.filter((view) => view.isMember);
  const [first] = members;
  for (const { name, ring, hash } of members) {
    if (ring === undefined) blame(`${name} is a member and has no ring`);
    else if (ring.epoch !== first?.ring?.epoch || hash.high !== first.hash.high || hash.low !== first.hash.low)
      blame(`${name} obeys another ring (epoch ${ring.epoch}) than ${first?.name} (epoch ${first?.ring?.epoch})`);
    else if (ring.goal !== ring.owners || ring.staged.length > 0) blame(`${name} is not done with epoch ${ring.epoch}`);
  }
  for (const view of views) if (!view.isMember && view.serves) blame(`${view.name} serves although it is no member`);
}

/** Judged on the nodes. */
export const ringAgrees: Invariant = {
  name: "ring-agrees",
  check(audit: Audit) {
    const { cluster } = audit;
    const views = cluster.world.nodes.flatMap(({ name, position, ready }): RingView[] => {
      const shared = cluster.nodeAt(position)?.shared;
      if (shared === undefined) return [];
      const { ringOrNone: ring, ringHash: hash } = shared;
      return [{ name, ring, hash, serves: ready, isMember: cluster.isMember(position) }];
    });
    const report: Report = audit.report;
    compareRings(views, (text) => report({ at: audit.now, invariant: "ring-agrees", text }));
  },
};
