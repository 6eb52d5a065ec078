/** InMemory: what a node's object buffer has of a key. Looks only: for checkers, where `memory` is all that was promised. */
import { Hash64, hashKey } from "../base/hash.ts";
import { openRecord } from "../version/record.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import { fullKeyOfName } from "./client-call.ts";
import type { Cluster } from "./cluster.ts";

const hash = new Hash64();

/** The set in the memory of the node on that seat, or undefined: it has none there, or does not run. */
export function inMemory(cluster: Cluster, seat: number, key: string): SiblingSet | undefined {
  const store = cluster.nodeAt(seat)?.store;
  if (store === undefined) return undefined;
  const fullKey = fullKeyOfName(key);
  hashKey(fullKey, hash);
  const sealed = store.lookup(fullKey, hash.high, hash.low);
  return sealed === undefined ? undefined : openRecord(sealed.slice());
}
