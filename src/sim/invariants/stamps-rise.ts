/**
 * stamps-rise: a node's hybrid clock never goes back, whatever its wall clock does: of two dots that one actor minted for
 * a key the later has the greater stamp, unless all of the key was forgotten in between. And no record holds two stamped
 * writes.
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { dotName, dotText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** Watches every record that a node writes. */
export class StampsRise implements RecordWatch {
  readonly #report: Report;
  /** By key, then by actor: the stamp of each counter. */
  readonly #stamps = new Map<string, Map<string, Map<number, number>>>();

  constructor(report: Report) {
    this.#report = report;
  }

  onRecord(at: Instant, node: number, key: string, set: SiblingSet): void {
    const stamped = set.siblings.filter(({ stamp }) => stamp > 0);
    if (stamped.length > 1) {
      const text = `node ${node + 1} writes ${stamped.length} stamped siblings`;
      this.#report({ at, invariant: "stamps-rise", key, text });
    }
    for (const { dots, stamp } of stamped) {
      for (const dot of dots) {
        const known = this.#stampsOf(key, dotName({ ...dot, counter: 0 }));
        if (known.get(dot.counter) === stamp) continue;
        known.set(dot.counter, stamp);
        for (const [counter, other] of known) {
          if (counter === dot.counter || counter < dot.counter === other < stamp) continue;
          const text = `${dotText(dot)} is stamped ${stamp}, and the dot of counter ${counter} ${other}`;
          this.#report({ at, invariant: "stamps-rise", key, text });
        }
      }
    }
  }

  onForgotten(_at: Instant, _node: number, key: string): void {
    this.#stamps.delete(key);
  }

  #stampsOf(key: string, actor: string): Map<number, number> {
    const ofKey = this.#stamps.get(key) ?? new Map<string, Map<number, number>>();
    const known = ofKey.get(actor) ?? new Map<number, number>();
    this.#stamps.set(key, ofKey.set(actor, known));
    return known;
  }
}
