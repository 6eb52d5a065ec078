/**
 * Buckets' policies, part of the ring so that every node and client knows the same ones. The policy named "" holds for
 * every bucket without one of its own. Finding a policy is part of every request: it allocates nothing.
 */
import { equalBytes, utf8 } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { bucketBytesMax } from "../base/full-key.ts";
import { Resolver } from "../base/resolver.ts";

/** How a bucket's records are kept unless a request asks otherwise (Dynamo 4.5: N, R, W). */
export interface BucketPolicy {
  /** The bucket's name; empty: the default policy. */
  readonly name: string;
  /** Copies of each record: 1..`replicasMax` of the ring. Fixed when the bucket is created. */
  readonly n: number;
  /** Replicas that answer a get: 1..n. */
  readonly r: number;
  /** Replicas that acknowledge a put: 1..n. */
  readonly w: number;
  /** Never `Durability.bucket`. */
  readonly durability: Durability;
  readonly resolver: Resolver;
  /** Raised with every change; u32. */
  readonly version: number;
}

/** The most policies that a ring holds, the default one included. */
export const bucketPoliciesMax = 4_096;

/** The most copies that any bucket may ask for. */
export const replicasLimit = 7;

function checkWhole(policy: BucketPolicy, field: "n" | "r" | "w" | "version", low: number, high: number): void {
  const value = policy[field];
  if (Number.isInteger(value) && value >= low && value <= high) return;
  const whose = policy.name === "" ? "the default policy" : `the policy of bucket "${policy.name}"`;
  throw new RingtailError("INVALID_ARGUMENT", `${field} of ${whose} is ${value} (${low}..${high} are allowed)`);
}

/** Throws `INVALID_ARGUMENT` unless the policy is valid in a ring with this `replicasMax`. */
function checkPolicy(policy: BucketPolicy, replicasMax: number): void {
  const nameBytes = utf8(policy.name).length;
  if (nameBytes > bucketBytesMax) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `a bucket's name has ${nameBytes} bytes of UTF-8 (at most ${bucketBytesMax} are allowed)`,
    );
  }
  checkWhole(policy, "n", 1, replicasMax);
  checkWhole(policy, "r", 1, policy.n);
  checkWhole(policy, "w", 1, policy.n);
  checkWhole(policy, "version", 0, 0xffff_ffff);
  const mode: number = policy.durability;
  if (!Number.isInteger(mode) || mode < Durability.memory || mode > Durability.durable) {
    throw new RingtailError("INVALID_ARGUMENT", `durability of bucket "${policy.name}" is ${mode} (1..4 are allowed)`);
  }
  const resolver: number = policy.resolver;
  if (resolver !== Resolver.siblings && resolver !== Resolver.lww) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `resolver of bucket "${policy.name}" is ${resolver} (0, 1 are allowed)`,
    );
  }
}

interface NamedPolicy {
  readonly name: Uint8Array;
  readonly policy: BucketPolicy;
}

/** 30 bits (a small integer, so that the map below allocates nothing on a lookup): FNV-1a. */
function nameHash(name: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) h = Math.imul(h ^ (name[i] as number), 0x01000193);
  return h & 0x3fff_ffff;
}

/** All policies of one ring, by bucket. Immutable. */
export class Policies {
  readonly #default: BucketPolicy;
  readonly #named = new Map<number, NamedPolicy[]>();

  /** Checks them all: names unique, one of them the default. Throws `INVALID_ARGUMENT`. */
  constructor(policies: readonly BucketPolicy[], replicasMax: number) {
    let found: BucketPolicy | undefined;
    for (const policy of policies) {
      checkPolicy(policy, replicasMax);
      const name = utf8(policy.name);
      if (name.length === 0 ? found !== undefined : this.#find(name) !== undefined) {
        throw new RingtailError("INVALID_ARGUMENT", `two policies for bucket "${policy.name}"`);
      }
      if (name.length === 0) found = policy;
      else this.#add({ name, policy });
    }
    if (found === undefined) throw new RingtailError("INVALID_ARGUMENT", 'no default policy (the one with name "")');
    this.#default = found;
  }

  /** The bucket's policy, or the default. */
  of(bucket: Uint8Array): BucketPolicy {
    if (this.#named.size === 0) return this.#default;
    return this.#find(bucket) ?? this.#default;
  }

  #add(entry: NamedPolicy): void {
    const hash = nameHash(entry.name);
    const entries = this.#named.get(hash);
    if (entries === undefined) this.#named.set(hash, [entry]);
    else entries.push(entry);
  }

  #find(bucket: Uint8Array): BucketPolicy | undefined {
    const entries = this.#named.get(nameHash(bucket));
    if (entries === undefined) return undefined;
    for (const entry of entries) if (equalBytes(entry.name, bucket)) return entry.policy;
    return undefined;
  }
}
