/**
 * The state of the small model: three nodes and one key as a value that is never changed. Nodes 1 and 2 own the key, W
 * is 2, and node 3 stands in for either. Everything that the real cores remember between two of their steps is here and
 * nothing else, so that a state can be put down, taken up again, and recognised by its hash.
 *
 * Writes are numbered from 0 and sets of them are bit masks; that is all that a naive history needs to be exact here.
 */
import { Hash64, hashBytes } from "../../base/hash.ts";
import { writeWord } from "../../base/words.ts";
import type { StoredHint } from "../../storage/store-events.ts";
import type { OwnWrite } from "../../version/sibling-set.ts";
import { type Dot, VersionVector } from "../../version/version-vector.ts";

/** The owners of the key, the node that decides what is reaped first. */
export const owners: readonly number[] = [1, 2];
/** The member that keeps hints. */
export const fallback = 3;
/** All nodes. */
export const members: readonly number[] = [...owners, fallback];
/** Copies that acknowledge a write. */
export const quorum = 2;

/** What lies on a node's disk. */
export interface DiskState {
  readonly record: Uint8Array | null;
  /** At most one for each owner, by target. */
  readonly hints: readonly StoredHint[];
}

/** One node. */
export interface NodeModel {
  /** What a power cut may leave: the synced state first, the present one last. */
  readonly disks: readonly DiskState[];
  /** The incarnation it mints under, which no other boot of it has had, and the counter minted last. */
  readonly incarnation: number;
  readonly counter: number;
  /** Owners that it has not compared its record with since it may have lost some of it: a mask of node numbers. */
  readonly doubt: number;
}

/** What a put's reply says that its writer has seen. */
export interface SeenModel {
  readonly version: VersionVector;
  readonly own: OwnWrite | null;
  /** The same, by the history: the writes that are in its past. */
  readonly past: number;
}

/** One put or delete. */
export interface WriteModel {
  readonly at: number;
  readonly tombstone: boolean;
  readonly dot: Dot;
  /** What its writer had seen, with all that was in the past of that, and itself. */
  readonly past: number;
  /** What its context names: the writes that it supersedes wherever they meet. */
  readonly names: number;
  /** Nodes that have said that they hold it: a mask of node numbers. */
  readonly acks: number;
  readonly acked: boolean;
  /** Its coordinator still collects acks. */
  readonly open: boolean;
  /** What its writer learns when it is acknowledged. */
  readonly reply: SeenModel;
}

/** What is under way: a put's record, a hint, its receipt, the order to forget. */
export type MessageModel =
  | {
      readonly kind: "write";
      readonly to: number;
      readonly write: number;
      readonly sealed: Uint8Array;
      readonly handed: boolean;
    }
  | { readonly kind: "hint" | "receipt"; readonly to: number; readonly sealed: Uint8Array }
  | { readonly kind: "forget"; readonly to: number; readonly sealed: Uint8Array };

/** A certificate in the making: the record that is to go, whom the reaper asked, and who has answered "nothing against it". */
export interface ReapModel {
  readonly sealed: Uint8Array;
  readonly asked: number;
  readonly clear: number;
}

/** How often each thing may still happen. */
export interface Budget {
  readonly puts: number;
  readonly deletes: number;
  readonly reads: number;
  readonly crashes: number;
  readonly cuts: number;
  readonly reaps: number;
}

/** All of it. */
export interface ModelState {
  /** By number, from 1. */
  readonly nodes: readonly NodeModel[];
  readonly writes: readonly WriteModel[];
  readonly messages: readonly MessageModel[];
  readonly client: SeenModel;
  readonly reap: ReapModel | null;
  /** Deletes that some owner has forgotten by certificate. */
  readonly reaped: number;
  readonly left: Budget;
}

/** A few of everything: what one key sees in a bad minute. */
export const defaultBudget: Budget = { puts: 3, deletes: 2, reads: 2, crashes: 1, cuts: 1, reaps: 2 };

const nothingSeen: SeenModel = { version: VersionVector.empty, own: null, past: 0 };
const emptyDisk: DiskState = { record: null, hints: [] };
/** Where counters begin: close to where `reuse-counter` shows. */
const firstCounter = 2;

/** Nothing was ever written. */
export function firstState(left: Budget): ModelState {
  const node = { disks: [emptyDisk], incarnation: 1, counter: firstCounter, doubt: 0 };
  return {
    nodes: members.map(() => node),
    writes: [],
    messages: [],
    client: nothingSeen,
    reap: null,
    reaped: 0,
    left,
  };
}

/** The node of that number. */
export function nodeOf(state: ModelState, number: number): NodeModel {
  return state.nodes[number - 1] as NodeModel;
}

/** What the node holds now. */
export function diskOf(node: NodeModel): DiskState {
  return node.disks[node.disks.length - 1] as DiskState;
}

/** The state with another node of that number. What a power cut would leave matters only while there may be one. */
export function withNode(state: ModelState, number: number, node: NodeModel): ModelState {
  const nodes = state.nodes.with(number - 1, node);
  if (state.left.cuts > 0) return { ...state, nodes };
  return { ...state, nodes: nodes.map((one) => (one.disks.length === 1 ? one : { ...one, disks: [diskOf(one)] })) };
}

/** The bit of a node or a write in a mask. */
export function bit(number: number): number {
  return 1 << number;
}

/** A state as bytes, and their hash: two states with one hash are taken for the same. */
export class StateHash {
  readonly hash: Hash64 = new Hash64();
  #bytes: Uint8Array = new Uint8Array(16_384);
  #at = 0;

  of(state: ModelState): Hash64 {
    this.#at = 0;
    for (const node of state.nodes) this.#node(node);
    for (const write of state.writes) {
      const { at, tombstone, past, acks, acked, open, reply } = write;
      this.#words(at, Number(tombstone), past, acks, Number(acked), Number(open));
      if (!acked) this.#seen(reply);
    }
    for (const message of [...state.messages].sort(byAddress)) {
      const { kind, to, sealed } = message;
      this.#words(kinds.indexOf(kind), to, kind === "write" ? 2 * message.write + Number(message.handed) : -1);
      this.#sealed(sealed);
    }
    this.#seen(state.client);
    this.#words(state.reap?.asked ?? -1, state.reap?.clear ?? -1, state.reaped);
    this.#sealed(state.reap?.sealed ?? null);
    const { puts, deletes, reads, crashes, cuts, reaps } = state.left;
    this.#words(puts, deletes, reads, crashes, cuts, reaps);
    hashBytes(this.#bytes, 0, this.#at, 0, this.hash);
    return this.hash;
  }

  #node({ disks, incarnation, counter, doubt }: NodeModel): void {
    this.#words(disks.length, incarnation, counter, doubt);
    for (const { record, hints } of disks) {
      this.#sealed(record);
      this.#words(hints.length);
      for (const { target, sealed } of hints) {
        this.#words(target);
        this.#sealed(sealed);
      }
    }
  }

  #seen({ version, own, past }: SeenModel): void {
    this.#words(past, version.words.length, ...version.words);
    if (own !== null) this.#words(own.dot.actorHigh, own.dot.actorLow, own.dot.counter);
  }

  #words(...words: number[]): void {
    this.#room(4 * words.length);
    for (const word of words) this.#at = writeWord(this.#bytes, this.#at, word);
  }

  #sealed(sealed: Uint8Array | null): void {
    this.#words(sealed?.length ?? -1);
    if (sealed === null) return;
    this.#room(sealed.length);
    this.#bytes.set(sealed, this.#at);
    this.#at += sealed.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const more = new Uint8Array(2 * (this.#at + bytes));
    more.set(this.#bytes);
    this.#bytes = more;
  }
}

const kinds: readonly MessageModel["kind"][] = ["write", "hint", "receipt", "forget"];

/** Messages have no order of their own: states that differ in it alone are one. */
function byAddress(a: MessageModel, b: MessageModel): number {
  return addressOf(a) - addressOf(b);
}

function addressOf(message: MessageModel): number {
  const { kind, to } = message;
  return 1000 * kinds.indexOf(kind) + 100 * to + (kind === "write" ? message.write : 0);
}
