/**
 * SharedWrites: which puts share one frame. Puts of one key that the own replica has sealed as one record
 * (replica/put-ops.ts) would send it to each peer as often as there are puts. The first one's frame carries it, and what
 * the peer answers is the answer to all of them; for the coordinator each has asked for itself.
 */
import { noBytes } from "../base/bytes.ts";
import { mark } from "../base/mark.ts";
import type { PutOp } from "../coordinator/put.ts";
import { slotFrameId } from "./slot-frame-id.ts";

/** A frame with the record that is not answered yet. */
interface Carrier {
  readonly target: number;
  readonly durability: number;
  readonly epoch: number;
  readonly frameId: number;
}

const nobody: readonly number[] = [];

/** Bounded by the puts in flight. */
export class SharedWrites {
  /** The record that several puts of this turn share. */
  #sealed: Uint8Array = noBytes;
  readonly #carriers: Carrier[] = [];
  /** By the frame id of the carrier, the frame ids that those who share it would have had. */
  readonly #sharers: Map<number, number[]> = new Map();

  /** The own replica has sealed several puts as this record, and they are about to be sent, one after the other. */
  begin(sealed: Uint8Array): void {
    if (sealed === this.#sealed) return;
    this.#sealed = sealed;
    this.#carriers.length = 0;
  }

  /** A put's record was sent to the peer in a slot. */
  sent(op: PutOp<unknown>, slot: number, durability: number): void {
    if (op.sealed !== this.#sealed) return;
    const target = op.targetNumbers[slot] as number;
    this.#carriers.push({ target, durability, epoch: op.epoch, frameId: slotFrameId(op.id, slot) });
  }

  /** Whether a frame that will be answered carries this very record there already: the put shares its answer from now on. */
  join(op: PutOp<unknown>, slot: number, durability: number): boolean {
    if (op.sealed !== this.#sealed) return false;
    const target = op.targetNumbers[slot];
    const frameId = slotFrameId(op.id, slot);
    const isCarrier = (one: Carrier): boolean =>
      one.target === target && one.durability === durability && one.epoch === op.epoch && one.frameId !== frameId;
    const carrier = this.#carriers.find(isCarrier);
    if (carrier === undefined) return false;
    mark("put.shared-frame");
    const sharers = this.#sharers.get(carrier.frameId);
    if (sharers === undefined) this.#sharers.set(carrier.frameId, [frameId]);
    else sharers.push(frameId);
    return true;
  }

  /** A frame is answered: the frame ids that its answer counts for as well. */
  take(frameId: number): readonly number[] {
    if (this.#carriers.length > 0) this.#drop((one) => one.frameId === frameId);
    if (this.#sharers.size === 0) return nobody;
    const sharers = this.#sharers.get(frameId);
    if (sharers === undefined) return nobody;
    this.#sharers.delete(frameId);
    return sharers;
  }

  /** A put has left the coordinator: an answer to one of its frames comes too late for those who share it, too. */
  forget(op: PutOp<unknown>): void {
    if (this.#sharers.size === 0) return;
    for (let slot = 0; slot < op.targets; slot += 1) this.#sharers.delete(slotFrameId(op.id, slot));
  }

  /** What a peer was sent it will not answer; the coordinator fails all who asked. */
  onPeerLost(target: number): void {
    this.#drop((one) => one.target === target);
  }

  /** A second attempt may send the record again, long after this turn's frames were answered. */
  endTurn(): void {
    this.#sealed = noBytes;
    this.#carriers.length = 0;
  }

  #drop(which: (carrier: Carrier) => boolean): void {
    for (let i = this.#carriers.length - 1; i >= 0; i -= 1) {
      if (which(this.#carriers[i] as Carrier)) this.#carriers.splice(i, 1);
    }
  }
}
