/** Asking every node of the cluster the same thing: answers beside the members they came from. */
import { setTimeout as sleep } from "node:timers/promises";
import { RingtailError } from "../base/errors.ts";
import { ask } from "../io/ask.ts";
import { memberLabels } from "../ring/plan-text.ts";
import type { Member, Ring } from "../ring/ring.ts";
import type { Fields, MessageCodec } from "../wire/codec.ts";
import { type AskFlags, askFirst, ringAt, timeoutOf } from "./cluster-view.ts";

/** What is asked of each node. */
export interface NodeQuestion<Q, A> {
  readonly type: number;
  readonly codec: MessageCodec<Q>;
  readonly message: Fields<Q>;
  readonly reply: MessageCodec<A>;
}

/** What became of it at one node; `reason` says why there is no reply. */
export interface NodeAnswer<A> {
  readonly member: Member;
  /** What to call it: see `labelsIn`. */
  readonly label: string;
  readonly reply: A | undefined;
  readonly reason: string;
}

/** The ring of the first seed node that answers. */
export function clusterRing(flags: AskFlags): Promise<Ring> {
  return askFirst(flags, (address) => ringAt(address, timeoutOf(flags)));
}

/** The members that have not left. */
export function presentIn(ring: Ring): Member[] {
  return ring.members.filter(({ status }) => status !== "left");
}

/** Asks all members of the ring that have not left, at the same time. */
export function askEvery<Q, A>(ring: Ring, timeoutMs: number, question: NodeQuestion<Q, A>): Promise<NodeAnswer<A>[]> {
  const members = presentIn(ring);
  const labelOf = labelsIn(ring);
  return Promise.all(
    members.map(async (member) => {
      const label = labelOf(member.number);
      try {
        const reply = await ask({ address: member.address, timeoutMs, ...question });
        return { member, label, reply, reason: "" };
      } catch (error) {
        if (!(error instanceof RingtailError)) throw error;
        return { member, label, reply: undefined, reason: error.message };
      }
    }),
  );
}

/**
 * What to call the ring's nodes: by name, with the number where another one has that name. One that has left takes the
 * name from nobody: a node that came back with an empty disk is what its place is called.
 */
export function labelsIn(ring: Ring): (number: number) => string {
  const present = presentIn(ring);
  const isPresent = new Set<number>(present.map(({ number }) => number));
  const [ofPresent, ofAll] = [memberLabels(present), memberLabels(ring.members)];
  return (number) => (isPresent.has(number) ? ofPresent(number) : ofAll(number));
}

/** What to call one node. */
export function nameIn(ring: Ring, number: number): string {
  return labelsIn(ring)(number);
}

/** Who answered, or why not: how a node's JSON begins. */
export function headOf({ member, reason }: NodeAnswer<unknown>): {
  readonly node: string;
  readonly number: number;
  readonly reason: string | null;
} {
  return { node: member.name, number: member.number, reason: reason === "" ? null : reason };
}

/** The nodes that did not answer, one line each. */
export function silentLines(answers: readonly NodeAnswer<unknown>[]): string[] {
  return answers.filter(({ reply }) => reply === undefined).map(({ label, reason }) => `${label}: ${reason}`);
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}

/** A duration for people. */
export function secondsText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Shows something again and again until it says that it is over, or the program is ended. */
export async function watch(everyMs: number, show: () => Promise<boolean>): Promise<void> {
  while (await show()) {
    await sleep(everyMs);
    if (process.stdout.isTTY === true) process.stdout.write("\u001b[2J\u001b[H");
  }
}
