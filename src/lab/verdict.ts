/**
 * Whether a run may be published: a pure decision over what was counted. A run is void when the generator, and not the
 * cluster, decided what was measured; the reasons are told in words, with their figures.
 */

/** What decides. */
export interface RunFacts {
  /** Operations per second that were asked for; null: a closed loop, which asks for as many as there are. */
  readonly askedRate: number | null;
  /** Operations that the schedule held in the window, and answers that came inside it. */
  readonly scheduled: number;
  readonly answeredInside: number;
  readonly operations: number;
  readonly latenessP999Us: number;
  readonly windowUs: number;
  /** CPU time of the generator in the window. */
  readonly cpuUs: number;
  /** Time its main thread waited for a CPU; null: unknown. */
  readonly waitedUs: number | null;
  readonly heldBack: number;
  readonly inFlightMax: number;
  /** CPU time that the hypervisor gave to others, 0 to 1; null: unknown. */
  readonly stealShare: number | null;
  /** What an idle process that waits for no other slept too long, at p99.9; null: unknown. */
  readonly hiccupP999Us: number | null;
}

const latenessMaxUs = 1_000;
const throughputShareMin = 0.99;
const stealShareMax = 0.01;
const hiccupMaxUs = 1_000;

/** Null: the run stands. Otherwise why it does not. */
export function decideVoid(facts: RunFacts): string | null {
  const reasons: string[] = [];
  if (facts.operations === 0) reasons.push("no operation succeeded");
  if (facts.heldBack > 0) {
    reasons.push(
      `${facts.heldBack} operations had to wait because ${facts.inFlightMax} were in flight (--in-flight-max)`,
    );
  }
  if (facts.askedRate !== null) addOpenLoopReasons(facts, facts.askedRate, reasons);
  if (facts.stealShare !== null && facts.stealShare > stealShareMax) {
    reasons.push(`other virtual machines took ${(facts.stealShare * 100).toFixed(1)} % of the CPUs (allowed: 1 %)`);
  }
  if (facts.hiccupP999Us !== null && facts.hiccupP999Us > hiccupMaxUs) {
    const ms = (facts.hiccupP999Us / 1000).toFixed(2);
    reasons.push(`the machine itself stood still, ${ms} ms at p99.9 in an idle process (allowed: 1 ms)`);
  }
  return reasons.length === 0 ? null : reasons.join("; ");
}

function addOpenLoopReasons(facts: RunFacts, rate: number, reasons: string[]): void {
  if (facts.latenessP999Us > latenessMaxUs) {
    const late = (facts.latenessP999Us / 1000).toFixed(2);
    reasons.push(`the generator sent late, ${late} ms at p99.9 (allowed: 1 ms): ${cause(facts)}`);
  }
  if (facts.answeredInside < facts.scheduled * throughputShareMin) {
    const share = ((facts.answeredInside / Math.max(1, facts.scheduled)) * 100).toFixed(1);
    reasons.push(
      `only ${share} % of the ${Math.round(rate)} operations per second asked for were answered (needed: 99 %)`,
    );
  }
}

/** What kept the generator: its own work, or others that had the CPU. */
function cause(facts: RunFacts): string {
  const busy = `its process used ${percent(facts.cpuUs, facts.windowUs)} % of a CPU`;
  if (facts.waitedUs === null) return busy;
  const waited = `waited ${percent(facts.waitedUs, facts.windowUs)} % of the time for one`;
  const why = facts.waitedUs > facts.windowUs / 50 ? "the machine's CPUs were taken" : "its own event loop was busy";
  return `${why} (${busy} and ${waited})`;
}

function percent(part: number, whole: number): string {
  return ((100 * part) / Math.max(1, whole)).toFixed(0);
}
