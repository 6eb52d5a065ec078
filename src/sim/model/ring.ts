/** The ring of the model: three nodes, two copies of each record, the fewest partitions there can be. */

import { Durability } from "../../base/durability.ts";
import { clusterIdOf, nodeIdOf, nodeNumber } from "../../base/ids.ts";
import { Resolver } from "../../base/resolver.ts";
import { partitionsMin } from "../../ring/partition.ts";
import { type Member, Ring } from "../../ring/ring.ts";
import { members, owners, quorum } from "./state.ts";

/** The same at every call. */
export function modelRing(): Ring {
  const partitions = partitionsMin;
  const replicasMax = owners.length;
  const nodes = members.map(
    (number): Member => ({
      number: nodeNumber(number),
      id: nodeIdOf(new Uint8Array(16).fill(number)),
      name: `node-${number}`,
      address: `127.0.0.${number}:7401`,
      host: `host-${number}`,
      zone: "",
      weight: 100,
      status: "member",
    }),
  );
  const owned = Uint16Array.from({ length: partitions }, (_, at) => members[at % members.length] as number);
  const policy = {
    name: "",
    n: replicasMax,
    r: 1,
    w: quorum,
    durability: Durability.buffered,
    resolver: Resolver.siblings,
    version: 1,
  };
  const clusterId = clusterIdOf(new Uint8Array(16).fill(1));
  return new Ring({
    clusterId,
    epoch: 1,
    partitions,
    replicasMax,
    members: nodes,
    owners: owned,
    buckets: [policy],
  });
}
