/**
 * anti-entropy-converges (G8): after healing, and without a single read, all owners of a key come to hold the same: the
 * same version and the same siblings. What a record keeps besides (which write ids it has superseded) is nothing that
 * replicas compare.
 */
import { openRecord } from "../../version/record.ts";
import type { Audit } from "../audit.ts";

/** Whether the owners hold causally equal records of the key. */
export function isRepaired(audit: Audit, key: string): boolean {
  const [first, ...others] = audit.owners(key).map((seat) => audit.disks[seat]?.get(key));
  if (first === undefined) return others.every((copy) => copy === undefined);
  const set = openRecord(first);
  return others.every((copy) => copy !== undefined && set.sameCausally(openRecord(copy)));
}
