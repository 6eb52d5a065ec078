/**
 * SimClient: an application's process in the simulated world. It speaks the client protocol in bytes (client-link.ts),
 * sends an operation to an owner or to anybody, tries again elsewhere with the same request id while the deadline
 * allows, and writes down in the history what it asked and what came of it. Not the SDK: no promises, and manners bad
 * on purpose.
 *
 * An outcome is `fail` only if every attempt was refused in a way that promises "nothing happened"; one lost or late
 * answer makes it `unknown`.
 */
import { utf8 } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { codeOf, type Status, statusOk } from "../base/errors.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { clusterIdOf, idBytes } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import { ContextKey, openContext } from "../version/context.ts";
import { ackNode, isFallbackAck } from "../wire/ack-word.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  DeleteRequest,
  FetchRingReply,
  FetchRingRequest,
  GetReply,
  GetRequest,
  MultiGetReply,
  MultiGetRequest,
  PutReply,
  PutRequest,
  ReplicaReadRequest,
} from "../wire/gen/codecs.ts";
import type { LinkEvents } from "../wire/link.ts";
import { ringFromMessage } from "../wire/ring-codec.ts";
import {
  type AckWatch,
  Attempt,
  bucketOfName,
  Call,
  type CallOwner,
  type Ended,
  fullKeyOfName,
  type HeldContext,
  hangUpPerMille,
  noContext,
  type ReadWish,
  refusals,
  type WriteWish,
} from "./client-call.ts";
import { type AnswerSink, ClientLink } from "./client-link.ts";
import { type History, idName, type Operation, operationText, shownOf, valueBytes } from "./history.ts";
import { deriveKey } from "./keys.ts";
import { LinkEnd } from "./link-end.ts";
import type { Network } from "./network.ts";
import { OwnRead } from "./own-read.ts";
import type { Place } from "./place.ts";
import type { Action } from "./scheduler.ts";
import { TraceType } from "./trace.ts";

/** Per mille of the gets that a client could coordinate itself. */
const ownPerMille = 600;
const noSink: AnswerSink = { onAnswer: () => undefined, onLost: () => undefined, onAnswerSent: () => undefined };

/** What a client works with. */
export interface ClientOptions {
  readonly network: Network;
  readonly rng: Rng;
  readonly history: History;
  readonly addresses: readonly string[];
  readonly watch: AckWatch | undefined;
  /** An operation's time, and one attempt's, microseconds. */
  readonly deadlineUs: DurationUs;
  readonly attemptUs: DurationUs;
  /** Most gets of single keys are coordinated by the client itself. */
  readonly ownCoordination: boolean;
}

/** One client, over all its lives. */
export class SimClient implements Place, CallOwner {
  readonly name: string;
  readonly number: number;
  readonly position: number;
  readonly alive = true;
  readonly powered = true;
  life = 1;
  ring: Ring | undefined;
  readonly #options: ClientOptions;
  readonly #ownRng: Rng;
  readonly #hash = new Hash64();
  #links: ClientLink[] = [];
  #contextKey: ContextKey | undefined;
  #calls = new Set<Call>();

  constructor(number: number, options: ClientOptions) {
    this.number = number;
    this.name = `client ${number}`;
    this.position = options.network.size;
    this.#options = options;
    this.#ownRng = options.rng.fork("own");
    options.network.add(this, undefined);
    this.#connect();
  }

  #connect(): void {
    const transport = this.#options.network.transport(this);
    this.#links = this.#options.addresses.map((address) => new ClientLink(address, transport));
  }

  /** Operations that have not ended. */
  get open(): number {
    return this.#calls.size;
  }

  /** Requests that no node has answered although their connection is up; for people. */
  get owed(): string[] {
    return this.#links.flatMap((link) => link.owed);
  }

  enter(now: Instant, life: number, entry: Action): void {
    if (life === this.life) entry(now);
  }

  accept(): LinkEvents | undefined {
    return undefined;
  }

  /** The process dies and starts anew: what it had under way stays unknown for ever. */
  crash(now: Instant): void {
    this.life += 1;
    this.#options.network.dropPlace(this, false);
    for (const call of this.#calls) for (const one of call.operations) this.#close(now, one, "unknown", 0);
    for (const call of this.#calls) call.over = true;
    this.#calls = new Set();
    this.#connect();
  }

  get #now(): Instant {
    return this.#options.network.scheduler.now;
  }

  /** Asks a node for the ring, so that operations can go to owners. */
  fetchRing(): void {
    const link = this.#options.rng.pick(this.#links);
    const again = (): void => this.#later(100_000, () => this.fetchRing());
    link.request(
      FrameType.FETCH_RING,
      FetchRingRequest,
      { epoch: 0 },
      {
        onAnswer: (_now, frame) => {
          const reply = frame.status === statusOk ? frame.decode(FetchRingReply) : undefined;
          if (reply?.ring === undefined || reply.ring === null) again();
          else if (reply.ring.epoch > (this.ring?.epoch ?? 0)) this.ring = ringFromMessage(reply.ring);
        },
        onLost: again,
        onAnswerSent() {},
      },
    );
  }

  #later(delay: DurationUs, action: Action): void {
    const life = this.life;
    this.#options.network.scheduler.in(delay, (now) => this.enter(now, life, action));
  }

  /** Begins a put or delete; returns its entry in the history. */
  write(wish: WriteWish, ended: Ended): Operation {
    const now = this.#now;
    const deadline = after(now, this.#options.deadlineUs);
    const requestId = this.#options.rng.fill(new Uint8Array(16));
    if (canary("sim.client-repeats-ids")) requestId.fill(this.number, 1);
    const operation = this.#options.history.begin({
      client: this.number,
      kind: wish.kind,
      key: wish.key,
      requestId: idName(requestId),
      value: wish.kind === "put" ? wish.value : 0,
      context: wish.context.version,
      contextOwn: wish.context.own,
      begin: now,
      deadline,
      w: wish.w ?? 0,
      durability: wish.durability ?? 0,
    });
    const common = {
      bucket: bucketOfName(wish.key),
      key: utf8(wish.key),
      context: wish.context.bytes,
      requestId,
      epoch: this.ring?.epoch ?? 0,
      w: wish.w ?? 0,
      durability: wish.durability ?? 0,
    };
    const value = valueBytes(wish.value, wish.padding);
    const send: Call["send"] = (link, timeoutUs, sink) => {
      if (wish.kind === "delete") link.request(FrameType.DELETE, DeleteRequest, { ...common, timeoutUs }, sink);
      else link.request(FrameType.PUT, PutRequest, { ...common, timeoutUs, value }, sink);
    };
    this.#begin(new Call([operation], deadline, send, ended, wish.node ?? -1));
    return operation;
  }

  /** Begins a get, or a multi-get of several keys. */
  read(wish: ReadWish, ended: Ended): void {
    const now = this.#now;
    const final = wish.final ?? false;
    const deadline = after(now, this.#options.deadlineUs);
    const { history } = this.#options;
    const operations = wish.keys.map((key) =>
      history.begin({ client: this.number, kind: "get", key, begin: now, deadline, final }),
    );
    const keys = wish.keys.map(utf8);
    const bucket = bucketOfName(wish.keys[0] as string);
    const common = { bucket, epoch: this.ring?.epoch ?? 0, r: wish.r ?? 0, strict: wish.strict ?? false };
    const send: Call["send"] = (link, timeoutUs, sink) => {
      if (keys.length > 1) link.request(FrameType.MULTI_GET, MultiGetRequest, { ...common, keys, timeoutUs }, sink);
      else link.request(FrameType.GET, GetRequest, { ...common, key: keys[0] as Uint8Array, timeoutUs }, sink);
    };
    const call = new Call(operations, deadline, send, ended, wish.node ?? -1);
    const own = this.#options.ownCoordination && keys.length === 1 && call.only < 0;
    if (own && this.#ownRng.chance(ownPerMille)) call.copies = wish.r || (this.ring?.policyOf(bucket).r ?? 0);
    this.#begin(call);
  }

  #begin(call: Call): void {
    const { trace } = this.#options.network;
    if (trace.recording) {
      for (const one of call.operations) trace.say(this.#now, this.name, `asks ${operationText(one)}`, one.key);
    }
    this.#calls.add(call);
    this.#attempt(this.#now, call);
  }

  #attempt(now: Instant, call: Call): void {
    const remaining = call.deadline - now;
    if (remaining < 1_000) {
      this.#giveUp(now, call);
      return;
    }
    call.attempts += 1;
    for (const one of call.operations) one.attempts = call.attempts;
    const timeoutUs = Math.min(remaining, this.#options.attemptUs);
    if (call.copies > 0 && this.#askOwners(call, timeoutUs)) return;
    const link = this.#links[this.#choose(call)] as ClientLink;
    const attempt = new Attempt(this, call, link);
    call.send(link, timeoutUs, attempt);
    this.#later(timeoutUs, (at) => {
      if (attempt.over) return;
      attempt.over = true;
      call.maybe = true;
      if (this.#options.rng.chance(hangUpPerMille)) link.destroy();
      this.retry(at, call);
    });
  }

  /** Asks all owners for their copies; what comes of it ends the call, or has a node asked. False: it cannot. */
  #askOwners(call: Call, timeoutUs: DurationUs): boolean {
    const needed = call.copies;
    call.copies = 0;
    const { ring } = this;
    if (ring === undefined) return false;
    const name = call.first.key;
    const links = [...this.#ownersOf(ring, name)].map((number) => this.#links[this.#indexOf(ring, number)]);
    const [first] = links;
    if (first === undefined || links.includes(undefined)) return false;
    const message = { bucket: bucketOfName(name), key: utf8(name), epoch: ring.epoch, timeoutUs };
    const read = new OwnRead(links.length, needed, {
      onCopies: (now, { record, context }, acks, epoch) => {
        if (call.over) return;
        this.#contextKey ??= this.#keyOf(links.find((link) => link?.clusterId !== "") as ClientLink);
        call.over = true;
        this.#calls.delete(call);
        this.#onEpoch(epoch);
        this.#onRead(now, call, call.first, record, context, acks, 0);
      },
      onNoCopies: (now) => this.retry(now, call),
      onDiffering: () => first.request(FrameType.GET, GetRequest, message, noSink),
    });
    for (const link of links) (link as ClientLink).request(FrameType.COPY_READ, ReplicaReadRequest, message, read);
    this.#later(timeoutUs, (at) => read.giveUp(at));
    return true;
  }

  #ownersOf(ring: Ring, key: string): Uint16Array {
    hashKey(fullKeyOfName(key), this.#hash);
    const { n } = ring.policyOf(bucketOfName(key));
    return ring.preferenceList(ring.partitionOf(this.#hash.high), n).subarray(0, n);
  }

  /** Where in the list of addresses the member is; -1: nowhere. */
  #indexOf(ring: Ring, number: number): number {
    return this.#options.addresses.indexOf(ring.members.find((member) => member.number === number)?.address ?? "");
  }

  /** Owners most of the time, one after the other; sometimes anybody, so that puts are forwarded. */
  #choose(call: Call): number {
    if (call.only >= 0) return call.only;
    const { rng } = this.#options;
    const ring = this.ring;
    if (ring === undefined || rng.chance(300)) return rng.below(this.#links.length);
    const owners = this.#ownersOf(ring, call.first.key);
    const index = this.#indexOf(ring, owners[(rng.below(owners.length) + call.attempts) % owners.length] as number);
    return index < 0 ? rng.below(this.#links.length) : index;
  }

  /** Tries again soon, while the deadline allows. */
  retry(now: Instant, call: Call): void {
    if (call.over) return;
    const pause = 1_000 + this.#options.rng.below(60_000);
    if (call.deadline - now <= pause) this.#giveUp(now, call);
    else this.#later(pause, (at) => this.#attempt(at, call));
  }

  #giveUp(now: Instant, call: Call): void {
    const outcome = call.maybe || !call.first.isWrite ? "unknown" : "fail";
    this.#calls.delete(call);
    call.over = true;
    for (const one of call.operations) {
      this.#close(now, one, outcome, one.status);
      call.ended(now, one, noContext);
    }
  }

  #close(now: Instant, operation: Operation, outcome: "ok" | "fail" | "unknown", status: Status): void {
    operation.outcome = outcome;
    operation.status = status;
    operation.end = now;
    const { trace } = this.#options.network;
    trace.note(now, this.position, TraceType.outcome, operation.id * 4 + outcome.length);
    if (trace.recording) trace.say(now, this.name, `ends ${operationText(operation)}`, operation.key);
  }

  /** An attempt was answered with an error. */
  onRefused(now: Instant, call: Call, status: Status, inDoubt: boolean): void {
    if (call.over) return;
    if (inDoubt || !refusals.has(codeOf(status))) call.maybe = true;
    for (const one of call.operations) one.status = status;
    this.retry(now, call);
  }

  /** An attempt of a call was answered with success. */
  onAnswered(now: Instant, call: Call, link: ClientLink, frame: Frame): void {
    if (call.over) return;
    this.#contextKey ??= this.#keyOf(link);
    call.over = true;
    this.#calls.delete(call);
    if (call.first.isWrite) this.#onWritten(now, call, frame.decode(PutReply));
    else if (call.operations.length > 1) this.#onMany(now, call, frame.decode(MultiGetReply));
    else {
      const reply = frame.decode(GetReply);
      this.#onEpoch(reply.epoch);
      this.#onRead(now, call, call.first, reply.record, reply.context, reply.acks, reply.coordinator);
    }
  }

  /** Some answers tell of a newer ring; half of the time this client cares. */
  #onEpoch(epoch: number): void {
    if (this.ring !== undefined && epoch > this.ring.epoch && this.#options.rng.chance(500)) this.fetchRing();
  }

  /** A node that had no ring yet when it was greeted has named no cluster. */
  #keyOf({ clusterId }: ClientLink): ContextKey {
    const id = clusterId === "" ? (this.ring as Ring).clusterId : clusterIdOf(hexBytes(clusterId));
    return new ContextKey(0, deriveKey(idBytes(id), "context"));
  }

  #held(key: string, bytes: Uint8Array): HeldContext {
    const copy = bytes.slice();
    const { version, own } = openContext(this.#contextKey as ContextKey, fullKeyOfName(key), copy);
    return { bytes: copy, version, own: own === null ? null : own.dot };
  }

  #onWritten(now: Instant, call: Call, reply: PutReply): void {
    this.#onEpoch(reply.epoch);
    const operation = call.first;
    const context = this.#held(operation.key, reply.context);
    operation.version = context.version;
    operation.own = context.own;
    noteAcks(operation, reply.acks);
    operation.coordinator = reply.coordinator;
    this.#close(now, operation, "ok", statusOk);
    call.ended(now, operation, context);
  }

  #onMany(now: Instant, call: Call, reply: MultiGetReply): void {
    for (const [index, operation] of call.operations.entries()) {
      const result = reply.results[index];
      if (result === undefined || result.status !== statusOk || result.askAlone) {
        this.#close(now, operation, "unknown", result?.status ?? 0);
        call.ended(now, operation, noContext);
      } else this.#onRead(now, call, operation, result.record, result.context, result.acks, reply.coordinator);
    }
  }

  #onRead(
    now: Instant,
    call: Call,
    operation: Operation,
    record: Uint8Array,
    contextBytes: Uint8Array,
    acks: readonly number[],
    coordinator: number,
  ): void {
    const context = this.#held(operation.key, contextBytes);
    operation.version = context.version;
    operation.siblings = record.length === 0 ? [] : shownOf(record);
    noteAcks(operation, acks);
    operation.coordinator = coordinator;
    this.#close(now, operation, "ok", statusOk);
    call.ended(now, operation, context);
  }

  /** A node hands the answer to a call of this client to its link. */
  onAnswerSent(now: Instant, call: Call, status: Status): void {
    if (status === statusOk && call.first.isWrite) this.#options.watch?.onAckSent(now, call.first);
  }
}

function noteAcks(operation: Operation, acks: readonly number[]): void {
  operation.acks = acks.map(ackNode);
  operation.fallbackAcks = acks.filter(isFallbackAck).map(ackNode);
}

function hexBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Passes the bytes that nodes hand to their links on to the clients they are for. */
export function tapAcks(network: Network): void {
  network.tap = (now, from, bytes) => {
    const to = from instanceof LinkEnd ? from.peer : undefined;
    if (to?.events instanceof ClientLink) to.events.sniff(now, to, bytes);
  };
}
