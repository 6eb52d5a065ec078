/** The hello of this node: who it is, what it speaks, and, to a peer, how far it has seen that one's store (past.ts). */
import { noBytes } from "../base/bytes.ts";
import { idBytes, type NodeNumber } from "../base/ids.ts";
import { softwareName } from "../base/version.ts";
import { noProgress, type StoreProgress } from "../membership/member.ts";
import type { Hello } from "../wire/gen/codecs.ts";
import { protocolVersions, Role } from "../wire/hello.ts";
import type { NodeState } from "./state.ts";

/** As of now. `to`: 0 for whoever is no member. */
export function ownHello(shared: NodeState, to: NodeNumber | 0): Hello {
  const { ringOrNone, clusterId, nodeId, number, epoch, env } = shared;
  const seen = seenOf(shared, to);
  return {
    versionMin: protocolVersions.min,
    versionMax: protocolVersions.max,
    clusterId: clusterId === undefined ? noBytes : idBytes(clusterId),
    nodeId: idBytes(nodeId),
    clientId: noBytes,
    role: ringOrNone === undefined ? Role.joiningNode : Role.node,
    number,
    epoch,
    software: softwareName,
    pid: env.pid,
    seenLosses: seen.losses,
    seenBatches: seen.batches,
  };
}

function seenOf({ ringOrNone, membership }: NodeState, peer: NodeNumber | 0): StoreProgress {
  const member = peer === 0 ? undefined : ringOrNone?.member(peer);
  return (member && membership?.member(member.id)?.progress) ?? noProgress;
}
