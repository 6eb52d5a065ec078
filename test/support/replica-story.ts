/**
 * ReplicaStory: a replica over a fake store, whose calls and effects become lines of text, and helpers that name what
 * tests of the replica need: keys, contexts, request ids, records.
 */

import { hexOf, utf8, utf8Text } from "../../src/base/bytes.ts";
import { codeOf, statusOk } from "../../src/base/errors.ts";
import { fullKeyOf, keyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { nodeNumber } from "../../src/base/ids.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import { type ActorEffects, Actors, type Incarnation } from "../../src/replica/actors.ts";
import { HybridClock } from "../../src/replica/hybrid-clock.ts";
import {
  Replica,
  type ReplicaEffects,
  ReplicaKind,
  ReplicaOp,
  type ReplicaOptions,
} from "../../src/replica/replica.ts";
import type { StoredHint, StoreWrite } from "../../src/storage/store.ts";
import { openRecord, sealRecord } from "../../src/version/record.ts";
import { causalHash, SiblingSet } from "../../src/version/sibling-set.ts";
import type { Dot } from "../../src/version/version-vector.ts";
import { VersionVector } from "../../src/version/version-vector.ts";
import { FakeStore } from "./fake-store.ts";

/** The full key of a short name. */
export function keyNamed(name: string): Uint8Array {
  return fullKeyOf(utf8("b"), utf8(name));
}

/** A request id of 16 bytes from a short name. */
export function idNamed(name: string): Uint8Array {
  const id = new Uint8Array(16);
  id.set(utf8(name).subarray(0, 16));
  return id;
}

/** An op on the key of that name, with its hash; `fields` are set over the defaults. */
export function opOn<O>(kind: ReplicaKind, origin: O, key: string, fields: Partial<ReplicaOp<O>> = {}): ReplicaOp<O> {
  const op = new ReplicaOp<O>(kind, origin, keyNamed(key));
  const hash = new Hash64();
  hashKey(op.fullKey, hash);
  op.hashHigh = hash.high;
  op.hashLow = hash.low;
  op.partition = 5;
  op.n = 3;
  return Object.assign(op, fields);
}

/** A dot of another node, called by a letter: "B3" is the third of the second node. */
export function dotNamed(name: string): Dot {
  const node = name.charCodeAt(0) - 64;
  return { actorHigh: ((node << 16) | 0xaaaa) >>> 0, actorLow: node, counter: Number(name.slice(1)) };
}

/** A version of named dots: "B3 C1". */
export function versionNamed(text: string): VersionVector {
  let version = VersionVector.empty;
  for (const name of text.split(" ")) if (name !== "") version = version.with(dotNamed(name));
  return version;
}

/** A sealed record of blind writes at other nodes, one for each named dot; the value is the dot's name in lower case. */
export function recordNamed(text: string): Uint8Array {
  let set = SiblingSet.empty;
  for (const name of text.split(" ")) {
    set = set.put({
      context: VersionVector.empty,
      dot: dotNamed(name),
      requestId: idNamed(`id ${name}`),
      value: utf8(name.toLowerCase()),
      tombstone: false,
      second: 100,
      keepRecentFor: 100,
    });
  }
  return sealRecord(set);
}

/** Incarnations are 1, 2, 3...: node 1's are written a, b, c... and other nodes' are not told apart. */
function actorName(actorHigh: number, actorLow: number): string {
  const node = String.fromCharCode(64 + (actorHigh >>> 16));
  return node === "A" && actorLow > 1 ? `A'${actorLow}:` : node;
}

function dotText(dot: Dot): string {
  return `${actorName(dot.actorHigh, dot.actorLow)}${dot.counter}`;
}

/** A version as text: "{A3 B1}". */
export function versionText(version: VersionVector): string {
  const dots: string[] = [];
  for (let i = 0; i < version.size; i += 1) dots.push(dotText(version.entry(i)));
  return `{${dots.join(" ")}}`;
}

/** A record as text: "{A3 B1} [A3=apple B1=bear]"; a tombstone is "gone". */
export function recordText(sealed: Uint8Array | null): string {
  if (sealed === null) return "nothing";
  const set = openRecord(sealed);
  const siblings = set.siblings.map((sibling) => {
    const value = sibling.tombstone ? "gone" : utf8Text(sibling.value);
    return `${sibling.dots.map(dotText).join("+")}=${value}`;
  });
  return `${versionText(set.version)} [${siblings.join(" ")}]`;
}

function writeText({ hint, sealed }: StoreWrite): string {
  if (hint === null) return `write ${recordText(sealed)}`;
  if (sealed.length === 0) return `delete the hint for node ${hint.target}`;
  return `write the hint for node ${hint.target} of ${hint.second} s: ${recordText(sealed)}`;
}

class Recorder implements ActorEffects, ReplicaEffects<string> {
  readonly lines: string[] = [];
  readonly finished: ReplicaOp<string>[] = [];
  #drawn = 1;

  saveLease(_now: Instant, leaseTop: number): void {
    this.lines.push(`      save lease ${leaseTop}`);
  }

  drawIncarnation(): Incarnation {
    this.#drawn += 1;
    return { high16: 0xaaaa, low: this.#drawn };
  }

  prepared(_now: Instant, op: ReplicaOp<string>): void {
    this.lines.push(`      prepared ${op.origin}: ${recordText(op.sealed)}`);
  }

  wantTurnEnd(): void {
    this.lines.push("      waits for the end of the turn");
  }

  done(_now: Instant, op: ReplicaOp<string>): void {
    this.finished.push(op);
    let text = op.status === statusOk ? "ok" : `${codeOf(op.status)}, ${op.message}`;
    if (op.durable) text += ", durable";
    if (op.kind === ReplicaKind.dropHint && op.status === statusOk) text += op.removed ? ", removed" : ", it stays";
    const reads = op.kind === ReplicaKind.read || op.kind === ReplicaKind.readHints;
    if (reads && op.status === statusOk) text += `, ${recordText(op.sealed)}`;
    this.lines.push(`      done ${op.origin}: ${text}`);
  }

  amnesia(_now: Instant, partition: number): void {
    this.lines.push(`      amnesia in partition ${partition}`);
  }
}

/** Node 1 ("A") with one replica. `now` is set by hand, in seconds. */
export class ReplicaStory {
  readonly store = new FakeStore();
  readonly recorder = new Recorder();
  readonly actors: Actors;
  readonly replica: Replica<string>;
  seconds = 100;

  constructor(options: Partial<ReplicaOptions<string>> = {}, leaseStep = 1000) {
    const incarnation = { high16: 0xaaaa, low: 1 };
    const node = nodeNumber(1);
    this.actors = new Actors({
      effects: this.recorder,
      node,
      partitions: 8,
      incarnation,
      leaseTop: leaseStep,
      leaseStep,
    });
    const limits = { waitersMax: 8, busyMax: 16, keepRecentForSeconds: 60, retriesMax: 64 };
    this.replica = new Replica({
      effects: this.recorder,
      store: this.store,
      actors: this.actors,
      clock: new HybridClock(() => 1000 * this.seconds),
      ...limits,
      ...options,
    });
    this.store.sink = this.replica;
    this.store.onCall = (what, write) => {
      if (write === undefined) this.say(`      store ${what === "read" ? "read" : "read hints"}`);
      else this.say(`      store ${writeText(write)}${["", ", designated", ", sync"][write.sync]}`);
    };
  }

  get now(): Instant {
    return instant(this.seconds * 1_000_000);
  }

  /** The op finished last. */
  get last(): ReplicaOp<string> {
    return this.recorder.finished.at(-1) as ReplicaOp<string>;
  }

  say(line: string): void {
    this.recorder.lines.push(line);
  }

  /** A put of `value` ("" is a delete) under the key; the value is also the request id unless `fields` say otherwise. */
  put(key: string, value: string, fields: Partial<ReplicaOp<string>> = {}): ReplicaOp<string> {
    const given = {
      value: utf8(value),
      requestId: idNamed(`put ${value}`),
      tombstone: value === "",
      second: this.seconds,
    };
    const op = opOn(ReplicaKind.put, `put ${key}=${value || "gone"}`, key, { ...given, ...fields });
    const context = op.context.size === 0 ? "blind" : `context ${versionText(op.context)}`;
    this.say(`${this.seconds} s  put ${key}=${value || "gone"}, ${context}`);
    this.replica.put(this.now, op);
    return op;
  }

  /** The end of a turn. */
  endTurn(): void {
    this.say(`${this.seconds} s  the turn ends`);
    this.replica.endTurn(this.now);
  }

  /** A record from a peer. */
  merge(key: string, sealed: Uint8Array, fields: Partial<ReplicaOp<string>> = {}): ReplicaOp<string> {
    const op = opOn(ReplicaKind.write, `merge ${key}`, key, { sealed, ...fields });
    this.say(`${this.seconds} s  merge ${key}: ${recordText(sealed)}`);
    this.replica.write(this.now, op);
    return op;
  }

  /** A record from a coordinator, for the node `target` that it cannot reach. */
  keep(key: string, target: number, sealed: Uint8Array, fields: Partial<ReplicaOp<string>> = {}): ReplicaOp<string> {
    const given = { target, sealed, second: this.seconds };
    const op = opOn(ReplicaKind.keepHint, `keep ${key} for ${target}`, key, { ...given, ...fields });
    this.say(`${this.seconds} s  keep ${key} for node ${target}: ${recordText(sealed)}`);
    this.replica.changeHint(this.now, op);
    return op;
  }

  /** The target has acknowledged `sealed` as its own. */
  drop(key: string, target: number, sealed: Uint8Array): ReplicaOp<string> {
    const op = opOn(ReplicaKind.dropHint, `drop ${key} for ${target}`, key, { target });
    const hash = new Hash64();
    causalHash(openRecord(sealed), op.fullKey, hash);
    op.causalHigh = hash.high;
    op.causalLow = hash.low;
    this.say(`${this.seconds} s  drop ${key} for node ${target} if it is ${recordText(sealed)}`);
    this.replica.changeHint(this.now, op);
    return op;
  }

  /** What a fallback answers a get with. */
  readHints(key: string, target = 0): ReplicaOp<string> {
    const op = opOn(ReplicaKind.readHints, `read hints ${key}`, key, { target });
    this.say(`${this.seconds} s  read the hints of ${key}`);
    this.replica.read(this.now, op);
    return op;
  }

  /** The hint as stored. */
  hint(key: string, target: number): StoredHint | undefined {
    return this.store.hints.get(hexOf(keyNamed(key)))?.find((one) => one.target === target);
  }

  read(key: string, fields: Partial<ReplicaOp<string>> = {}): ReplicaOp<string> {
    const op = opOn(ReplicaKind.read, `read ${key}`, key, fields);
    this.say(`${this.seconds} s  read ${key}`);
    this.replica.read(this.now, op);
    return op;
  }

  /** The store gives one answer it owes. */
  answer(index = 0, error: string | null = null): void {
    const owed = this.store.owed[index];
    const key = owed === undefined ? "" : utf8Text(keyOf(bytesOf(owed.key)));
    const words = { read: "has read", hints: "has read the hints of", write: "has written", sync: "has synced" };
    this.say(
      `${this.seconds} s  the store ${owed === undefined ? "" : words[owed.what]} ${key}${error === null ? "" : `: ${error}`}`,
    );
    this.store.answer(this.now, index, error);
  }

  /** Puts a record into the store behind the replica's back. */
  plant(key: string, sealed: Uint8Array): void {
    this.store.records.set(hexOf(keyNamed(key)), sealed);
  }

  stored(key: string): string {
    return recordText(this.store.records.get(hexOf(keyNamed(key))) ?? null);
  }

  /** The story so far under its first line. */
  text(title: string): string {
    return `# ${title}\n${this.recorder.lines.join("\n")}\n`;
  }
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
