/**
 * stamps-rise: a node's hybrid clock never goes back, whatever its wall clock does: of two dots that one actor minted for
 * a key the later has the greater stamp. And no record holds two stamped writes.
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { dotName, dotText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** Watches every record that a node writes. */
export class StampsRise implements RecordWatch {
  readonly #report: Report;
  /** By key and actor: the stamp of each counter. */
  readonly #stamps = new Map<string, Map<number, number>>();

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
        const name = `${key}/${dotName({ ...dot, counter: 0 })}`;
        const known = this.#stamps.get(name) ?? new Map<number, number>();
        this.#stamps.set(name, known);
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
}
