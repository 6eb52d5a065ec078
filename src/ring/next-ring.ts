/**
 * Making the ring of the next epoch out of this one: whoever changes a ring goes through here, so that what follows from
 * the change (the fence of each partition, since when a position is active) is computed in one place. And the test
 * that a flip must pass. What to change is decided in plan.ts and progress.ts.
 */
import { noNode } from "../base/ids.ts";
import { Ring, type RingFields } from "./ring.ts";

/** What a change may set; everything else stays as it is. */
export type RingChange = Partial<Omit<RingFields, "clusterId" | "partitions" | "activeSince" | "fences">>;

/**
 * The ring that follows `ring`: its epoch is one higher unless `change` says more. Throws `INVALID_ARGUMENT` if the
 * change makes no valid ring.
 */
export function nextRing(ring: Ring, change: RingChange): Ring {
  const epoch = change.epoch ?? ring.epoch + 1;
  const fields: RingFields = { ...ring, ...change, epoch };
  const activeSince = sinceWhen(ring, fields);
  const unfenced = new Ring({ ...fields, activeSince, fences: ring.fences });
  return unfenced.withFences(fencesAfter(ring, unfenced));
}

/** A position that stays active on its way to the same owner keeps its epoch. */
function sinceWhen(ring: Ring, next: RingFields): Uint32Array {
  const before = new Map<number, number>();
  for (const [i, position] of ring.active.entries()) {
    if (next.goal?.[position] === ring.goal[position]) before.set(position, ring.activeSince[i] as number);
  }
  return Uint32Array.from(next.active ?? [], (position) => before.get(position) ?? next.epoch);
}

/** The fence of each partition in `next`, whose epoch it is where owners or pending member differ from those in `ring`. */
function fencesAfter(ring: Ring, next: Ring): Uint32Array {
  const fences = ring.fences.slice();
  const before = ring.listPair();
  const after = next.listPair();
  for (const n of new Set([...ring.listSizes, ...next.listSizes])) {
    for (let p = 0; p < fences.length; p += 1) {
      before.read(p, n);
      after.read(p, n);
      if (!after.sameAs(before)) fences[p] = next.epoch;
    }
  }
  return fences;
}

/**
 * Why `next` must not follow `ring` when only the `confirmed` transfers (by id) are done; null if it may. A list may stay
 * as it is, change as its confirmed transfer says, or lose a member; anybody else would own what it never received.
 */
export function flipFault(ring: Ring, next: Ring, confirmed: ReadonlySet<number>): string | null {
  const arrived = new Map<number, number>();
  for (const transfer of ring.transfers()) {
    if (confirmed.has(transfer.id)) arrived.set(8 * transfer.partition + transfer.n, transfer.joining);
  }
  const before = ring.listReader();
  const after = next.listReader();
  for (const n of ring.listSizes) {
    for (let p = 0; p < ring.partitions; p += 1) {
      before.read(p, n);
      after.read(p, n);
      const number = after.newcomerSince(before);
      if (number === noNode || (after.newSince(before) === 1 && arrived.get(8 * p + n) === number)) continue;
      return `node ${number} would own partition ${p} (n = ${n}) without a confirmed transfer`;
    }
  }
  return null;
}
