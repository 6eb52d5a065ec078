// From a full key to its owners.
import { Durability } from "../../dist/base/durability.js";
import { bucketOf, fullKeyOf, keyOf } from "../../dist/base/full-key.js";
import { Hash64, hashKey } from "../../dist/base/hash.js";
import { clusterId, nodeId } from "../../dist/base/ids.js";
import { planClaim } from "../../dist/ring/claim.js";
import { Ring } from "../../dist/ring/ring.js";
import { bucket, fullKeys, sink } from "./shared.mjs";

function member(number) {
  return {
    number,
    id: nodeId(number.toString(16).padStart(32, "0")),
    name: `n${number}`,
    address: `127.0.0.1:${7400 + number}`,
    host: `host-${number}`,
    zone: "",
    weight: 1,
    status: "member",
  };
}

function ringOf(nodes) {
  const members = Array.from({ length: nodes }, (_, i) => member(i + 1));
  const { owners } = planClaim({ members, partitions: 1024, replicasMax: 3, planSeed: 1 });
  const policy = { name: "", n: 3, r: 2, w: 2, durability: Durability.buffered, resolver: 0, version: 1 };
  const id = clusterId("c0ffee00c0ffee00c0ffee00c0ffee00");
  return new Ring({ clusterId: id, epoch: 1, partitions: 1024, replicasMax: 3, members, owners, buckets: [policy] });
}

export function ringCases() {
  const keys = fullKeys(1024);
  const ring = ringOf(12);
  const hash = new Hash64();
  const hashing = (times) => {
    for (let i = 0; i < times; i += 1) hashKey(keys[i & 1023], hash);
    sink.value = hash.high;
  };
  const lookingUp = (times) => {
    let sum = 0;
    for (let i = 0; i < times; i += 1) {
      hashKey(keys[i & 1023], hash);
      sum += ring.preferenceList(ring.partitionOf(hash.high), ring.policyOf(bucket).n)[0];
    }
    sink.value = sum;
  };
  const key = keyOf(keys[0]);
  const naming = (times) => {
    for (let i = 0; i < times; i += 1) {
      const fullKey = fullKeyOf(bucket, key);
      sink.value = bucketOf(fullKey).length + keyOf(fullKey).length;
    }
  };
  return [
    { name: "make a full key, and take its bucket and key", run: naming },
    { name: "hash a key", run: hashing },
    { name: "hash a key and look up its owners, 12 nodes", run: lookingUp },
  ];
}
