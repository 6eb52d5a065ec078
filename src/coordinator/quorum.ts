/**
 * Quorum: how many answers one request needs, of which kind. A bucket's policy gives n, r and w; a request may ask for
 * other values, and for more (owners only, synced copies, distinct hosts). Everything is checked here, once, before a
 * coordinator sees it, so the coordinators only count.
 *
 * n of a request only narrows who is asked: a bucket's N is fixed when it is made. Source: Dynamo 4.5, mechanisms 1.4.
 */
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { Resolver } from "../base/resolver.ts";
import type { BucketPolicy } from "../ring/ring.ts";

/**
 * What a request asks for. Absent or 0: n, r and w as the bucket says, the others nothing. Decoded requests have this
 * shape already.
 */
export interface AskedQuorum {
  /** How many of the bucket's n owners are asked, from the first of the preference list. */
  readonly n?: number | undefined;
  readonly r?: number | undefined;
  readonly w?: number | undefined;
  /** How many of the answers to a get must come from owners, not from fallbacks. */
  readonly pr?: number | undefined;
  /** The same for the acks of a put. */
  readonly pw?: number | undefined;
  /** How many acks of a put must come after a sync. */
  readonly dw?: number | undefined;
  /** How many distinct hosts must be among those that answered. */
  readonly hostConfirms?: number | undefined;
  /** Only owners count towards r and w. */
  readonly strict?: boolean | undefined;
}

/** The checked numbers; immutable, shared by requests that ask for nothing of their own. */
export class Quorum {
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly pr: number;
  readonly pw: number;
  readonly dw: number;
  readonly hostConfirms: number;
  readonly strict: boolean;
  /** The bucket's own n, which no request changes: it says which preference list and which Merkle tree. */
  readonly bucketN: number;
  /** Whether gets with this r may miss puts with this w: r + w <= the bucket's n. */
  readonly stalePossible: boolean;
  /** The bucket's: the last write wins. */
  readonly lww: boolean;

  /** Throws `INVALID_ARGUMENT` naming what is allowed. */
  constructor(policy: BucketPolicy, asked: AskedQuorum) {
    this.n = checked("n", asked.n, policy.n, policy.n, "the bucket's n");
    this.r = checked("r", asked.r, Math.min(policy.r, this.n), this.n, "n");
    this.w = checked("w", asked.w, Math.min(policy.w, this.n), this.n, "n");
    this.pr = checked("pr", asked.pr, 0, this.n, "n");
    this.pw = checked("pw", asked.pw, 0, this.n, "n");
    this.dw = checked("dw", asked.dw, 0, this.n, "n");
    this.hostConfirms = checked("hostConfirms", asked.hostConfirms, 0, this.n, "n");
    this.strict = asked.strict === true;
    this.bucketN = policy.n;
    this.stalePossible = this.r + this.w <= policy.n;
    this.lww = policy.resolver === Resolver.lww;
  }
}

function checked(name: string, asked: number | undefined, absent: number, max: number, limit: string): number {
  if (!given(asked)) return absent;
  if (!Number.isInteger(asked) || asked < 1 || asked > max) {
    throw new RingtailError("INVALID_ARGUMENT", `${name} is ${asked}; allowed: 1..${max} (${limit})`);
  }
  return asked;
}

function given(asked: number | undefined): asked is number {
  return asked !== undefined && asked !== 0;
}

function asksNothing(asked: AskedQuorum): boolean {
  if (given(asked.n) || given(asked.r) || given(asked.w) || given(asked.pr) || given(asked.pw)) return false;
  return !(given(asked.dw) || given(asked.hostConfirms) || asked.strict === true);
}

// Policies live as long as their ring, so a few entries serve every request; an old ring's are dropped with the rest
// when the cache is full.
const cachedMax = 1024;
const cached = new Map<BucketPolicy, Quorum>();

/**
 * The quorum of one request. One that asks for nothing of its own gets an object shared per policy: no allocation.
 * Throws `INVALID_ARGUMENT` naming what is allowed.
 */
export function resolveQuorum(policy: BucketPolicy, asked: AskedQuorum): Quorum {
  if (!asksNothing(asked)) return new Quorum(policy, asked);
  const found = cached.get(policy);
  if (found !== undefined) return found;
  if (cached.size >= cachedMax) cached.clear();
  const quorum = new Quorum(policy, asked);
  cached.set(policy, quorum);
  return quorum;
}

/** The durability of one put: what it asks for (a number from the wire), or the bucket's for 0. Throws `INVALID_ARGUMENT`. */
export function resolveDurability(policy: BucketPolicy, asked: number): Durability {
  if (asked === Durability.bucket) return policy.durability;
  if (!Number.isInteger(asked) || asked < Durability.memory || asked > Durability.durable) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `durability is ${asked}; allowed: 0 (the bucket's), 1 (memory), 2 (buffered), 3 (one-durable), 4 (durable)`,
    );
  }
  return asked as Durability;
}
