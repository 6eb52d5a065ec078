/**
 * Changing a bucket's policy: a pure function from a ring to the next one, like those of plan.ts. Nothing moves, and no
 * request in flight minds: each is judged by the policy that its coordinator holds.
 *
 * What a change of the resolver means for values that are there: `siblings` to `lww`: writes without a stamp count as
 * older than all with one; a get shows the last of them, and the next put replaces all that its coordinator holds. `lww` to
 * `siblings`: the value stays, as a sibling like any other.
 */

import { utf8 } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import type { BucketPolicy } from "./bucket-policy.ts";
import { bucketPoliciesMax } from "./bucket-policy.ts";
import { nextRing } from "./next-ring.ts";
import type { Ring } from "./ring.ts";

/**
 * The ring in which the bucket has this policy, made from the one in force: its version must be one higher. Throws
 * `BASE_EPOCH_CHANGED` if it is not, and `INVALID_ARGUMENT` if the policy is not valid or has another n: the bucket's
 * records lie with the first n of their lists, and in the Merkle trees of that n.
 */
export function changePolicy(ring: Ring, policy: BucketPolicy): Ring {
  const before = ring.policyOf(utf8(policy.name));
  if (policy.version !== before.version + 1) {
    throw new RingtailError("BASE_EPOCH_CHANGED", "the bucket's policy has been changed meanwhile: look at it again");
  }
  if (policy.n !== before.n) {
    throw new RingtailError("INVALID_ARGUMENT", `n is ${policy.n}; allowed: ${before.n} (the bucket's n is fixed)`);
  }
  const others = ring.buckets.filter(({ name }) => name !== policy.name);
  if (others.length >= bucketPoliciesMax) {
    const text = `${others.length} buckets have a policy of their own, which is the most there may be`;
    throw new RingtailError("INVALID_ARGUMENT", text);
  }
  return nextRing(ring, { buckets: [...others, policy] });
}
