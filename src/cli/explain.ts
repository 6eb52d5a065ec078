/** `ringtail explain`: who holds what of one key, why its tombstone is still there, or why there is nothing. */
import type { Command } from "commander";
import { bucketBytes, keyBytes } from "../client/options.ts";
import { entriesKept } from "../repair/reap-candidate.ts";
import { ReapVerdict, reapVerdicts } from "../repair/reap-verdict.ts";
import type { Ring } from "../ring/ring.ts";
import { openRecord } from "../version/record.ts";
import { isDeleted, type SiblingSet } from "../version/sibling-set.ts";
import type { Dot, VersionVector } from "../version/version-vector.ts";
import { FrameType } from "../wire/frame-types.ts";
import { ExplainReply, ExplainRequest } from "../wire/gen/codecs.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { askEvery, clusterRing, headOf, type NodeAnswer, nameIn, secondsText } from "./every-node.ts";
import { print, printJson, printTable } from "./output.ts";

/** Adds the command. */
export function addExplain(program: Command): void {
  const command = program
    .command("explain <bucket> <key>")
    .description("one key on every node: who holds which writes of it, why a tombstone is still there, why it is gone");
  addAskOptions(command, 1000, ["explain carts alice", "explain carts alice --json"]).action(explain);
}

/** One record that somebody holds: an own copy, or a hint for `target`. */
interface Copy {
  readonly node: string;
  readonly target: string | null;
  readonly set: SiblingSet;
}

type Answer = NodeAnswer<ExplainReply>;

async function explain(bucket: string, key: string, flags: AskFlags): Promise<void> {
  const message = { bucket: bucketBytes(bucket), key: keyBytes(key) };
  const ring = await clusterRing(flags);
  const question = { type: FrameType.EXPLAIN, codec: ExplainRequest, message, reply: ExplainReply };
  const answers = await askEvery(ring, timeoutOf(flags), question);
  const copies = answers.flatMap((answer) => copiesOf(ring, answer));
  const told = verdictOn(answers, copies);
  if (flags.json === true) printJson(jsonOf(bucket, key, answers, copies, told));
  else show(answers, copies, told);
}

function copiesOf(ring: Ring, { label, reply }: Answer): Copy[] {
  if (reply === undefined) return [];
  const hints = reply.hints.map(({ target, record }) => {
    return { node: label, target: nameIn(ring, target), set: openRecord(record) };
  });
  if (reply.record.length === 0) return hints;
  return [{ node: label, target: null, set: openRecord(reply.record) }, ...hints];
}

/** In a sentence what became of the key, and what stands against forgetting it, a line for each condition that fails. */
interface Told {
  readonly state: "value" | "deleted" | "gone" | "unknown";
  readonly text: string;
  readonly hindrances: readonly string[];
}

function verdictOn(answers: readonly Answer[], copies: readonly Copy[]): Told {
  const silent = answers.filter(({ reply }) => reply === undefined).map(({ label }) => label);
  if (copies.length === 0) return gone(answers, silent);
  const dead = copies.every(({ set }) => isDeleted(set));
  const longest = Math.max(...copies.map(({ set }) => set.version.size));
  if (!dead && longest <= entriesKept) {
    return { state: "value", text: "the key has a value: nothing of it is to be forgotten", hindrances: [] };
  }
  const hindrances = hindrancesOf(answers, copies);
  const what = dead
    ? "the key is deleted, and its tombstone"
    : `the key has a value, and its version of ${longest} entries`;
  const still = hindrances.length === 0 ? "goes with the next pass" : "stays as it is, because";
  return { state: dead ? "deleted" : "value", text: `${what} ${still}`, hindrances };
}

function gone(answers: readonly Answer[], silent: readonly string[]): Told {
  if (silent.length > 0) {
    const text = `nobody who answers holds anything of the key; who might: ${silent.join(", ")}`;
    return { state: "unknown", text, hindrances: [] };
  }
  const reapers = answers.filter(({ reply }) => (reply?.reaped ?? 0) > 0);
  const at = Math.max(0, ...reapers.map(({ reply }) => reply?.reaped ?? 0));
  const text =
    at > 0
      ? `the key was deleted, and its tombstone was forgotten at ${new Date(1000 * at).toISOString()}`
      : "no node holds anything of the key: it was never written, or it was deleted and forgotten longer ago than the nodes remember";
  return { state: "gone", text, hindrances: [] };
}

function hindrancesOf(answers: readonly Answer[], copies: readonly Copy[]): string[] {
  const lines: string[] = [];
  for (const { label, reply, reason } of answers) {
    if (reply === undefined) lines.push(`${label} ${reapVerdicts[ReapVerdict.silent]} (${reason})`);
    else if (reply.verdict !== ReapVerdict.clear) lines.push(`${label} ${reapVerdicts[reply.verdict] ?? ""}`);
  }
  const epochs = new Set(answers.flatMap(({ reply }) => (reply === undefined ? [] : [reply.epoch])));
  if (epochs.size > 1) lines.push(`the nodes obey rings of epochs ${[...epochs].sort((a, b) => a - b).join(", ")}`);
  const owners = answers.filter(({ reply }) => (reply?.position ?? 0) > 0);
  const first = copies.find(({ node, target }) => target === null && node === owners[0]?.label);
  for (const { label } of owners) {
    const own = copies.find(({ node, target }) => target === null && node === label);
    if (own === undefined) lines.push(`${label} is an owner and holds nothing`);
    else if (first !== undefined && !first.set.sameCausally(own.set)) {
      lines.push(`${label} holds something else than ${first.node}`);
    }
  }
  const leader = owners.find(({ reply }) => reply?.position === 1)?.reply;
  if (leader !== undefined && leader.seenSeconds < leader.ageSeconds) {
    const seen = secondsText(leader.seenSeconds);
    lines.push(`its first owner has seen it as it is for ${seen} of ${secondsText(leader.ageSeconds)}`);
  }
  return lines;
}

/** The number of the node that an actor is an incarnation of. */
export function nodeOf(actorHigh: number): number {
  return actorHigh >>> 16;
}

/** A dot as `node.incarnation:counter`. */
export function dotText({ actorHigh, actorLow, counter }: Dot): string {
  const incarnation = (actorHigh & 0xffff).toString(16).padStart(4, "0") + actorLow.toString(16).padStart(8, "0");
  return `${nodeOf(actorHigh)}.${incarnation}:${counter}`;
}

function versionText(version: VersionVector): string {
  return Array.from({ length: version.size }, (_, i) => dotText(version.entry(i))).join(" ");
}

function siblingsText(set: SiblingSet): string {
  const one = set.siblings.map(({ tombstone, dots, value }) => {
    return `${tombstone ? "tombstone" : `${value.length} B`} ${dots.map(dotText).join(" ")}`;
  });
  return one.join("; ");
}

function placeOf(reply: ExplainReply | undefined): string {
  if (reply === undefined) return "";
  if (reply.position === 0) return "no owner";
  return `owner ${reply.position} of ${reply.n}${reply.synced ? "" : ", not synced"}`;
}

function show(answers: readonly Answer[], copies: readonly Copy[], { text, hindrances }: Told): void {
  const rows = answers.flatMap(({ label, reply, reason }) => {
    const place = placeOf(reply);
    if (reply === undefined) return [[label, "", reason, ""]];
    const held = copies.filter(({ node }) => node === label);
    if (held.length === 0) return [[label, place, "nothing", ""]];
    return held.map(({ target, set }) => {
      const what = target === null ? siblingsText(set) : `hint for ${target}: ${siblingsText(set)}`;
      return [label, place, what, versionText(set.version)];
    });
  });
  printTable([["NODE", "", "HOLDS", "VERSION"], ...rows]);
  print("", text, ...hindrances.map((line) => `  ${line}`));
}

function recordJson(set: SiblingSet): Record<string, unknown> {
  return {
    version: Array.from({ length: set.version.size }, (_, i) => dotText(set.version.entry(i))),
    siblings: set.siblings.map(({ tombstone, dots, value, second }) => {
      return { tombstone, bytes: value.length, dots: dots.map(dotText), second };
    }),
  };
}

function jsonOf(
  bucket: string,
  key: string,
  answers: readonly Answer[],
  copies: readonly Copy[],
  { state, text, hindrances }: Told,
): Record<string, unknown> {
  const nodes = answers.map((answer) => {
    const { label, reply } = answer;
    const own = copies.find(({ node, target }) => node === label && target === null);
    const hints = copies.filter(({ node, target }) => node === label && target !== null);
    return {
      ...headOf(answer),
      position: reply?.position ?? null,
      synced: reply?.synced ?? null,
      pending: reply?.pending ?? null,
      verdict: reply === undefined ? null : (reapVerdicts[reply.verdict] ?? null),
      seenSeconds: reply?.seenSeconds ?? null,
      reapedSecond: reply === undefined || reply.reaped === 0 ? null : reply.reaped,
      record: own === undefined ? null : recordJson(own.set),
      hints: hints.map(({ target, set }) => ({ target, ...recordJson(set) })),
    };
  });
  return { bucket, key, state, text, hindrances, nodes };
}
