/**
 * Calls: what a simulated client is asked to do, and one such wish over all its attempts. `client.ts` decides when and
 * where each attempt goes, and what an answer means.
 */
import { noBytes, utf8 } from "../base/bytes.ts";
import type { ErrorCode, Status } from "../base/errors.ts";
import { statusOk } from "../base/errors.ts";
import { fullKeyOf } from "../base/full-key.ts";
import type { Instant } from "../base/time.ts";
import { type Dot, VersionVector } from "../version/version-vector.ts";
import type { Frame } from "../wire/frame.ts";
import { ErrorReply } from "../wire/gen/codecs.ts";
import type { AnswerSink, ClientLink } from "./client-link.ts";
import { isLastWriteKey, lastWriteBucketName, type Operation } from "./history.ts";

/** The bucket of the simulator's clients, and the other one, where the last write wins. */
export const simBucket: Uint8Array = utf8("sim");
const lastWriteBucket: Uint8Array = utf8(lastWriteBucketName);

/** A key's name says in which bucket it is. */
export function bucketOfName(key: string): Uint8Array {
  return isLastWriteKey(key) ? lastWriteBucket : simBucket;
}

/** The names that were asked for: plans have few, and each is asked for all the time. */
const fullKeys = new Map<string, Uint8Array>();

/** The full key of a key's name in its bucket; the same object every time. */
export function fullKeyOfName(key: string): Uint8Array {
  let fullKey = fullKeys.get(key);
  if (fullKey === undefined) {
    fullKey = fullKeyOf(bucketOfName(key), utf8(key));
    fullKeys.set(key, fullKey);
  }
  return fullKey;
}

/** Refusals after which a write has not happened and will not. */
export const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "INVALID_ARGUMENT",
  "KEY_TOO_LARGE",
  "VALUE_TOO_LARGE",
  "OVERLOADED",
  "TOO_MANY_SIBLINGS",
  "NODE_STOPPING",
  "WRONG_CLUSTER",
  "WRONG_OWNER",
  "EXPIRED",
]);

/** Per mille of attempts that got no answer in time after which the client hangs up. */
export const hangUpPerMille = 300;

/** Told of each acknowledgement of a write, at the instant the node hands it to its link. */
export interface AckWatch {
  onAckSent(now: Instant, operation: Operation): void;
}

/** A context as a client holds it. */
export interface HeldContext {
  readonly bytes: Uint8Array;
  readonly version: VersionVector;
  /** The own write that it names beside the vector. */
  readonly own: Dot | null;
}

/** What a client holds of a key that it has not read. */
export const noContext: HeldContext = { bytes: noBytes, version: VersionVector.empty, own: null };

/** What a client wants written. */
export interface WriteWish {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value: number;
  /** Bytes of padding behind the value's number. */
  readonly padding: number;
  readonly context: HeldContext;
  /** 0: the bucket's. */
  readonly w?: number;
  readonly durability?: number;
  /** Ask only this node, by its position. */
  readonly node?: number;
}

/** What a client wants to read. */
export interface ReadWish {
  /** More than one key: a multi-get. */
  readonly keys: readonly string[];
  /** 0: the bucket's. */
  readonly r?: number;
  /** Only owners count. */
  readonly strict?: boolean;
  readonly final?: boolean;
  /** Ask only this node, by its position. */
  readonly node?: number;
}

/** Called when an operation (or each of a multi-get's) has ended. `context` is what its answer gave. */
export type Ended = (now: Instant, operation: Operation, context: HeldContext) => void;

/** One operation (or multi-get) over all its attempts. */
export class Call {
  readonly operations: readonly Operation[];
  readonly deadline: Instant;
  readonly send: (link: ClientLink, timeoutUs: number, sink: AnswerSink) => void;
  readonly ended: Ended;
  readonly only: number;
  /** Of a get whose first attempt the client coordinates itself: the answers it needs; 0: a node coordinates. */
  copies = 0;
  attempts = 0;
  /** Some attempt may have had an effect. */
  maybe = false;
  over = false;

  constructor(operations: readonly Operation[], deadline: Instant, send: Call["send"], ended: Ended, only: number) {
    this.operations = operations;
    this.deadline = deadline;
    this.send = send;
    this.ended = ended;
    this.only = only;
  }

  get first(): Operation {
    return this.operations[0] as Operation;
  }
}

/** Who made a call: its client. */
export interface CallOwner {
  /** Tries again soon, while the deadline allows. */
  retry(now: Instant, call: Call): void;
  /** An attempt was answered with an error. `inDoubt`: whoever refused it says that it may have happened. */
  onRefused(now: Instant, call: Call, status: Status, inDoubt: boolean): void;
  /** An attempt was answered with success. */
  onAnswered(now: Instant, call: Call, link: ClientLink, frame: Frame): void;
  /** A node hands the answer to its link. */
  onAnswerSent(now: Instant, call: Call, status: Status): void;
}

/** One sending of a call to one node. */
export class Attempt implements AnswerSink {
  over = false;
  readonly #owner: CallOwner;
  readonly #call: Call;
  readonly #link: ClientLink;

  constructor(owner: CallOwner, call: Call, link: ClientLink) {
    this.#owner = owner;
    this.#call = call;
    this.#link = link;
  }

  onAnswer(now: Instant, frame: Frame): void {
    const late = this.over;
    this.over = true;
    const { status } = frame;
    if (status === statusOk) this.#owner.onAnswered(now, this.#call, this.#link, frame);
    else if (!late) this.#owner.onRefused(now, this.#call, status, frame.decode(ErrorReply).inDoubt);
  }

  onLost(now: Instant, sent: boolean): void {
    if (this.over) return;
    this.over = true;
    if (sent) this.#call.maybe = true;
    this.#owner.retry(now, this.#call);
  }

  onAnswerSent(now: Instant, status: Status): void {
    this.#owner.onAnswerSent(now, this.#call, status);
  }
}
