/**
 * Slots: who is asked, and whom each of them counts for. The owners come first (slot i is the i-th of the preference
 * list, or the fallback that stands for it because it could not be reached when the op began), then the pending member
 * of a list that is changing, then fallbacks that are added while the op runs (Dynamo 4.6). Entry i
 * of `op.targetNumbers` is the node of slot i; what follows the slots in use are candidate fallbacks, in order, so that
 * adding one is counting one up.
 *
 * A slot is a bit of a mask, and three bits of the packed numbers `standsFor` and `hostOf` (slot 0 lowest).
 */
import { assert } from "../base/assert.ts";
import type { NodeNumber } from "../base/ids.ts";

/** The most slots an op can have: they are the low 3 bits of a frame id. */
export const slotsMax = 8;

/** Packed: every slot is itself. As `standsFor`: nobody stands for another; as `hostOf`: each has a host of its own. */
export const ownSlots = 0o76543210;

/** The three bits of a slot in a packed number. */
export function packedAt(packed: number, slot: number): number {
  return (packed >>> (3 * slot)) & 7;
}

/** The packed number with other bits for one slot. */
export function packedWith(packed: number, slot: number, value: number): number {
  assert(slot >= 0 && slot < slotsMax && value >= 0 && value < slotsMax, "a slot is 0 to 7");
  return (packed & ~(7 << (3 * slot))) | (value << (3 * slot));
}

/** How many of the low 8 bits are set. */
export function countSlots(mask: number): number {
  const pairs = mask - ((mask >>> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (nibbles + (nibbles >>> 4)) & 0x0f;
}

/** The mask of all slots below `targets`. */
export function allSlots(targets: number): number {
  return (1 << targets) - 1;
}

/** The slots that count for the owner in slot `owner`: its own, and those of its fallbacks. */
export function slotsFor(targets: number, standsFor: number, owner: number): number {
  let mask = 0;
  for (let slot = 0; slot < targets; slot += 1) if (packedAt(standsFor, slot) === owner) mask |= 1 << slot;
  return mask;
}

/** The owners for which the slots in `mask` count, as a mask of their slots. */
export function ownersOf(mask: number, standsFor: number): number {
  if (standsFor === ownSlots) return mask;
  let owners = 0;
  for (let slot = 0; slot < slotsMax; slot += 1) {
    if ((mask & (1 << slot)) !== 0) owners |= 1 << packedAt(standsFor, slot);
  }
  return owners;
}

/** The fields of an op that say who is asked. */
export interface Slots {
  targets: number;
  /** How many entries of `targetNumbers` after the slots are candidate fallbacks. */
  candidates: number;
  fallbacks: number;
  standsFor: number;
  readonly ownerNumbers: Uint16Array;
}

/** Adds a slot that stands for the owner in slot `owner`; returns it, or -1 when there is none left to ask. */
export function addSlot(op: Slots, owner: number): number {
  if (op.candidates === 0 || op.targets >= slotsMax) return -1;
  const slot = op.targets;
  op.targets += 1;
  op.candidates -= 1;
  op.standsFor = packedWith(op.standsFor, slot, owner);
  return slot;
}

/** The node for which a fallback's slot keeps the record. */
export function hintOwner(op: Slots, slot: number): NodeNumber {
  assert((op.fallbacks & (1 << slot)) !== 0, "only a fallback keeps hints");
  return op.ownerNumbers[packedAt(op.standsFor, slot)] as NodeNumber;
}
