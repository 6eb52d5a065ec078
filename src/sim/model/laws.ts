/**
 * The laws of the model: what must hold in every state, and what must be true once everything has come to rest. Each is told
 * from the naive history (history.ts) alone; none asks the code that it judges.
 */
import { equalBytes, noBytes } from "../../base/bytes.ts";
import type { Sibling } from "../../version/sibling-set.ts";
import { idOf, liveMask, liveWrites, pastOf, recordsOf, reflected, setOf } from "./history.ts";
import {
  bit,
  type DiskState,
  diskOf,
  fallback,
  firstState,
  type ModelState,
  members,
  nodeOf,
  owners,
  quorum,
  type WriteModel,
} from "./state.ts";
import { type Step, stepsOf, take } from "./steps.ts";

/** What is wrong, by the name of its law; null: nothing. */
export type Breach = { readonly law: string; readonly text: string } | null;

/** The letter of a write. */
export function nameOf(write: number): string {
  return String.fromCharCode(97 + write);
}

/** The letters of a mask. */
export function namesOf(mask: number): string {
  let names = "";
  for (let write = 0; mask >>> write !== 0; write += 1) if ((mask & bit(write)) !== 0) names += nameOf(write);
  return names;
}

function breach(law: string, text: string): Breach {
  return { law, text };
}

/** Holds one state, which `before` led to, against the laws. */
export function judge(before: ModelState, state: ModelState): Breach {
  for (const number of members) {
    for (const sealed of recordsOf(diskOf(nodeOf(state, number)))) {
      const found = judgeRecord(state, sealed, number);
      if (found !== null) return found;
    }
  }
  return judgeDots(state) ?? judgeAcks(before, state) ?? judgeHints(before, state) ?? judgeLosses(state);
}

/** No sibling is invented, none is superseded by another, none comes back from under a delete that was forgotten. */
function judgeRecord({ writes, reaped }: ModelState, sealed: Uint8Array, at: number): Breach {
  const live = liveWrites(sealed);
  const buried = pastOf(reaped, writes) & ~reaped;
  for (const [index, number] of live.entries()) {
    const write = writes[number];
    if (write === undefined || !isOf(setOf(sealed).siblings[index] as Sibling, number, write)) {
      return breach("invented sibling", `node ${at} holds a sibling that nobody wrote`);
    }
    if (live.indexOf(number) !== index) return breach("invented sibling", `node ${at} holds ${nameOf(number)} twice`);
    if ((buried & bit(number)) !== 0) {
      return breach("deleted stays deleted", `node ${at} holds ${nameOf(number)}, whose delete has been forgotten`);
    }
    for (const other of live) {
      if ((write.names & bit(other)) !== 0) {
        return breach("superseded sibling", `node ${at} holds ${nameOf(other)} beside ${nameOf(number)}, which saw it`);
      }
    }
  }
  return null;
}

function isOf({ requestId, value, tombstone }: Sibling, number: number, write: WriteModel): boolean {
  const whole = equalBytes(value, tombstone ? noBytes : requestId);
  return whole && equalBytes(requestId, idOf(number)) && tombstone === write.tombstone;
}

function judgeDots({ writes }: ModelState): Breach {
  const seen = new Set<string>();
  for (const [number, { dot }] of writes.entries()) {
    const text = `${dot.actorHigh}/${dot.actorLow}/${dot.counter}`;
    if (seen.has(text)) return breach("one dot, one write", `${nameOf(number)} has the dot of an older write`);
    seen.add(text);
  }
  return null;
}

/** When a write is acknowledged, as many nodes hold it as have said so. */
function judgeAcks(before: ModelState, state: ModelState): Breach {
  const { writes, reaped } = state;
  for (const [number, write] of writes.entries()) {
    if (!write.acked || before.writes[number]?.acked !== false) continue;
    const holders = members.filter((member) => (reflected(diskOf(nodeOf(state, member)), writes) & bit(number)) !== 0);
    if (holders.length < quorum && (pastOf(reaped, writes) & bit(number)) === 0) {
      return breach("quorum honoured", `${nameOf(number)} is acknowledged and held by ${holders.length} of ${quorum}`);
    }
  }
  return null;
}

/** What a hint no longer says is on its target's stable storage; but a power cut may take a hint that was not synced. */
function judgeHints(before: ModelState, state: ModelState): Breach {
  if (state.left.cuts !== before.left.cuts) return null;
  const { writes, reaped } = state;
  const kept = new Map(diskOf(nodeOf(state, fallback)).hints.map(({ target, sealed }) => [target, liveMask(sealed)]));
  for (const { target, sealed } of diskOf(nodeOf(before, fallback)).hints) {
    const home = nodeOf(state, target).disks[0] as DiskState;
    const known = reflected(home, writes) | pastOf((kept.get(target) ?? 0) | reaped, writes);
    const lost = liveMask(sealed) & ~known;
    if (lost !== 0) return breach("hints come home", `the hint of ${namesOf(lost)} for node ${target} is gone`);
  }
  return null;
}

/** The acknowledged writes of a mask. */
function acknowledged(writes: readonly WriteModel[]): number {
  let mask = 0;
  for (const [number, { acked }] of writes.entries()) if (acked) mask |= bit(number);
  return mask;
}

/** What is acknowledged is held by somebody, or superseded by what somebody holds, or by a delete that was forgotten. */
function judgeLosses({ nodes, writes, reaped }: ModelState): Breach {
  let held = pastOf(reaped, writes);
  for (const node of nodes) held |= reflected(diskOf(node), writes);
  const lost = acknowledged(writes) & ~held;
  return lost === 0 ? null : breach("acknowledged writes survive", `nobody holds ${namesOf(lost)}`);
}

const spent = { puts: 0, deletes: 0, reads: 0, crashes: 0, cuts: 0, reaps: 0 };

/** The state in which nothing more is asked of the cluster, and what is under way is lost. */
export function leftAlone(state: ModelState): ModelState {
  const { client } = firstState(spent);
  const writes = state.writes.map((write) => ({ ...write, acks: 0, open: false, reply: client }));
  const nodes = state.nodes.map((node) => ({ ...node, disks: [diskOf(node)] }));
  const messages = state.messages.filter(({ kind }) => kind === "forget");
  return { ...state, nodes, writes, messages, client, reap: null, left: spent };
}

/** Enough for anything that a model can hold to go home, be compared, and be reaped. */
const turnsMax = 64;

/** What happens by itself until there is nothing more: comparing when nothing is under way, each way in turn; reaping last. */
function settle(state: ModelState, onStep: (step: Step, state: ModelState) => void): ModelState {
  let at = state;
  for (let turn = 0; turn < turnsMax; turn += 1) {
    const steps = stepsOf(at);
    const first = steps.find(({ kind }) => kind !== "push");
    const step = first ?? steps[turn % steps.length] ?? stepsOf({ ...at, left: { ...spent, reaps: 1 } })[0];
    if (step === undefined) return at;
    at = { ...take(at, step), left: spent };
    onStep(step, at);
  }
  return at;
}

/** Holds a state that has come to rest, after `before`, against what was promised. */
function judgeRest(before: ModelState, rest: ModelState): Breach {
  const { writes } = before;
  const records = owners.map((owner) => diskOf(nodeOf(rest, owner)).record);
  const [first, ...others] = records;
  const live = liveMask(first ?? null);
  if (stepsOf(rest).length > 0) return breach("comes to rest", "the replicas go on exchanging the same things");
  if (diskOf(nodeOf(rest, fallback)).hints.length > 0) return breach("hints come home", "a hint is left");
  for (const other of others) {
    const same =
      first === null ? other === null : other !== null && setOf(other).sameCausally(setOf(first as Uint8Array));
    if (!same) return breach("replicas converge", "the owners do not hold the same");
  }
  const deletes = writes.reduce((mask, { tombstone }, number) => (tombstone ? mask | bit(number) : mask), 0);
  if (live !== 0 && (live & ~deletes) === 0) return breach("tombstones go", "a deleted key keeps its tombstone");
  const acked = acknowledged(writes);
  const known = pastOf(live | rest.reaped, writes);
  if ((acked & ~known) !== 0) return breach("acknowledged writes survive", `${namesOf(acked & ~known)} is gone`);
  const superseded = writes.reduce(
    (mask, { past, acked: told }, number) => (told ? mask | (past & ~bit(number)) : mask),
    0,
  );
  if ((live & superseded) !== 0) {
    return breach("superseded stays superseded", `${namesOf(live & superseded)} has come back`);
  }
  return null;
}

/** What is wrong once a state has been left to itself, on the way there or then; a core that throws is wrong too. */
export function breachAtRest(state: ModelState, onStep: (step: Step, state: ModelState) => void = () => {}): Breach {
  try {
    let before = leftAlone(state);
    let found: Breach = null;
    const rest = settle(before, (step, next) => {
      found ??= judge(before, next);
      before = next;
      onStep(step, next);
    });
    return found ?? judgeRest(state, rest);
  } catch (error) {
    return { law: "no assertion fails", text: (error as Error).message };
  }
}
