/**
 * one-ring-per-epoch (I-11, I-4): whatever rings nodes ever obey, two of one epoch are the same ring, through splits,
 * crashes and two operators at once; and the rings of one node only rise, through all its lives. Judged when a node saves
 * a ring, which it does before it obeys it.
 */
import type { Hash64 } from "../../base/hash.ts";
import type { RingSaved } from "../ring-watch.ts";
import type { Report } from "../violation.ts";

/** Watches every ring that a node saves. */
export class OneRingPerEpoch {
  readonly #report: Report;
  /** By epoch: the ring's hash, and who was seen to save it first. */
  readonly #rings: Map<number, { readonly hash: Hash64; readonly seat: number }> = new Map();
  /** By seat. */
  readonly #highest: Map<number, number> = new Map();

  constructor(report: Report) {
    this.#report = report;
  }

  onRing({
    at,
    seat,
    ring,
    hash,
  }: Pick<RingSaved, "at" | "seat" | "hash"> & { readonly ring: { epoch: number } }): void {
    const blame = (text: string): void => this.#report({ at, invariant: "one-ring-per-epoch", text });
    const { epoch } = ring;
    const first = this.#rings.get(epoch);
    if (first === undefined) this.#rings.set(epoch, { hash, seat });
    else if (first.hash.high !== hash.high || first.hash.low !== hash.low)
      blame(`node ${seat + 1} and node ${first.seat + 1} obey different rings of epoch ${epoch}`);
    const highest = this.#highest.get(seat) ?? 0;
    // What a crash kept from the disk is saved again.
    if (epoch < highest) blame(`node ${seat + 1} went back from epoch ${highest} to ${epoch}`);
    this.#highest.set(seat, Math.max(highest, epoch));
  }
}
