/** `ringtail members` and `ringtail events`: who belongs and who lives, as a node sees it, and what happened lately. */
import type { Command } from "commander";
import { RingtailError } from "../base/errors.ts";
import { nodeIdOf } from "../base/ids.ts";
import { ask } from "../io/ask.ts";
import { memberLabels } from "../ring/plan-text.ts";
import { FrameType } from "../wire/frame-types.ts";
import { EventsReply, EventsRequest, type Member, type MemberRow, type MembersReply } from "../wire/gen/codecs.ts";
import {
  type AskFlags,
  addAskOptions,
  allWaiting,
  askFirst,
  firstMembers,
  presentOf,
  statusOf,
  timeoutOf,
} from "./cluster-view.ts";
import { badArgument, print, printJson, printTable } from "./output.ts";

interface EventFlags extends AskFlags {
  readonly since?: string;
  readonly all?: boolean;
}

/** Adds the commands. */
export function addMembers(program: Command): void {
  const members = program
    .command("members")
    .description("who belongs to the cluster and who lives, as the asked node sees it");
  addAskOptions(members, 2000, ["members", "members --seed-node 127.0.0.1:7402 --json"]).action(showMembers);
  const events = program
    .command("events")
    .description("what happened lately: members, rings, plans, transfers, hints")
    .option("--since <time>", "only what is younger: 90s, 10m, 2h")
    .option("--all", "ask every member, and sort by their clocks");
  addAskOptions(events, 2000, ["events --since 10m", "events --all --json"]).action(showEvents);
}

function identityOf(member: Member): Readonly<Record<string, unknown>> {
  const { name, address, host, zone, weight } = member;
  return { id: nodeIdOf(member.nodeId), name, address, host, zone, weight };
}

function rowJson({ member, state, flapping, incarnation, stateSeconds, epoch }: MemberRow): unknown {
  if (member === null) return null;
  const status = statusOf(member);
  return { number: member.number, ...identityOf(member), status, state, stateSeconds, flapping, incarnation, epoch };
}

/** Seconds, as people say them. */
function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

async function showMembers(flags: AskFlags): Promise<void> {
  const { address, view } = await firstMembers(flags);
  const waiting = await allWaiting(view, timeoutOf(flags));
  if (flags.json === true) {
    printJson({
      epoch: view.epoch,
      asked: { number: view.number, address },
      ringMaker: view.ringMaker,
      fenced: view.fenced === "" ? null : view.fenced,
      members: view.members.map(rowJson),
      waiting: waiting.map(identityOf),
    });
    return;
  }
  print(`epoch ${view.epoch}, as node ${view.number} (${address}) sees it`);
  if (view.fenced !== "") print(`this node must not serve: ${view.fenced}`);
  const rows = view.members.flatMap((row) => (row.member === null ? [] : [textOf(row, row.member, view)]));
  const waits = waiting.map(({ name, address, host, zone }) => ["-", name, address, host, zone || "-", "waiting"]);
  printTable([["NUMBER", "NODE", "ADDRESS", "HOST", "ZONE", "RING", "STATE", "SINCE", "EPOCH", ""], ...rows, ...waits]);
}

function textOf(row: MemberRow, member: Member, view: MembersReply): string[] {
  const { number, name, address, host, zone } = member;
  const notes = [row.flapping ? "flapping" : "", number === view.ringMaker ? "makes rings" : ""];
  return [
    ...[String(number), name, address, host, zone || "-", statusOf(member), row.state],
    row.state === "unknown" ? "-" : ageText(row.stateSeconds),
    row.epoch === 0 ? "-" : String(row.epoch),
    notes.filter((note) => note !== "").join(", "),
  ];
}

/** An event, and the name of the node that tells it. */
export interface ToldEvent {
  readonly node: string;
  readonly sequence: number;
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The wall time that lies so long ago; 0 without a text. */
function sinceMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const found = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  if (found === null) throw badArgument(`--since is ${text}; allowed: a number and s, m, h or d, as in 10m`);
  return Date.now() - Number(found[1]) * (unitMs[found[2] as string] as number);
}

async function eventsAt(address: string, node: string, since: number, timeoutMs: number): Promise<ToldEvent[]> {
  const { events } = await ask({
    ...{ address, timeoutMs, type: FrameType.EVENTS },
    ...{ codec: EventsRequest, message: { after: 0, sinceMs: since }, reply: EventsReply },
  });
  return events.map(({ sequence, atMs, kind, text }) => ({ node, sequence, atMs, kind, text }));
}

async function showEvents(flags: EventFlags): Promise<void> {
  const since = sinceMs(flags.since);
  const events = flags.all === true ? await allEvents(flags, since) : await oneNodesEvents(flags, since);
  if (flags.json === true) {
    printJson(
      events.map(({ node, sequence, atMs, kind, text }) => {
        return { node, sequence, at: new Date(atMs).toISOString(), kind, text };
      }),
    );
    return;
  }
  const rows = events.map(({ node, atMs, kind, text }) => [new Date(atMs).toISOString(), node, kind, text]);
  printTable([["AT", "NODE", "KIND", "EVENT"], ...rows]);
}

function oneNodesEvents(flags: EventFlags, since: number): Promise<ToldEvent[]> {
  return askFirst(flags, (address) => eventsAt(address, address, since, timeoutOf(flags)));
}

/** What all members tell of since then (wall clock), by their clocks; one that does not answer is named on stderr. */
export async function allEvents(flags: AskFlags, since: number): Promise<ToldEvent[]> {
  const { view } = await firstMembers(flags);
  const labelOf = memberLabels(presentOf(view));
  const lists = await Promise.all(
    presentOf(view).map(({ address, number }) =>
      eventsAt(address, labelOf(number), since, timeoutOf(flags)).catch((error: unknown) => {
        if (!(error instanceof RingtailError)) throw error;
        process.stderr.write(`ringtail: ${labelOf(number)} was not heard: ${error.message}\n`);
        return [];
      }),
    ),
  );
  return lists.flat().sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
}
