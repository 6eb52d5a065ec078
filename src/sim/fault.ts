/**
 * Fault: one thing that goes wrong, or that operators do, as plain data: what a schedule is a list of and a tape keeps.
 * Drawing them is draw-faults.ts, letting them happen is faults.ts.
 */
import { Durability } from "../base/durability.ts";
import type { DurationUs } from "../base/time.ts";
import {
  type DiskFaultClass,
  type FaultClass,
  type IdentityClass,
  identityClasses,
  type LoadFaultClass,
  type RingActClass,
} from "./plan.ts";

/** Everything that can happen. */
export type FaultKind = FaultClass | DiskFaultClass | LoadFaultClass | RingActClass | IdentityClass;

/**
 * One fault, or something that operators do (ring-acts.ts). `pairs` are directed, positions of places; `node` indexes
 * nodes. Unused fields are 0 or empty.
 */
export interface Fault {
  readonly at: DurationUs;
  readonly kind: FaultKind;
  readonly node: number;
  readonly lasts: DurationUs;
  readonly pairs: readonly (readonly [number, number])[];
  readonly factor: number;
}

/** Whether a fault of this class can take acknowledged copies from a node of this plan's mode. */
export function losesCopies(kind: FaultKind, durability: Durability): boolean {
  if (kind === "remove" || kind === "wipe" || kind === "rollback" || kind === "bit-rot") return true;
  if (kind === "power") return durability !== Durability.durable;
  const kills = kind === "crash" || kind === "read-errors" || kind === "write-errors";
  return kills && durability === Durability.memory;
}

/** Something that befalls a node's directory: identity-acts.ts. */
export interface IdentityAct extends Fault {
  readonly kind: IdentityClass;
}

/** Whether it is something that befalls a directory. */
export function isIdentityAct(fault: Fault): fault is IdentityAct {
  return (identityClasses as readonly string[]).includes(fault.kind);
}

/** One line for people. */
export function faultText(fault: Fault): string {
  const pairs = fault.pairs.length === 0 ? "" : ` ${fault.pairs.map(([from, to]) => `${from}>${to}`).join(" ")}`;
  return `${fault.kind} node ${fault.node + 1} for ${fault.lasts} us, factor ${fault.factor}${pairs}`;
}
