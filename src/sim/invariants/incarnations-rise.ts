/**
 * incarnations-rise (I-4): a node's incarnation never falls, a new life begins above all that earlier ones have shown, and
 * nobody but the member itself raises it: what others believe is never above what it has shown. Judged at every change of
 * a table and every boot.
 */
import type { NodeId } from "../../base/ids.ts";
import type { Instant } from "../../base/time.ts";
import type { MemberEvent, MemberPlace } from "../member-event.ts";
import type { Report } from "../violation.ts";

/** Watches incarnations, as shown and as believed. */
export class IncarnationsRise {
  readonly #report: Report;
  /** The highest that each member has shown, and in which life. */
  readonly #shown = new Map<NodeId, { readonly incarnation: number; readonly life: number }>();
  /** What each node holds of each other one, in its life. */
  readonly #held = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** Looks at a node's own incarnation. */
  look(now: Instant, seat: MemberPlace): void {
    const { incarnation, life, id, name } = seat;
    if (incarnation === 0) return;
    const before = this.#shown.get(id);
    if (before !== undefined && incarnation < before.incarnation)
      this.#blame(now, `${name} fell from incarnation ${before.incarnation} to ${incarnation}`);
    if (before !== undefined && incarnation === before.incarnation && life !== before.life)
      this.#blame(now, `${name} showed incarnation ${incarnation} in two lives`);
    if (before?.incarnation !== incarnation || before.life !== life) this.#shown.set(id, { incarnation, life });
  }

  /** A table has changed. */
  onEvent(event: MemberEvent): void {
    const { at, seat, about, incarnation } = event;
    this.look(at, about);
    const shown = this.#shown.get(about.id)?.incarnation ?? 0;
    if (incarnation > shown)
      this.#blame(at, `${seat.name} believes ${about.name} at incarnation ${incarnation}; it has shown ${shown}`);
    const key = `${seat.name}/${seat.life}/${about.id}`;
    const held = this.#held.get(key) ?? 0;
    if (incarnation < held)
      this.#blame(at, `${seat.name} held ${about.name} at incarnation ${held} and went back to ${incarnation}`);
    this.#held.set(key, incarnation);
  }

  #blame(at: Instant, text: string): void {
    this.#report({ at, invariant: "incarnations-rise", text });
  }
}
