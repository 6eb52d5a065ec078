/**
 * damage-mended (G10, I-16): once all is healed, a record that has been damaged at one owner and can be read at another is
 * written anew, without anybody's asking for it.
 */
import { utf8Text } from "../../base/bytes.ts";
import { keyOf } from "../../base/full-key.ts";
import { checkRecord } from "../../version/record.ts";
import type { Audit, Invariant } from "../audit.ts";

/** Keys, with the seats of owners that cannot read them although another owner can. */
export function damagedCopies(audit: Audit): { readonly key: string; readonly seat: number }[] {
  const found: { readonly key: string; readonly seat: number }[] = [];
  for (const seat of audit.members) {
    for (const [fullKey, sealed] of audit.cluster.drives[seat]?.stored() ?? []) {
      if (checkRecord(sealed) === null) continue;
      const key = utf8Text(keyOf(fullKey));
      const owners = audit.owners(key);
      const helps = owners.some((owner) => owner !== seat && audit.disks[owner]?.has(key) === true);
      if (helps && owners.includes(seat)) found.push({ key, seat });
    }
  }
  return found;
}

/** Judged on every disk. */
export const damageMended: Invariant = {
  name: "damage-mended",
  check(audit) {
    for (const { key, seat } of damagedCopies(audit)) {
      audit.blame("damage-mended", `node ${seat + 1}'s record is damaged, and others can read theirs`, key);
    }
  },
};
