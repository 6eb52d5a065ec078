/**
 * dots-unique (I-3): a dot (actor, counter) stands for one write of one key, on every disk and for the whole run,
 * through crashes and power cuts. The partition is part of the actor although no dot spells it out.
 * Judged at every record that reaches a disk.
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { dotName, dotText, idName } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** Watches every record that a node hands to its engine. */
export class DotsUnique implements RecordWatch {
  readonly #owner = new Map<string, string>();
  /** The key under which a set was judged last: nothing else comes of looking at it again. */
  readonly #judged = new Map<SiblingSet, string>();
  readonly #partitionOf: (key: string) => number;
  readonly #report: Report;

  constructor(partitionOf: (key: string) => number, report: Report) {
    this.#partitionOf = partitionOf;
    this.#report = report;
  }

  onRecord(now: Instant, node: number, key: string, set: SiblingSet): void {
    if (this.#judged.get(set) === key) return;
    this.#judged.set(set, key);
    const partition = this.#partitionOf(key);
    for (const sibling of set.siblings) {
      const mine = `${key}/${idName(sibling.requestId)}`;
      for (const dot of sibling.dots) {
        const name = `${partition}/${dotName(dot)}`;
        const other = this.#owner.get(name);
        if (other === undefined) this.#owner.set(name, mine);
        else if (other !== mine) {
          const text = `dot ${dotText(dot)} stands for ${other} and, on node ${node + 1}, for ${mine}`;
          this.#report({ at: now, invariant: "dots-unique", key, text });
        }
      }
    }
  }
}
