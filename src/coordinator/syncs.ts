/**
 * Syncs: which slots of a put write with which durability. `memory`, `buffered` and `durable` are the same for all.
 * With `one-durable` one designated slot syncs and the others do not (Dynamo 6.1): not the coordinator while another
 * can, because its sync would stand between the client and the answer, and another slot for each partition, so that
 * the syncs of a node's puts spread over its peers. `dw` may ask for more syncs than the mode gives: so many slots are
 * designated. Source: mechanisms 3.8, reliability section 1 (b).
 */
import { Durability } from "../base/durability.ts";
import { allSlots, countSlots } from "./slots.ts";
import type { AskedPut } from "./tally.ts";

/** The fields of a put that say who syncs. */
export interface Syncing extends AskedPut {
  readonly durability: Durability;
  readonly partition: number;
  readonly localSlot: number;
  /** Slots that sync for the others: asked to, or done. */
  designated: number;
  /** How many slots are to sync although the mode itself does not ask it of them. */
  syncs: number;
}

/** Chooses the first designated slots: those after the coordinator's, turned by the partition; the coordinator's last. */
export function designateFirst(put: Syncing): void {
  if (put.durability === Durability.durable) return;
  const least = put.durability === Durability.oneDurable ? 1 : 0;
  put.syncs = Math.min(Math.max(put.quorum.dw, least), put.targets);
  const others = put.localSlot < 0 ? put.targets : put.targets - 1;
  for (let i = 0; i < put.syncs; i += 1) {
    const slot = i < others ? (put.localSlot + 1 + ((put.partition + i) % others)) % put.targets : put.localSlot;
    put.designated |= 1 << slot;
  }
}

/**
 * Designates one more slot if syncs are missing and returns it, or -1. A slot that has acked is known to live, so it is
 * preferred; the coordinator's own is the last resort, when the record would otherwise be synced nowhere.
 */
export function designateAnother(put: Syncing): number {
  if (!syncsMissing(put)) return -1;
  const candidates = allSlots(put.targets) & ~(put.failed | put.unsynced | put.designated | put.durable);
  const others = put.localSlot < 0 ? candidates : candidates & ~(1 << put.localSlot);
  const alive = others & put.acked;
  const preferred = alive || others || candidates;
  for (let i = 0; i < put.targets; i += 1) {
    const slot = (put.partition + i) % put.targets;
    if ((preferred & (1 << slot)) === 0) continue;
    put.designated |= 1 << slot;
    return slot;
  }
  return -1;
}

/** Whether fewer slots sync, or have synced, than are to. */
export function syncsMissing(put: Syncing): boolean {
  return countSlots(put.designated | put.durable) < put.syncs;
}

/** What a slot writes with. */
export function slotDurability(put: Syncing, slot: number): Durability {
  if ((put.designated & (1 << slot)) !== 0) return Durability.oneDurable;
  return put.durability === Durability.oneDurable ? Durability.buffered : put.durability;
}
