/**
 * one-ring-per-epoch (I-11, I-4): whatever rings nodes ever obey, two of one epoch are the same ring, through splits,
 * crashes and two operators at once; and the rings of one node only rise, through all its lives. Two are told apart when
 * they are on a disk, which is before anybody obeys them: a first ring whose save fails is nobody's, and another is made.
 */
import type { Hash64 } from "../../base/hash.ts";
import type { Instant } from "../../base/time.ts";
import type { RingKept } from "../ring-watch.ts";
import type { Report } from "../violation.ts";

type Seen = Pick<RingKept, "at" | "seat" | "hash"> & { readonly ring: { readonly epoch: number } };

/** Watches every ring that a node saves. */
export class OneRingPerEpoch {
  readonly #report: Report;
  /** By epoch: the ring's hash, and who was seen to keep it first. */
  readonly #rings: Map<number, { readonly hash: Hash64; readonly seat: number }> = new Map();
  /** By seat. */
  readonly #highest: Map<number, number> = new Map();

  constructor(report: Report) {
    this.#report = report;
  }

  /** A node saves a ring. */
  onSave({ at, seat, ring: { epoch } }: Seen): void {
    const highest = this.#highest.get(seat) ?? 0;
    // What a crash kept from the disk is saved again.
    if (epoch < highest) this.#blame(at, `node ${seat + 1} went back from epoch ${highest} to ${epoch}`);
    this.#highest.set(seat, Math.max(highest, epoch));
  }

  /** A ring is on a node's disk. */
  onKept({ at, seat, ring: { epoch }, hash }: Seen): void {
    const first = this.#rings.get(epoch);
    if (first === undefined) this.#rings.set(epoch, { hash, seat });
    else if (first.hash.high !== hash.high || first.hash.low !== hash.low)
      this.#blame(at, `node ${seat + 1} and node ${first.seat + 1} obey different rings of epoch ${epoch}`);
  }

  #blame(at: Instant, text: string): void {
    this.#report({ at, invariant: "one-ring-per-epoch", text });
  }
}
