/**
 * History: what clients asked and what they were told, the only thing the black-box oracle sees. An operation is
 * written down before it is sent, so that a client's crash cannot erase it, and ends in one of three ways: `ok`, `fail`
 * (a refusal: it had no effect and never will) or `unknown` (it may have happened, or may happen later).
 *
 * Values are numbers here: each put submits one of its own, and the bytes are made from it, so a damaged or invented
 * value is recognised.
 */
import { hexOf } from "../base/bytes.ts";
import type { Status } from "../base/errors.ts";
import { type Instant, never } from "../base/time.ts";
import { decodeRecordBody } from "../version/record.ts";
import type { Dot } from "../version/version-vector.ts";
import { mergeVersions, VersionVector } from "../version/version-vector.ts";

/** What a client can ask. */
export type OperationKind = "put" | "delete" | "get";
/** `open`: not ended yet. */
export type Outcome = "open" | "ok" | "fail" | "unknown";

/** One sibling as an answer showed it. `value` is 0 for a tombstone, -1 for bytes that no client ever made. */
export interface Shown {
  readonly requestId: string;
  readonly dots: readonly Dot[];
  readonly tombstone: boolean;
  readonly value: number;
  /** Of a write to a bucket where the last one wins; absent: not told. */
  readonly stamp?: number;
}

/** The bucket where the last write wins. */
export const lastWriteBucketName = "lww";

/** Whether the key is in that bucket, by its name. */
export function isLastWriteKey(key: string): boolean {
  return key.startsWith("lww-");
}

/** One get, put or delete of one key by one client. The client changes it until it has ended. */
export class Operation {
  readonly id: number;
  readonly client: number;
  readonly kind: OperationKind;
  readonly key: string;
  /** 32 hexadecimal digits; "" for a get. */
  readonly requestId: string;
  /** What a put submits; 0 otherwise. */
  readonly value: number;
  /** What the context that came with a put or delete covers. */
  readonly context: VersionVector;
  /** Of a write: the own write that its context names beside the vector. */
  readonly contextOwn: Dot | null;
  readonly begin: Instant;
  /** When the client gives it up; `never` in a history made by hand. */
  readonly deadline: Instant;
  /** Whether it is one of the last reads, after everything is healed and has settled. */
  readonly final: boolean;
  /** Of a write: the W and the durability it asked for; 0: the bucket's. */
  readonly w: number;
  readonly durability: number;
  end: Instant = never;
  outcome: Outcome = "open";
  status: Status = 0;
  /** How often it was sent. */
  attempts = 0;
  /** Of an `ok` get: what the record holds. */
  siblings: readonly Shown[] = [];
  /** Of an `ok` answer: what its context covers. */
  version: VersionVector = VersionVector.empty;
  /** Of an `ok` put: its own dot, where the answer names it beside the vector. */
  own: Dot | null = null;
  /** Of an `ok` answer: the numbers of the nodes that acknowledged, and of the one that coordinated. */
  acks: readonly number[] = [];
  /** Those of them that are fallbacks: they keep a hint, or answered from one. */
  fallbackAcks: readonly number[] = [];
  coordinator = 0;

  constructor(
    id: number,
    fields: {
      readonly client: number;
      readonly kind: OperationKind;
      readonly key: string;
      readonly requestId?: string;
      readonly value?: number;
      readonly context?: VersionVector;
      readonly contextOwn?: Dot | null;
      readonly begin: Instant;
      readonly deadline?: Instant;
      readonly final?: boolean;
      readonly w?: number;
      readonly durability?: number;
    },
  ) {
    this.id = id;
    this.client = fields.client;
    this.kind = fields.kind;
    this.key = fields.key;
    this.requestId = fields.requestId ?? "";
    this.value = fields.value ?? 0;
    this.context = fields.context ?? VersionVector.empty;
    this.contextOwn = fields.contextOwn ?? null;
    this.begin = fields.begin;
    this.deadline = fields.deadline ?? never;
    this.final = fields.final ?? false;
    this.w = fields.w ?? 0;
    this.durability = fields.durability ?? 0;
  }

  get isWrite(): boolean {
    return this.kind !== "get";
  }
}

/** All operations of a run, in the order in which they began. */
export class History {
  readonly operations: Operation[] = [];

  begin(fields: ConstructorParameters<typeof Operation>[1]): Operation {
    const operation = new Operation(this.operations.length, fields);
    this.operations.push(operation);
    return operation;
  }

  /** Every key that was ever asked for, in the order of its first operation. */
  keys(): string[] {
    return [...new Set(this.operations.map((operation) => operation.key))];
  }

  of(key: string): Operation[] {
    return this.operations.filter((operation) => operation.key === key);
  }
}

/** A request id as the history names it: 32 hexadecimal digits. */
export function idName(requestId: Uint8Array): string {
  return hexOf(requestId);
}

/** The name of a dot as a map's key. */
export function dotName(dot: Dot): string {
  return `${dot.actorHigh}.${dot.actorLow}.${dot.counter}`;
}

/** What the contexts of writes cover: their vectors' union, and the own writes that they name beside them. */
export class Coverage {
  #vector: VersionVector = VersionVector.empty;
  readonly #owns = new Set<string>();

  add(write: Operation): void {
    this.#vector = mergeVersions(this.#vector, write.context);
    if (write.contextOwn !== null) this.#owns.add(dotName(write.contextOwn));
  }

  /** Whether one of these dots is covered. */
  coversAny(dots: readonly Dot[]): boolean {
    return this.#vector.coversAny(dots) || (this.#owns.size > 0 && dots.some((dot) => this.#owns.has(dotName(dot))));
  }
}

/** What the contexts of all writes cover that may have happened. */
export function coveredByContexts(writes: Iterable<Operation>): Coverage {
  const covered = new Coverage();
  for (const write of writes) if (write.outcome !== "fail") covered.add(write);
  return covered;
}

/**
 * What an acknowledged write's dot may be when nobody ever saw it: what is new in the answered version, of its
 * coordinator if possible.
 */
export function possibleDots(write: Operation): readonly Dot[] {
  if (write.own !== null) return [write.own];
  const fresh = freshDots(write);
  const own = fresh.filter((dot) => dot.actorHigh >>> 16 === write.coordinator);
  return own.length > 0 ? own : fresh;
}

/**
 * The dot that an acknowledged write has for certain; null if the answer alone does not tell. One that was sent again may
 * have the dot of an earlier coordinator, and its last one may have minted, for others, what else is new to the writer.
 */
export function certainDot(write: Operation): Dot | null {
  const dots = write.attempts > 1 && write.own === null ? freshDots(write) : possibleDots(write);
  return dots.length === 1 ? (dots[0] as Dot) : null;
}

/** What the answered version covers and the context did not. */
function freshDots(write: Operation): Dot[] {
  const fresh: Dot[] = [];
  for (let i = 0; i < write.version.size; i += 1) {
    const dot = write.version.entry(i);
    if (!write.context.covers(dot)) fresh.push(dot);
  }
  return fresh;
}

/** One line for people. */
export function operationText(operation: Operation): string {
  const { kind, key, outcome, requestId, value } = operation;
  const what = kind === "put" ? `put ${key} = ${value}` : `${kind} ${key}`;
  const own = operation.contextOwn === null ? "" : ` and ${dotText(operation.contextOwn)}`;
  const context = operation.isWrite ? ` context ${versionText(operation.context)}${own}` : "";
  const id = requestId === "" ? "" : ` id ${requestId.slice(0, 8)}`;
  const seen = kind === "get" && outcome === "ok" ? ` -> [${operation.siblings.map(shownText).join(", ")}]` : "";
  const version = outcome === "ok" ? ` version ${versionText(operation.version)}` : "";
  return `operation ${operation.id}: ${what}${id}${context}: ${outcome}${seen}${version}`;
}

function shownText(shown: Shown): string {
  const value = shown.tombstone ? "tombstone" : String(shown.value);
  return `${value} ${shown.dots.map(dotText).join("+")}`;
}

/** A dot for people: "node 2 (1a2b) 17". */
export function dotText(dot: Dot): string {
  const incarnation = (((dot.actorHigh & 0xffff) ^ dot.actorLow) >>> 0).toString(16).slice(-4);
  return `${dot.actorHigh >>> 16}(${incarnation}):${dot.counter}`;
}

/** A version vector for people. */
export function versionText(version: VersionVector): string {
  const entries: string[] = [];
  for (let i = 0; i < version.size; i += 1) entries.push(dotText(version.entry(i)));
  return `{${entries.join(" ")}}`;
}

/** The bytes that stand for a value: its number, then padding that depends on it. At least 4 bytes. */
export function valueBytes(value: number, padding: number): Uint8Array {
  const bytes = new Uint8Array(4 + padding).fill(value & 0xff);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** The number behind a value's bytes, or -1 if no client ever made such bytes. */
export function valueNumber(bytes: Uint8Array): number {
  if (bytes.length < 4) return -1;
  const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
  for (let i = 4; i < bytes.length; i += 1) if (bytes[i] !== (value & 0xff)) return -1;
  return value;
}

/** The siblings of a record's body, as the history keeps them. */
export function shownOf(record: Uint8Array): Shown[] {
  return decodeRecordBody(record).siblings.map((sibling) => ({
    requestId: idName(sibling.requestId),
    dots: sibling.dots.map((dot) => ({ ...dot })),
    tombstone: sibling.tombstone,
    value: sibling.tombstone ? 0 : valueNumber(sibling.value),
    stamp: sibling.stamp,
  }));
}
