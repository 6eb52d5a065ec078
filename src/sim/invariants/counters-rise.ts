/**
 * counters-rise (I-4): within an actor the dots of a key only rise, and a process never mints under an actor that an
 * earlier process of that node has used: a new life is a new incarnation. Judged when a node hands a record to its
 * engine with a dot of its own that no engine was given before; such a dot has just been minted there. (Not in `memory`
 * mode: there a dot may have been at peers, and come back, before any engine saw it.)
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import type { Dot } from "../../version/version-vector.ts";
import { dotName, dotText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** Watches every record that a node hands to its engine. */
export class CountersRise implements RecordWatch {
  readonly #report: Report;
  /** The number the ring gave to the node on a seat; 0: unknown yet. */
  readonly #numberOf: (seat: number) => number;
  readonly #lifeOf: (seat: number) => number;
  readonly #seen = new Set<string>();
  /** The key under which a set was seen last. */
  readonly #judged = new Map<SiblingSet, string>();
  readonly #lifeOfActor = new Map<string, number>();
  readonly #highest = new Map<string, number>();

  constructor(numberOf: (seat: number) => number, lifeOf: (seat: number) => number, report: Report) {
    this.#numberOf = numberOf;
    this.#lifeOf = lifeOf;
    this.#report = report;
  }

  onRecord(now: Instant, node: number, key: string, set: SiblingSet): void {
    if (this.#judged.get(set) === key) return;
    this.#judged.set(set, key);
    for (const sibling of set.siblings) {
      for (const dot of sibling.dots) {
        const name = `${key}/${dotName(dot)}`;
        if (this.#seen.has(name)) continue;
        this.#seen.add(name);
        if (dot.actorHigh >>> 16 === this.#numberOf(node)) this.#checkMinted(now, node, key, dot);
      }
    }
  }

  #checkMinted(now: Instant, node: number, key: string, dot: Dot): void {
    const actor = `${dot.actorHigh}.${dot.actorLow}`;
    const life = this.#lifeOf(node);
    const first = this.#lifeOfActor.get(actor);
    if (first === undefined) this.#lifeOfActor.set(actor, life);
    else if (first !== life)
      this.#blame(now, key, `${dotText(dot)} was minted in life ${life} under an actor of life ${first}`);
    const place = `${actor}/${key}`;
    const highest = this.#highest.get(place) ?? 0;
    if (dot.counter <= highest) this.#blame(now, key, `${dotText(dot)} was minted after counter ${highest}`);
    this.#highest.set(place, Math.max(highest, dot.counter));
  }

  #blame(at: Instant, key: string, text: string): void {
    this.#report({ at, invariant: "counters-rise", key, text });
  }
}
