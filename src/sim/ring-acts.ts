/**
 * Ring acts: what operators do to the ring of a run, drawn as part of its schedule. An act stages one change and commits
 * the plan that follows from all that is staged, some time later and whether or not that was answered: operators are
 * impatient. In `pairs` is who is asked: two nodes; if they differ, the commit goes to both at once.
 *
 * Kept while drawing: at least N nodes of the first ring stay or are replaced, so that every quorum can be met in the
 * end; and only a node that may lose its copies, one at the most, is given up for dead.
 */
import type { Rng } from "../base/rng.ts";
import type { Fault } from "./fault.ts";
import { type RingActClass, type RunPlan, ringActClasses } from "./plan.ts";

/** An act: `node` is whom it is about; `lasts`, the time until the commit; `factor` of a replace, who comes instead. */
export interface RingAct extends Fault {
  readonly kind: RingActClass;
}

/** Whether it is something that operators do. */
export function isRingAct(fault: Fault): fault is RingAct {
  return (ringActClasses as readonly string[]).includes(fault.kind);
}

/** Seats that acts can still be about. */
class Seats {
  /** Seats of nodes that are in no ring yet. */
  readonly fresh: number[];
  readonly stable: number[];
  /** How many may go without another one coming. */
  spare: number;
  mortals: readonly number[];

  constructor(plan: RunPlan, rng: Rng, mortals: readonly number[]) {
    const first = plan.nodes - plan.joiners;
    this.fresh = Array.from({ length: plan.joiners }, (_, i) => first + i);
    this.stable = rng.shuffle(Array.from({ length: first }, (_, seat) => seat));
    this.spare = first - plan.n;
    // The votes of a dead node count until it is removed: with two nodes nobody could remove it.
    this.mortals = first >= 3 ? mortals : [];
  }

  /** Takes a node of the first ring that is to go; -1: there is none. */
  takeGoer(wanted: (seat: number) => boolean): number {
    const index = this.stable.findIndex(wanted);
    return index < 0 ? -1 : (this.stable.splice(index, 1)[0] as number);
  }
}

/** What operators do in this run, in no order. Times count from the beginning of the chaos phase. */
export function drawRingActs(plan: RunPlan, rng: Rng, mortals: readonly number[]): Fault[] {
  const acts: Fault[] = [];
  if (plan.ringActs.length === 0) return acts;
  const seats = new Seats(plan, rng, mortals);
  const count = rng.between(1, 6);
  for (let i = 0; i < count; i += 1) {
    const kind = rng.pick(plan.ringActs);
    const subject = drawSubject(kind, seats);
    if (subject === undefined) continue;
    const asked = rng.below(plan.nodes);
    const other = rng.chance(500) ? asked : rng.below(plan.nodes);
    const at = rng.below(plan.chaosUs);
    const lasts = rng.pick([0, 20_000, 300_000, 2_000_000]);
    acts.push({ at, kind, node: subject.node, lasts, pairs: [[asked, other]], factor: subject.by });
  }
  return acts;
}

/** Whom an act of this kind is about, and who comes instead; undefined: there is nobody left for it. */
function drawSubject(kind: RingActClass, seats: Seats): { readonly node: number; readonly by: number } | undefined {
  const found = (node: number | undefined, by: number = 0): ReturnType<typeof drawSubject> =>
    node === undefined || node < 0 ? undefined : { node, by };
  switch (kind) {
    case "join":
      return found(seats.fresh.shift());
    case "leave":
      if (seats.spare <= 0) return undefined;
      seats.spare -= 1;
      return found(seats.takeGoer(() => true));
    case "remove": {
      if (seats.spare <= 0) return undefined;
      const node = seats.takeGoer((seat) => seats.mortals.includes(seat));
      if (node < 0) return undefined;
      seats.spare -= 1;
      seats.mortals = [];
      return found(node);
    }
    case "replace": {
      if (seats.fresh.length === 0) return undefined;
      const node = seats.takeGoer(() => true);
      return node < 0 ? undefined : found(node, seats.fresh.shift());
    }
    default:
      return found(0);
  }
}
