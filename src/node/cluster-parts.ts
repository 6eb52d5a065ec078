/** The parts of a node that know the cluster, tied together: membership, changes of the ring, and what operators ask. */
import type { Instant } from "../base/time.ts";
import type { EncodedRing } from "../ring/consensus-messages.ts";
import { AdminService } from "./admin-service.ts";
import { Membering } from "./membering.ts";
import type { Part } from "./part.ts";
import type { Peers } from "./peers.ts";
import { RingChanges } from "./ring-changes.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import type { NodeState } from "./state.ts";

/** What these parts need of the node. */
export interface ClusterResources {
  readonly shared: NodeState;
  readonly peers: Peers;
  readonly keeper: RingKeeper;
  /** The ring is on disk: the whole node is to obey it. */
  adopt(now: Instant, ring: EncodedRing): void;
  /** This node must not serve any more; with the ring that says so, if it is one. */
  fence(now: Instant, reason: string, ring: EncodedRing | undefined): void;
  settle(now: Instant): void;
}

/** Builds them and hands them to `add`. */
export function addClusterParts(resources: ClusterResources, add: (part: Part) => void): void {
  const { shared, peers, keeper, settle } = resources;
  const rings = new RingChanges(shared, peers, {
    adopt: (now, ring) => resources.adopt(now, ring),
    fence: (now, reason, ring) => resources.fence(now, reason, ring),
  });
  const membering = new Membering(shared, peers, {
    ringDigestSeen: (now, from, digest) => rings.onDigest(now, from, digest),
    fence: (now, reason) => resources.fence(now, reason, undefined),
    settle,
  });
  // What membership has seen of rings is settled before the rings are.
  add(membering);
  add(rings);
  add(
    new AdminService(shared, {
      memberOf: (id) => membering.memberOf(id),
      incarnation: () => membering.incarnation,
      waiting: (now) => keeper.waiting(now),
    }),
  );
}
