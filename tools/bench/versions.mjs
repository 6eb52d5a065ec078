// What a replica does with a record: decode, put, seal, merge, causal hash, checksum.
import { Hash64 } from "../../dist/base/hash.js";
import { ContextKey, openContext, sealContext } from "../../dist/version/context.js";
import { checkRecord, mergeSealed, openRecord, sealRecord } from "../../dist/version/record.js";
import { causalHash } from "../../dist/version/sibling-set.js";
import { VersionVector } from "../../dist/version/version-vector.js";
import { fullKeys, sealed, seasonedSet, sink, writeOn } from "./shared.mjs";

function repeated(name, work) {
  const run = (times) => {
    for (let i = 0; i < times; i += 1) sink.value = work();
  };
  return { name, run };
}

/** Two replicas' sets of a key that is put by many at once: all but one of so many siblings in common. */
function crowdedSets(count) {
  let common = seasonedSet();
  for (let i = 1; i < count - 1; i += 1) common = common.put(writeOn(VersionVector.empty, 1 + (i % 3)));
  return [4, 5].map((node) => common.put(writeOn(VersionVector.empty, node)));
}

export function versionCases() {
  const [fullKey] = fullKeys(1);
  const set = seasonedSet();
  const stored = sealed(set);
  const write = writeOn(set.version, 2);
  const copy = stored.slice();
  const newer = sealed(set.put(write));
  const rival = sealed(set.put(writeOn(VersionVector.empty, 3)));
  const hash = new Hash64();
  const [few, fewToo] = crowdedSets(4);
  const [many, manyToo] = crowdedSets(60);
  const key = new ContextKey(1, new Uint8Array(16).fill(7));
  const context = sealContext(key, fullKey, set.version, 1, 1).slice();
  return [
    repeated("open a record", () => openRecord(stored)),
    repeated("check a record of 1 KiB", () => checkRecord(stored)),
    repeated("put on a set", () => set.put(write)),
    repeated("seal a record of 1 KiB", () => sealRecord(set)),
    repeated("open, put, seal", () => sealRecord(openRecord(stored).put(write))),
    repeated("merge a record with itself", () => mergeSealed(stored, stored)),
    repeated("merge a record with an equal one", () => mergeSealed(stored, copy)),
    repeated("merge a record with a newer one", () => mergeSealed(stored, newer)),
    repeated("merge a record with a concurrent one", () => mergeSealed(newer, rival)),
    repeated("merge sets of 4 siblings", () => few.merge(fewToo)),
    repeated("merge sets of 60 siblings", () => many.merge(manyToo)),
    repeated("causal hash", () => causalHash(set, fullKey, hash)),
    repeated("seal a context", () => sealContext(key, fullKey, set.version, 1, 1)),
    repeated("open a context", () => openContext(key, fullKey, context)),
  ];
}
