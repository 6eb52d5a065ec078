/**
 * Shortfall: the text of an answer that says no. It names the requirement that cannot be met (at a deadline: the first
 * that was not) and how many of what answered, so that the reader knows which setting or which node to look at. Built
 * only when a request fails.
 */
import { codeOf, statusOk } from "../base/errors.ts";
import type { Op } from "./op.ts";
import { type AskedGet, type AskedPut, allSlots, countHosts, countSlots } from "./tally.ts";

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

/** Why a put has not what it needs. `within` is empty, or says how long was waited. */
export function putShortfall(op: Op<unknown> & AskedPut, within: string): string {
  const { quorum, acked, durable } = op;
  const all = allSlots(op.targets);
  const owners = all & ~op.fallbacks;
  const did = "acknowledged";
  const requirements = [
    ofSlots("w", quorum.w, quorum.strict ? owners : all, acked, op.failed, quorum.strict ? "owners" : "replicas", did),
    ofSlots("pw", quorum.pw, owners, acked, op.failed, "owners", did),
    ofSlots("dw", quorum.dw, all, durable, op.failed | op.unsynced, "replicas", "acknowledged after a sync"),
    ofHosts(op, acked, did),
  ];
  return explain(op, requirements, acked, within);
}

/** Why a get has not what it needs. `within` is empty, or says how long was waited. */
export function getShortfall(op: Op<unknown> & AskedGet, within: string): string {
  const { quorum, answered } = op;
  const all = allSlots(op.targets);
  const owners = all & ~op.fallbacks;
  const did = "answered";
  const requirements = [
    ofSlots(
      "r",
      quorum.r,
      quorum.strict ? owners : all,
      answered,
      op.failed,
      quorum.strict ? "owners" : "replicas",
      did,
    ),
    ofSlots("pr", quorum.pr, owners, answered, op.failed, "owners", did),
    ofHosts(op, answered, did),
  ];
  return explain(op, requirements, answered, within);
}

function ofSlots(
  name: string,
  required: number,
  slots: number,
  ok: number,
  lost: number,
  who: string,
  did: string,
): Requirement {
  const of = countSlots(slots);
  return { name, required, of, ok: countSlots(slots & ok), lost: countSlots(slots & lost), who, did };
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
