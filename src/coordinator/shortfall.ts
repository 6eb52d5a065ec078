/**
 * Shortfall: the text of an answer that says no. It names the requirement that cannot be met (at a deadline: the first
 * that was not) and how many of what answered, so that the reader knows which setting or which node to look at. Built
 * only when a request fails.
 */
import { codeOf, statusOk } from "../base/errors.ts";
import type { Op } from "./op.ts";
import { allSlots, countSlots } from "./slots.ts";
import { type AskedGet, type AskedPut, countHosts, countOwners, newList, oldList } from "./tally.ts";

interface Requirement {
  readonly name: string;
  readonly required: number;
  /** `of` so many slots or hosts `ok` did what is required, and `lost` never will. */
  readonly of: number;
  readonly ok: number;
  readonly lost: number;
  readonly who: string;
  readonly did: string;
}

/** Why a put has not what it needs. `within` is empty, or from `withinTimeout`. */
export function putShortfall(op: Op<unknown> & AskedPut, within: string): string {
  const { quorum, acked, durable } = op;
  const did = "acknowledged";
  const requirements = ofList(op, oldList(op), ["w", quorum.w], ["pw", quorum.pw], acked, did);
  if (op.pendingSlot >= 0) {
    requirements.push(
      ...ofList(op, newList(op), ["w in the new list", quorum.w], ["pw in the new list", quorum.pw], acked, did),
    );
  }
  const all = allSlots(op.targets);
  requirements.push(
    ofSlots(op, "dw", quorum.dw, all, durable, op.failed | op.unsynced, "replicas", "acknowledged after a sync"),
    ofHosts(op, acked, did),
  );
  return explain(op, requirements, acked, within);
}

/** Why a get has not what it needs. `within` is empty, or from `withinTimeout`. */
export function getShortfall(op: Op<unknown> & AskedGet, within: string): string {
  const { quorum, answered } = op;
  const did = "answered";
  const requirements = ofList(op, allSlots(op.targets), ["r", quorum.r], ["pr", quorum.pr], answered, did);
  requirements.push(ofHosts(op, answered, did));
  return explain(op, requirements, answered, within);
}

/** How long an op was waited for, at its deadline. */
export function withinTimeout(op: Op<unknown>): string {
  return ` within ${Math.ceil(op.timeoutUs / 1000)} ms`;
}

type Asking = readonly [name: string, required: number];

/** What is asked of the slots of one list: so many of all, and so many of the owners. */
function ofList(op: Op<unknown>, list: number, all: Asking, some: Asking, ok: number, did: string): Requirement[] {
  const owners = list & ~op.fallbacks;
  const { strict } = op.quorum;
  return [
    ofSlots(op, all[0], all[1], strict ? owners : list, ok, op.failed, strict ? "owners" : "replicas", did),
    ofSlots(op, some[0], some[1], owners, ok, op.failed, "owners", did),
  ];
}

function ofSlots(
  op: Op<unknown>,
  name: string,
  required: number,
  slots: number,
  okSlots: number,
  lostSlots: number,
  who: string,
  did: string,
): Requirement {
  const count = (mask: number): number => countOwners(mask, op.standsFor, op.hostOf);
  const of = count(slots);
  return { name, required, of, ok: count(slots & okSlots), lost: of - count(slots & (okSlots | ~lostSlots)), who, did };
}

function ofHosts(op: Op<unknown>, okSlots: number, did: string): Requirement {
  const all = allSlots(op.targets);
  const of = countHosts(all, op.hostOf);
  const ok = countHosts(okSlots, op.hostOf);
  const lost = of - countHosts(all & ~op.failed, op.hostOf);
  return { name: "hostConfirms", required: op.quorum.hostConfirms, of, ok, lost, who: "hosts", did };
}

function explain(op: Op<unknown>, requirements: readonly Requirement[], okSlots: number, within: string): string {
  const impossible = requirements.find((each) => each.of - each.lost < each.required);
  const unmet = impossible ?? requirements.find((each) => each.ok < each.required);
  if (unmet === undefined) return "";
  const { name, required, of, ok, who, did } = unmet;
  if (of < required) return `${name} is ${required}; ${who} that can be asked: ${of}`;
  const notes: string[] = [];
  const silent = op.awaiting & ~okSlots;
  const unasked = allSlots(op.targets) & ~(okSlots | op.failed | silent);
  if (op.failed !== 0) notes.push(`${countSlots(op.failed)} failed`);
  if (silent !== 0) notes.push(`${countSlots(silent)} did not answer`);
  if (unasked !== 0) notes.push(`${countSlots(unasked)} not asked yet`);
  if (op.lastStatus !== statusOk) {
    const words = op.lastMessage === "" ? "" : ` (${op.lastMessage})`;
    notes.push(`last failure: ${codeOf(op.lastStatus)}${words}`);
  }
  const tail = notes.length === 0 ? "" : `; ${notes.join(", ")}`;
  return `${name} is ${required}, but ${ok} of ${of} ${who} ${did}${within}${tail}`;
}
