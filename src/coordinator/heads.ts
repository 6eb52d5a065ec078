/**
 * Heads: what the slots of a get have told of records that they did not send. Above `bodyMax` one slot, the op's
 * `bodySlot`, sends its record whole and the others only its head: header and version. A head that is
 * the same as, or older than, what the get holds counts as the answer that it stands for; any other one is news, and
 * the slot is asked again, for the whole record.
 *
 * Nobody is asked again while the body's slot may still answer: it probably brings what all of them have. Of several
 * heads that are news only those are fetched that no other one covers.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { copyBytes } from "../base/pool.ts";
import { compareHead, versionOfSealed } from "../version/record.ts";
import { compareVersions, VersionVector } from "../version/version-vector.ts";
import { slotsMax } from "./slots.ts";

export class Heads {
  /** Slots whose heads wait to be compared with a record that says as much. */
  open = 0;
  /** Of those, the ones that were asked for the whole record. */
  fetching = 0;
  readonly #heads: (Uint8Array | undefined)[] = new Array<undefined>(slotsMax).fill(undefined);
  readonly #versions: VersionVector[] = new Array<VersionVector>(slotsMax).fill(VersionVector.empty);
  readonly #recordBytes: number[] = new Array<number>(slotsMax).fill(0);

  /** Keeps a slot's head, which is borrowed. Throws `RecordError` if it is none. */
  add(slot: number, head: Uint8Array, recordBytes: number): void {
    this.#versions[slot] = versionOfSealed(head);
    this.#heads[slot] = copyBytes(head);
    this.#recordBytes[slot] = recordBytes;
    this.open |= 1 << slot;
  }

  /** What the slot's head says next to a record. Throws `RecordError`. */
  compare(slot: number, merged: Uint8Array): ReturnType<typeof compareHead> {
    if (canary("body-of-stale-holder")) return "older";
    return compareHead(merged, this.#heads[slot] as Uint8Array, this.#recordBytes[slot] as number);
  }

  /** The slot's head has had its answer: it counts, or its record is here, or neither will ever be. */
  close(slot: number): void {
    this.open &= ~(1 << slot);
    this.fetching &= ~(1 << slot);
    this.#heads[slot] = undefined;
  }

  /** Whose records must be fetched, as a mask: those that no other open head covers and of which none like it is fetched. */
  wanted(): number {
    let chosen = this.fetching;
    for (let slot = 0; this.open >>> slot !== 0; slot += 1) {
      const bit = 1 << slot;
      if ((this.open & bit) === 0 || (chosen & bit) !== 0) continue;
      if (!this.#isCovered(slot, chosen)) chosen |= bit;
    }
    return chosen & ~this.fetching;
  }

  #isCovered(slot: number, chosen: number): boolean {
    for (let other = 0; this.open >>> other !== 0; other += 1) {
      if (other === slot || (this.open & (1 << other)) === 0) continue;
      const order = compareVersions(this.#versions[slot] as VersionVector, this.#versions[other] as VersionVector);
      if (order === "before" || (order === "equal" && (chosen & (1 << other)) !== 0)) return true;
    }
    return false;
  }

  /** The slot is asked for its whole record. */
  fetch(slot: number): void {
    assert((this.open & ~this.fetching & (1 << slot)) !== 0, "what is fetched was told of, and is fetched once");
    this.fetching |= 1 << slot;
  }
}
