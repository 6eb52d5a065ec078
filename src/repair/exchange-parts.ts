/** What an exchange is begun with, what it reports, and what it asks of the node around it. The core: `exchange.ts`. */
import type { Status } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { Slab } from "../base/slab.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import type { TreeOf } from "./leaf-list.ts";
import type { TreeId, TreeSource } from "./merkle-tree.ts";
import type { Question } from "./questions.ts";
import type { Relation } from "./relation.ts";

/** A tree to compare. */
export interface TreeStart {
  readonly tree: TreeId;
  /** The leaf to begin with, from an earlier exchange's result; 0 for a fresh start. All leaves are compared, it only comes first. */
  readonly cursor: number;
}

/** What to do. */
export interface ExchangeRequest {
  readonly peer: NodeNumber;
  readonly trees: readonly TreeStart[];
  /** Differing leaves of one tree that one pass takes on. Higher: fewer passes over a damaged tree, longer ones. */
  readonly leavesMax: number;
  /** `both`: each side ends with what either had. `pull`: only this side is brought up. */
  readonly direction: "both" | "pull";
  /** Report what differs and move nothing. */
  readonly preview: boolean;
  /** 0: one pass. Else passes until each tree was found equal so many times in a row: 2 for a transfer's catch-up. */
  readonly untilEqual: number;
}

/**
 * How a tree came out. `equal`: nothing that lasted differed. `repaired`: all that did was moved. `differs`: a preview
 * found differences. `partial`: leaves or keys are left over: go on from the cursor. `refused`: the peer does not compare
 * this tree now. `interrupted`: the exchange ended before the tree's turn was over: go on from the cursor.
 */
export type TreeOutcome = "equal" | "repaired" | "differs" | "partial" | "refused" | "interrupted";

/** One tree's end. */
export interface TreeResult {
  readonly tree: TreeId;
  readonly outcome: TreeOutcome;
  /** Where to begin the next time. */
  readonly cursor: number;
}

/** The end of an exchange. */
export interface ExchangeResult {
  readonly peer: NodeNumber;
  /** When it was begun: what was acknowledged before is covered by `equal` and `repaired`. */
  readonly begunAt: Instant;
  /** 0, or why the exchange was interrupted. */
  readonly status: Status;
  readonly trees: readonly TreeResult[];
}

/** A key that a preview found. */
export interface PreviewedKey {
  readonly tree: TreeId;
  readonly fullKey: Uint8Array;
  /** Seen from here: `askerBehind` is "we are". */
  readonly relation: Relation;
  /** Bytes of the record here and at the peer; 0: none. */
  readonly bytesHere: number;
  readonly bytesThere: number;
}

/** Counted over the life of one `Exchange`. */
export class ExchangeCounters {
  exchanges = 0;
  rootsCompared = 0;
  /** Trees whose roots differed twice, a window apart. */
  treesDescended = 0;
  /** Leaves that differed once and not a window later: writes in flight. */
  leavesSettled = 0;
  leavesListed = 0;
  keysListed = 0;
  keysDiffering = 0;
  /** Keys that had become equal by the time they were looked at again. */
  keysSettled = 0;
  keysPulled = 0;
  keysPushed = 0;
  bytesPulled = 0;
  bytesPushed = 0;
  /** Keys that a pull-only exchange left, because the peer is behind. */
  keysLeft = 0;
  /** Keys whose record could not be moved. */
  keysFailed = 0;
  interrupted = 0;
}

/** What an exchange asks of the node around it. Each `id` is answered once, later, never inside the call. */
export interface ExchangeEffects {
  /** Sends the question to the peer; `onAnswer` follows. The body's bytes are borrowed until the call returns. */
  ask(now: Instant, id: number, peer: NodeNumber, question: Question): void;
  /** Reads a page of the own records under a leaf (`Store.scanRecords` with `leaf`); `onScanned` follows. */
  scanLeaf(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void;
  /** Reads the own record of a key; `onRecord` follows. */
  readRecord(now: Instant, id: number, fullKey: Uint8Array): void;
  /** Merges a record from the peer, checksum good, into the own one (`Replica.write`); `onMoved` follows. Bytes are borrowed. */
  mergeRecord(now: Instant, id: number, tree: TreeId, fullKey: Uint8Array, sealed: Uint8Array): void;
  /** Sends the peer the own record as it is by now (RECORD_PUSH); `onMoved` follows. */
  pushRecord(now: Instant, id: number, peer: NodeNumber, tree: TreeId, fullKey: Uint8Array): void;
  /** Preview only: a key differs. */
  difference(now: Instant, key: PreviewedKey): void;
  /** The exchange is over; a new one may be begun once this call has returned. */
  finished(now: Instant, result: ExchangeResult): void;
}

/** What an `Exchange` is built from. */
export interface ExchangeOptions {
  readonly effects: ExchangeEffects;
  /** The store's leaves. */
  readonly leaves: TreeSource;
  readonly treeOf: TreeOf;
  /** A difference counts once it has lasted this long: twice the longest write deadline. Shorter: chases writes in flight. */
  readonly windowUs: DurationUs;
  /** An exchange that hears nothing for so long while it waits for an answer is interrupted. Default 10 s. */
  readonly answerTimeoutUs?: DurationUs;
}

/** What an answer is awaited for. */
export const WaitKind = { answer: 0, scan: 1, read: 2, move: 3 } as const;
/** One of the kinds. */
export type WaitKind = (typeof WaitKind)[keyof typeof WaitKind];

interface Wait {
  readonly kind: WaitKind;
  readonly index: number;
}

/** The answers that an exchange awaits, by id. */
export class Waits {
  readonly #slab: Slab<Wait> = new Slab(1024);
  readonly #timeout: DurationUs;
  #heard: Instant = never;

  constructor(timeout: DurationUs) {
    this.#timeout = timeout;
  }

  get size(): number {
    return this.#slab.size;
  }

  /** A fresh id. `index` is the asker's own. */
  add(now: Instant, kind: WaitKind, index: number): number {
    this.#heard = now;
    return this.#slab.add({ kind, index });
  }

  /** The index under this id, which is answered herewith; -1: nobody waits for it. */
  take(now: Instant, id: number, kind: WaitKind): number {
    const wait = this.#slab.get(id);
    if (wait === undefined || wait.kind !== kind) return -1;
    this.#slab.remove(id);
    this.#heard = now;
    return wait.index;
  }

  /** When patience ends; never, while nothing is awaited. */
  deadline(): Instant {
    return this.#slab.size === 0 ? never : after(this.#heard, this.#timeout);
  }

  clear(): void {
    const ids: number[] = [];
    this.#slab.forEach((_wait, id) => {
      ids.push(id);
    });
    for (const id of ids) this.#slab.remove(id);
  }
}
