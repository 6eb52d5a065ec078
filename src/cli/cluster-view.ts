/**
 * What the commands about a cluster's nodes share: asking one node or all of them, and finding the node that somebody
 * means by a name, a number, an address or the beginning of an id.
 */
import type { Command } from "commander";
import { RingtailError } from "../base/errors.ts";
import { nodeIdOf } from "../base/ids.ts";
import { ask } from "../io/ask.ts";
import type { Ring } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  FetchRingReply,
  FetchRingRequest,
  type Member,
  MembersReply,
  MembersRequest,
  RingChangeReply,
  RingChangeRequest,
} from "../wire/gen/codecs.ts";
import { ringFromMessage } from "../wire/ring-codec.ts";
import { badArgument, type JsonOption, wholeNumber } from "./output.ts";
import { addSeedNodes, type SeedFlags, seedNodesOf } from "./seed-nodes.ts";

/** Flags of every command that asks nodes. */
export interface AskFlags extends JsonOption, SeedFlags {
  readonly timeoutMs: string;
}

/** Adds those flags, after the command's own, and its examples. */
export function addAskOptions(command: Command, usualTimeoutMs: number, examples: readonly string[]): Command {
  return addSeedNodes(command)
    .option("--timeout-ms <ms>", "how long a node may take to answer", String(usualTimeoutMs))
    .option("--json", "print JSON")
    .addHelpText("after", `\nExamples:${examples.map((one) => `\n  ringtail ${one}`).join("")}`);
}

/** A change may have to wait for votes. */
const changeTimeoutMs = 20_000;

const statuses = ["joining", "member", "leaving", "left"];

/** The time a node may take to answer, in milliseconds. */
export function timeoutOf(flags: AskFlags): number {
  return wholeNumber("--timeout-ms", flags.timeoutMs, 1, 600_000);
}

/** The answer of the first seed node that gives one; rejects with the last one's error. */
export async function askFirst<A>(flags: AskFlags, question: (address: string) => Promise<A>): Promise<A> {
  let last: unknown;
  for (const address of seedNodesOf(flags)) {
    try {
      return await question(address);
    } catch (error) {
      if (!(error instanceof RingtailError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** The ring that a node obeys. */
export async function ringAt(address: string, timeoutMs: number): Promise<Ring> {
  const { ring } = await ask({
    ...{ address, timeoutMs, type: FrameType.FETCH_RING },
    ...{ codec: FetchRingRequest, message: { epoch: 0 }, reply: FetchRingReply },
  });
  if (ring === null) throw noRingYet(address);
  return ringFromMessage(ring);
}

function noRingYet(address: string): RingtailError {
  const text = `${address} has no ring yet: the cluster is still being made, or the node waits`;
  return new RingtailError("OVERLOADED", text);
}

/** Whom a node knows. */
function membersAt(address: string, timeoutMs: number): Promise<MembersReply> {
  const type = FrameType.MEMBERS;
  return ask({ address, timeoutMs, type, codec: MembersRequest, message: {}, reply: MembersReply });
}

/** Has a node propose a change; the epoch that it made. */
export async function changeRing(address: string, change: Fields<RingChangeRequest>): Promise<number> {
  const question = { codec: RingChangeRequest, message: change, reply: RingChangeReply };
  const reply = await ask({ address, timeoutMs: changeTimeoutMs, type: FrameType.RING_CHANGE, ...question });
  return reply.epoch;
}

/** One seed node's answer, and the address that gave it. */
export function firstMembers(flags: AskFlags): Promise<{ readonly address: string; readonly view: MembersReply }> {
  return askFirst(flags, async (address) => {
    const view = await membersAt(address, timeoutOf(flags));
    if (view.members.length === 0) throw noRingYet(address);
    return { address, view };
  });
}

/** All nodes that wait to be let in, as any member of the cluster knows them. */
export async function allWaiting(view: MembersReply, timeoutMs: number): Promise<readonly Member[]> {
  const found = new Map<string, Member>();
  const add = (waiting: readonly Member[]): void => {
    for (const member of waiting) found.set(nodeIdOf(member.nodeId), member);
  };
  add(view.waiting);
  await Promise.all(
    presentOf(view).map(async ({ address }) => {
      const other = await membersAt(address, timeoutMs).catch((error: unknown) => {
        if (error instanceof RingtailError) return undefined;
        throw error;
      });
      if (other !== undefined) add(other.waiting);
    }),
  );
  return [...found.values()];
}

function means(member: Member, text: string): boolean {
  if (member.name === text || member.address === text || String(member.number) === text) return true;
  return text.length >= 6 && nodeIdOf(member.nodeId).startsWith(text);
}

/** Those among `members` whom the text may mean. Names are not unique: members that left are passed over if another fits. */
export function whoIsMeant(members: readonly Member[], text: string): readonly Member[] {
  return members.filter((member) => means(member, text));
}

/** The members of the ring, those that left included. */
export function membersOf(view: MembersReply): readonly Member[] {
  return view.members.flatMap(({ member }) => (member === null ? [] : [member]));
}

/** Those among them that have not left. */
export function presentOf(view: MembersReply): readonly Member[] {
  return membersOf(view).filter((member) => statusOf(member) !== "left");
}

/** Those among them that were let in and own nothing yet. */
export function joiningOf(view: MembersReply): readonly Member[] {
  return membersOf(view).filter((member) => statusOf(member) === "joining");
}

/** The ring's word for a member, by the schema's `MemberStatus`. */
export function statusOf({ status }: Member): string {
  return statuses[status] ?? "?";
}

/** The one member that is meant; throws `INVALID_ARGUMENT` if there is none, or several. */
export function memberMeant(view: MembersReply, text: string): Member {
  const present = whoIsMeant(presentOf(view), text);
  const [member, another] = present.length > 0 ? present : whoIsMeant(membersOf(view), text);
  if (member === undefined) {
    const names = membersOf(view)
      .map(({ name }) => name)
      .join(", ");
    throw badArgument(`no node of the cluster is called ${text}; there are: ${names}`);
  }
  if (another !== undefined)
    throw badArgument(`${text} may mean node ${member.number} or node ${another.number}: use the number`);
  return member;
}
