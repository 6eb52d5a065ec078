// What the micro-benchmarks share: keys, values and records like those of the README's workload.
import { utf8 } from "../../dist/base/bytes.js";
import { fullKeyOf } from "../../dist/base/full-key.js";
import { Hash64, hashKey } from "../../dist/base/hash.js";
import { Rng } from "../../dist/base/rng.js";
import { sealRecord } from "../../dist/version/record.js";
import { SiblingSet } from "../../dist/version/sibling-set.js";

export const bucket = utf8("bench");
export const value = new Rng(1).fill(new Uint8Array(1024));

/** So many full keys of 16 bytes in the bucket. */
export function fullKeys(count) {
  return Array.from({ length: count }, (_, i) => fullKeyOf(bucket, utf8(`k${String(i).padStart(15, "0")}`)));
}

/** Their hashes: `{ high, low }`. */
export function hashesOf(keys) {
  return keys.map((key) => {
    const hash = new Hash64();
    hashKey(key, hash);
    return hash;
  });
}

let writes = 0;

/** A write by node 1, 2 or 3, with a counter and an id of its own. */
export function writeOn(context, node = 1) {
  writes += 1;
  const requestId = new Uint8Array(16);
  new DataView(requestId.buffer).setUint32(0, writes);
  const dot = { actorHigh: (node << 16) >>> 0, actorLow: 7, counter: writes };
  return { context, dot, requestId, value, tombstone: false, second: 1, keepRecentFor: 60 };
}

/** A set that three nodes have written to in turn: one sibling, three actors, some recent ids. */
export function seasonedSet(depth = 6) {
  let set = SiblingSet.empty;
  for (let i = 0; i < depth; i += 1) set = set.put(writeOn(set.version, 1 + (i % 3)));
  return set;
}

/** Its sealed record, in memory of its own. */
export function sealed(set) {
  return sealRecord(set).slice();
}

/** Results go here, so that no work is found to be useless and left out. */
export const sink = { value: undefined };
