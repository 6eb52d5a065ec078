/**
 * What can happen next in the model, and what comes of it. A step is one thing that one node does or one thing that befalls
 * it; a message that never arrives is one whose step is not taken, and one that arrives late is one that others overtake.
 *
 * Time passes with `reap` alone: the age of a tombstone exceeds the life of what is under way, so that is lost by then, and
 * puts that wait for an ack have given up.
 */
import { noBytes } from "../../base/bytes.ts";
import { Durability } from "../../base/durability.ts";
import { statusOk } from "../../base/errors.ts";
import { nodeNumber } from "../../base/ids.ts";
import { heldIn } from "../../repair/held-record.ts";
import { ReapVerdict } from "../../repair/reap-verdict.ts";
import { decideRelation, wantsRecord } from "../../repair/relation.ts";
import { ReplicaKind } from "../../replica/replica.ts";
import { compareDots } from "../../version/dots.ts";
import { isDeleted } from "../../version/sibling-set.ts";
import { type Dot, VersionVector } from "../../version/version-vector.ts";
import type { ReapReply } from "../../wire/gen/codecs.ts";
import { type HintWish, ReaperSeat, wishAfterReceipt, wishForHint } from "./cores.ts";
import { idOf, liveMask, pastOf, setOf } from "./history.ts";
import { modelRing } from "./ring.ts";
import { type ModelKey, modelKey, Seat } from "./seat.ts";
import {
  bit,
  type DiskState,
  diskOf,
  fallback,
  type MessageModel,
  type ModelState,
  members,
  type NodeModel,
  nodeOf,
  owners,
  quorum,
  type SeenModel,
  type WriteModel,
  withNode,
} from "./state.ts";

/** One step. `at`: the node that it happens at; `index`: of a message. */
export type Step =
  | { readonly kind: "put" | "delete"; readonly at: number; readonly seen: boolean }
  | { readonly kind: "read" | "crash" | "prepare"; readonly at: number }
  | { readonly kind: "cut"; readonly at: number; readonly keeps: number }
  | { readonly kind: "arrive" | "hand-over"; readonly index: number }
  | { readonly kind: "send-hint"; readonly to: number }
  | { readonly kind: "push"; readonly at: number; readonly to: number }
  | { readonly kind: "reap" };

const leader = owners[0] as number;
const blind = VersionVector.empty;

function otherOwner(number: number): number {
  return owners.find((owner) => owner !== number) as number;
}

/** Everything that can happen next. */
export function stepsOf(state: ModelState): Step[] {
  const steps: Step[] = [];
  const { left, client, messages, reap } = state;
  for (const at of members) {
    const node = nodeOf(state, at);
    if (left.puts > 0) {
      steps.push({ kind: "put", at, seen: false });
      if (client.past !== 0) steps.push({ kind: "put", at, seen: true });
    }
    if (left.deletes > 0 && client.past !== 0) steps.push({ kind: "delete", at, seen: true });
    if (left.reads > 0 && node.doubt === 0 && shownBy(node, at) !== null) steps.push({ kind: "read", at });
    if (left.crashes > 0) steps.push({ kind: "crash", at });
    for (let keeps = 0; left.cuts > 0 && keeps < node.disks.length - 1; keeps += 1)
      steps.push({ kind: "cut", at, keeps });
    const asked = reap !== null && (reap.asked & bit(at)) !== 0 && (reap.clear & bit(at)) === 0;
    if (asked) steps.push({ kind: "prepare", at });
  }
  for (const [index, message] of messages.entries()) {
    steps.push({ kind: "arrive", index });
    if (message.kind === "write" && mayHandOver(state, message)) steps.push({ kind: "hand-over", index });
  }
  for (const { target } of diskOf(nodeOf(state, fallback)).hints) {
    const under = messages.some(({ kind, to }) => (kind === "hint" || kind === "receipt") && to === target);
    if (!under) steps.push({ kind: "send-hint", to: target });
  }
  for (const at of owners) if (mayPush(state, at)) steps.push({ kind: "push", at, to: otherOwner(at) });
  const record = diskOf(nodeOf(state, leader)).record;
  if (left.reaps > 0 && record !== null && isDeleted(setOf(record))) steps.push({ kind: "reap" });
  return steps;
}

/** What a get is shown by a node: an owner's record, or what the fallback keeps. */
function shownBy(node: NodeModel, number: number): Uint8Array | null {
  const { record, hints } = diskOf(node);
  return number === fallback ? (hints[0]?.sealed ?? null) : record;
}

/** A write whose second copy is late goes to the fallback besides. */
function mayHandOver({ writes }: ModelState, { write, handed }: MessageModel & { readonly kind: "write" }): boolean {
  const { at, open } = writes[write] as WriteModel;
  return open && !handed && at !== fallback;
}

/** An exchange finds a difference, or clears a doubt. */
function mayPush(state: ModelState, at: number): boolean {
  const to = otherOwner(at);
  return (nodeOf(state, to).doubt & bit(at)) !== 0 || lacks(state, at, to);
}

function lacks(state: ModelState, at: number, to: number): boolean {
  const mine = diskOf(nodeOf(state, at)).record;
  if (mine === null) return false;
  const theirs = diskOf(nodeOf(state, to)).record;
  const { fullKey } = world().key;
  return wantsRecord(decideRelation(heldIn(mine, fullKey), heldIn(theirs, fullKey)));
}

/** The real cores, made once: they keep nothing of a state. */
interface World {
  readonly key: ModelKey;
  readonly seats: readonly Seat[];
  readonly reaper: ReaperSeat;
}

let made: World | undefined;

function world(): World {
  if (made === undefined) {
    const ring = modelRing();
    const key = modelKey(ring);
    const seats = members.map((number) => new Seat(number, ring, key));
    made = { key, seats, reaper: new ReaperSeat(nodeNumber(leader), ring, key) };
  }
  return made;
}

/** Has a node of the state do something; the state with what became of the node. */
function act<T>(
  state: ModelState,
  number: number,
  what: (seat: Seat) => T,
): { readonly next: ModelState; readonly answer: T } {
  const seat = world().seats[number - 1] as Seat;
  seat.take(nodeOf(state, number));
  const answer = what(seat);
  return { next: withNode(state, number, seat.leave()), answer };
}

/** The state after a step. Throws what the cores throw. */
export function take(state: ModelState, step: Step): ModelState {
  switch (step.kind) {
    case "put":
    case "delete":
      return put(state, step.at, step.seen, step.kind === "delete");
    case "read":
      return read(state, step.at);
    case "crash":
      return crash({ ...state, left: { ...state.left, crashes: state.left.crashes - 1 } }, step.at, null);
    case "cut":
      return crash({ ...state, left: { ...state.left, cuts: state.left.cuts - 1 } }, step.at, step.keeps);
    case "arrive":
      return arrive(state, step.index);
    case "hand-over":
      return handOver(state, step.index);
    case "send-hint":
      return sendHint(state, step.to);
    case "push":
      return push(state, step.at, step.to);
    case "reap":
      return reap(state);
    case "prepare":
      return prepare(state, step.at);
  }
}

function put(state: ModelState, at: number, seen: boolean, tombstone: boolean): ModelState {
  const number = state.writes.length;
  const { client, left } = state;
  const { next, answer: op } = act(state, at, (seat) =>
    seat.do(ReplicaKind.put, (one) => {
      one.target = at === fallback ? leader : 0;
      one.context = seen ? client.version : blind;
      one.contextOwn = seen ? client.own : null;
      one.requestId = idOf(number);
      one.value = tombstone ? noBytes : idOf(number);
      one.tombstone = tombstone;
    }),
  );
  const budget = tombstone ? { ...left, deletes: left.deletes - 1 } : { ...left, puts: left.puts - 1 };
  if (op.status !== statusOk || op.sealed === null) throw new Error(`a put was refused: ${op.message}`);
  const past = (seen ? client.past : 0) | bit(number);
  const names = seen ? namedBy(client, state.writes) : 0;
  const dot = (setOf(op.sealed).dotsOf(idOf(number)) as readonly Dot[])[0] as Dot;
  const reply = { version: op.version, own: op.own, past };
  const write: WriteModel = { at, tombstone, dot, past, names, acks: bit(at), acked: false, open: true, reply };
  const to = at === fallback ? otherOwner(leader) : otherOwner(at);
  const message: MessageModel = { kind: "write", to, write: number, sealed: op.sealed, handed: false };
  return { ...next, writes: [...state.writes, write], messages: [...state.messages, message], left: budget };
}

function namedBy({ version, own }: SeenModel, writes: readonly WriteModel[]): number {
  let names = 0;
  for (const [number, { dot }] of writes.entries()) {
    const isOwn = own !== null && compareDots(own.dot, dot) === 0;
    if (isOwn || version.covers(dot)) names |= bit(number);
  }
  return names;
}

function read(state: ModelState, at: number): ModelState {
  const { left, writes } = state;
  const sealed = shownBy(nodeOf(state, at), at) as Uint8Array;
  const client = { version: setOf(sealed).version, own: null, past: pastOf(liveMask(sealed), writes) };
  return { ...state, client, left: { ...left, reads: left.reads - 1 } };
}

/** `keeps`: which of its disk's states a power cut leaves; null: the process alone ends. */
function crash(state: ModelState, at: number, keeps: number | null): ModelState {
  const node = nodeOf(state, at);
  const disks = keeps === null ? node.disks : [node.disks[keeps] as DiskState];
  const doubt = keeps !== null && at !== fallback ? bit(otherOwner(at)) : node.doubt;
  const booted = { disks, incarnation: node.incarnation + 1, counter: node.counter + 1, doubt };
  const writes = state.writes.map((write) => (write.at === at ? { ...write, open: false } : write));
  const messages =
    at === fallback ? state.messages.filter(({ kind }) => kind !== "hint" && kind !== "receipt") : state.messages;
  return withNode({ ...state, writes, messages, reap: at === leader ? null : state.reap }, at, booted);
}

function arrive(state: ModelState, index: number): ModelState {
  const message = state.messages[index] as MessageModel;
  const rest = { ...state, messages: state.messages.filter((one) => one !== message) };
  if (message.kind === "forget") return forget(rest, message.to, message.sealed);
  if (message.kind === "receipt") return takeReceipt(rest, message.to, message.sealed);
  const durability = message.kind === "hint" ? Durability.durable : Durability.buffered;
  const { next, answer: op } = act(rest, message.to, (seat) =>
    seat.do(ReplicaKind.write, (one) => {
      one.sealed = message.sealed;
      one.durability = durability;
    }),
  );
  if (op.status !== statusOk) return next;
  if (message.kind === "write") return acknowledge(next, message.write, message.to);
  const { to, sealed } = message;
  return op.durable ? { ...next, messages: [...next.messages, { kind: "receipt", to, sealed }] } : next;
}

/** A node has said that it holds the write. */
function acknowledge(state: ModelState, number: number, by: number): ModelState {
  const write = state.writes[number] as WriteModel;
  if (!write.open) return state;
  const acks = write.acks | bit(by);
  const acked = write.acked || members.filter((member) => (acks & bit(member)) !== 0).length >= quorum;
  const writes = state.writes.with(number, { ...write, acks, acked });
  return { ...state, writes, client: acked && !write.acked ? write.reply : state.client };
}

function handOver(state: ModelState, index: number): ModelState {
  const message = state.messages[index] as MessageModel & { readonly kind: "write" };
  const { next, answer: op } = act(state, fallback, (seat) =>
    seat.do(ReplicaKind.keepHint, (one) => {
      one.target = message.to;
      one.sealed = message.sealed;
    }),
  );
  const handed = { ...next, messages: next.messages.with(index, { ...message, handed: true }) };
  return op.status === statusOk ? acknowledge(handed, message.write, fallback) : handed;
}

function hintFor(state: ModelState, target: number): Uint8Array | undefined {
  return diskOf(nodeOf(state, fallback)).hints.find((hint) => hint.target === target)?.sealed;
}

function sendHint(state: ModelState, to: number): ModelState {
  const sealed = hintFor(state, to) as Uint8Array;
  const wish = wishForHint(world().key, to, sealed);
  if (wish.wish !== "deliver") return dropHint(state, to, wish);
  return { ...state, messages: [...state.messages, { kind: "hint", to, sealed }] };
}

function takeReceipt(state: ModelState, target: number, sealed: Uint8Array): ModelState {
  return dropHint(state, target, wishAfterReceipt(world().key, target, sealed, true));
}

function dropHint(state: ModelState, target: number, { wish, high, low }: HintWish): ModelState {
  if (wish !== "drop") return state;
  return act(state, fallback, (seat) =>
    seat.do(ReplicaKind.dropHint, (one) => {
      one.target = target;
      one.causalHigh = high;
      one.causalLow = low;
    }),
  ).next;
}

function push(state: ModelState, at: number, to: number): ModelState {
  let pushed = state;
  if (lacks(state, at, to)) {
    const sealed = diskOf(nodeOf(state, at)).record as Uint8Array;
    pushed = act(state, to, (seat) =>
      seat.do(ReplicaKind.write, (one) => {
        one.sealed = sealed;
      }),
    ).next;
  }
  const node = nodeOf(pushed, to);
  return withNode(pushed, to, { ...node, doubt: node.doubt & ~bit(at) });
}

function reap(state: ModelState): ModelState {
  const sealed = diskOf(nodeOf(state, leader)).record as Uint8Array;
  const wish = world().reaper.begin(sealed);
  let asked = 0;
  for (const member of wish?.asked ?? []) asked |= bit(member);
  const writes = state.writes.map((write) => ({ ...write, open: false }));
  const messages = state.messages.filter(({ kind }) => kind === "forget");
  const left = { ...state.left, reaps: state.left.reaps - 1 };
  return { ...state, writes, messages, left, reap: asked === 0 ? null : { sealed, asked, clear: 0 } };
}

function prepare(state: ModelState, at: number): ModelState {
  const { reap: round } = state;
  if (round === null) return state;
  const { reaper } = world();
  const wish = reaper.begin(round.sealed);
  if (wish === null) return { ...state, reap: null };
  const { next, answer } = act(state, at, (seat) => seat.prepareReap(wish.question));
  if (answer.verdicts[0] !== ReapVerdict.clear) return { ...next, reap: null };
  const clear = round.clear | bit(at);
  if (clear !== round.asked) return { ...next, reap: { ...round, clear } };
  const order = reaper.certify(round.sealed, (member) => ({ ...answer, ...actorOf(next, member) }));
  const forgets = (order?.asked ?? []).map((to): MessageModel => ({ kind: "forget", to, sealed: round.sealed }));
  return { ...next, reap: null, messages: [...next.messages, ...forgets] };
}

function actorOf(state: ModelState, member: number): Pick<ReapReply, "actorHigh" | "actorLow"> {
  return { actorHigh: (member << 16) >>> 0, actorLow: nodeOf(state, member).incarnation };
}

function forget(state: ModelState, at: number, sealed: Uint8Array): ModelState {
  const wish = world().reaper.begin(sealed);
  if (wish === null) return state;
  const before = diskOf(nodeOf(state, at)).record;
  const { next } = act(state, at, (seat) => seat.commitReap(wish.question));
  const gone = diskOf(nodeOf(next, at)).record === null;
  return gone ? { ...next, reaped: next.reaped | liveMask(before) } : next;
}
