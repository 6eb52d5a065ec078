/** The replica of a node: built once its store is open, and bound to the data path that asks it. */
import type { Actors } from "../replica/actors.ts";
import { HybridClock } from "../replica/hybrid-clock.ts";
import { Replica } from "../replica/replica.ts";
import type { Store } from "../storage/store.ts";
import type { DataPath } from "./data-path.ts";
import type { ReplicaOrigin } from "./request.ts";
import type { NodeState } from "./state.ts";

const waitersMax = 16_384;

/** Makes it. */
export function ownReplica(shared: NodeState, data: DataPath, store: Store, actors: Actors): Replica<ReplicaOrigin> {
  const { env, config, metrics } = shared;
  return new Replica<ReplicaOrigin>({
    effects: {
      prepared: (now, op) => data.coordination.prepared(now, op),
      wantTurnEnd: () => env.wantTurnEnd(),
      done: (now, op) => data.coordination.done(now, op, data.peerService),
      amnesia: (_now, partition) => {
        const alarm = "another replica knew more of this node's own writes than it does: history was lost here";
        env.log.error(alarm, { partition });
      },
    },
    store,
    actors,
    clock: new HybridClock(() => env.wallMs(), metrics.counter("stamps_far_ahead")),
    waitersMax,
    busyMax: waitersMax,
    hintRoom: data.hinting,
    diskRoom: () => shared.diskRoom,
    keepRecentForSeconds: Math.ceil((2 * config.requestTimeoutMaxMs) / 1000),
  });
}
