/**
 * What would be wrong with a node at a position of the table: its host too close to itself, its zone too close or too
 * far. The rules are those of claim-layout.ts, for one entry at a time. A fault is never fatal, lists skip; but skipped
 * entries load nodes unevenly and move copies that need not move.
 */
import type { PlanTable } from "./plan-table.ts";

/** Lists of N skip an entry: weighs most. */
export const hardFault = 16;
/** A list skips for a zone, or lacks one. */
const zoneFault = 4;
/** Only the first fallback is not the next entry. */
const softFault = 1;

/** The constraints of one plan. */
export interface SpacingRules {
  /** N. */
  readonly copies: number;
  /** Hosts and zones that may own. */
  readonly hosts: number;
  readonly zones: number;
}

/** The faults of `node` at `position`, whoever owns that now; 0: none. */
export function faultsAt(table: PlanTable, rules: SpacingRules, position: number, node: number): number {
  const { copies, hosts } = rules;
  const host = table.places.hostOf[node] as number;
  // Hosts no more than N can only take turns, so that is the most to ask for.
  const spacing = Math.min(copies, hosts - 1);
  let fault = 0;
  for (let k = 1; k <= spacing; k += 1) {
    const weight = k < copies ? hardFault : softFault;
    if (table.hostAt(position + k) === host) fault += weight;
    if (table.hostAt(position - k) === host) fault += weight;
  }
  return fault + zoneFaultsAt(table, rules, position, table.places.zoneOf[node] as number);
}

function zoneFaultsAt(table: PlanTable, rules: SpacingRules, position: number, zone: number): number {
  const { copies, hosts, zones } = rules;
  if (zones === 1 || copies === 1 || hosts <= copies) return 0;
  let fault = 0;
  if (zones >= copies) {
    for (let k = 1; k < copies; k += 1) {
      if (table.zoneAt(position + k) === zone) fault += zoneFault;
      if (table.zoneAt(position - k) === zone) fault += zoneFault;
    }
    return fault;
  }
  for (let first = position - copies + 1; first <= position; first += 1) {
    let seen = 1 << zone;
    for (let k = 0; k < copies; k += 1) if (first + k !== position) seen |= 1 << table.zoneAt(first + k);
    // The zone of a node that leaves may be one more.
    fault += zoneFault * Math.max(0, zones - bitsIn(seen));
  }
  return fault;
}

function bitsIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
