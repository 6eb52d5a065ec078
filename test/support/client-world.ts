/**
 * A made-up world for the client: virtual time, links in memory, and nodes that answer by a script. Nothing happens
 * but in `run`, which moves time on from event to event, so every test sees the same order of things.
 */
import { noBytes } from "../../src/base/bytes.ts";
import { type ErrorCode, statusOk, wireOf } from "../../src/base/errors.ts";
import { fullKeyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { clusterId, idBytes, nodeId, nodeNumber } from "../../src/base/ids.ts";
import { Rng } from "../../src/base/rng.ts";
import { after, type Instant, instant, never } from "../../src/base/time.ts";
import { Client, type HostEnvironment, type HostedCore } from "../../src/client/client.ts";
import type { ClientOptions } from "../../src/client/options.ts";
import { type BucketPolicy, type Member, Ring } from "../../src/ring/ring.ts";
import { ContextKey, sealContext } from "../../src/version/context.ts";
import { recordBody, sealRecord } from "../../src/version/record.ts";
import { SiblingSet } from "../../src/version/sibling-set.ts";
import { VersionVector } from "../../src/version/version-vector.ts";
import type { MessageCodec } from "../../src/wire/codec.ts";
import { type Frame, FrameReader, type FrameSink, FrameWriter } from "../../src/wire/frame.ts";
import { FrameType, REPLY_BIT } from "../../src/wire/frame-types.ts";
import {
  DeleteRequest,
  ErrorReply,
  FetchRingReply,
  FetchRingRequest,
  GetReply,
  GetRequest,
  Hello,
  MultiGetReply,
  MultiGetRequest,
  PutReply,
  PutRequest,
  ReplicaReadRequest,
} from "../../src/wire/gen/codecs.ts";
import { Role } from "../../src/wire/hello.ts";
import { frameBytesMaxHard } from "../../src/wire/limits.ts";
import type { Link, LinkEvents, Transport } from "../../src/wire/link.ts";
import { ringToMessage } from "../../src/wire/ring-codec.ts";

export const testCluster = clusterId("c1".repeat(16));
export const contextKey = new ContextKey(0, new Uint8Array(16));

/** What a script does with a request: answer as usual, say nothing, refuse, cut the connection, or a reply of its own. */
export type Act =
  | "answer"
  | "ignore"
  | "cut"
  | { readonly error: ErrorCode; readonly message?: string; readonly retryAfterUs?: number }
  | { readonly reply: object };

/** The fields of whichever request it is; the others are absent. */
export type AnyMessage = Partial<PutRequest> & Partial<MultiGetRequest>;

/** A request as a fake node saw it. */
export interface Seen {
  readonly type: number;
  readonly frameId: number;
  readonly key: string;
  readonly requestId: string;
  readonly message: AnyMessage;
  readonly at: Instant;
}

class MemoryLink implements Link {
  readonly label: string;
  other: MemoryLink | undefined;
  events: LinkEvents | undefined;
  closed = false;
  readonly #world: ClientWorld;

  constructor(world: ClientWorld, label: string) {
    this.#world = world;
    this.label = label;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed) return true;
    const copy = bytes.slice();
    const other = this.other;
    this.#world.later(this.#world.wireUs, () => {
      if (other !== undefined && !other.closed) other.events?.onBytes(this.#world.now(), copy);
    });
    return true;
  }

  pauseReading(): void {}
  resumeReading(): void {}

  close(): void {
    this.destroy();
  }

  destroy(reason = "closed here"): void {
    if (this.closed) return;
    this.closed = true;
    this.#world.later(0, () => this.events?.onClosed(this.#world.now(), reason));
    const other = this.other;
    this.#world.later(this.#world.wireUs, () => {
      if (other === undefined || other.closed) return;
      other.closed = true;
      other.events?.onClosed(this.#world.now(), `${this.label} closed the connection`);
    });
  }
}

/** A node that does what its script says. */
export class FakeNode {
  readonly number: number;
  readonly address: string;
  /** `hang`: takes the connection and never says a word. */
  mode: "up" | "down" | "hang" = "up";
  clusterId: Uint8Array = idBytes(testCluster);
  serviceUs = 1_000;
  script: (seen: Seen) => Act = () => "answer";
  /** The ring it knows; undefined: it has none yet. */
  ring: Ring | undefined;
  readonly seen: Seen[] = [];
  readonly sessions: FakeSession[] = [];
  dials = 0;
  readonly #world: ClientWorld;

  constructor(world: ClientWorld, number: number, ring: Ring | undefined) {
    this.#world = world;
    this.number = number;
    this.address = `node-${number}:7401`;
    this.ring = ring;
  }

  get world(): ClientWorld {
    return this.#world;
  }

  /** The requests it saw of one type. */
  of(type: number): readonly Seen[] {
    return this.seen.filter((one) => one.type === type);
  }

  /** Cuts every connection; later ones are refused if `mode` is down. */
  cutAll(): void {
    for (const session of [...this.sessions]) session.link.destroy();
  }

  goAway(): void {
    for (const session of this.sessions) session.writer.sendEmpty(FrameType.GOAWAY, wireOf("NODE_STOPPING"), 0);
  }
}

class FakeSession implements LinkEvents, FrameSink {
  readonly link: MemoryLink;
  readonly writer: FrameWriter;
  readonly #node: FakeNode;
  readonly #reader: FrameReader;

  constructor(node: FakeNode, link: MemoryLink) {
    this.link = link;
    this.#node = node;
    this.#reader = new FrameReader(this, frameBytesMaxHard);
    this.writer = new FrameWriter(link, { queuedBytesMax: 64 * 1024 * 1024 }, () => {
      node.world.later(0, () => this.writer.flush());
    });
  }

  onOpen(): void {}
  onWritable(): void {}
  onBadFrame(_now: Instant, reason: string): void {
    throw new Error(`the client sent a bad frame: ${reason}`);
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    this.#reader.feed(now, chunk);
  }

  onClosed(): void {
    this.#node.sessions.splice(this.#node.sessions.indexOf(this), 1);
  }

  onFrame(_now: Instant, frame: Frame): void {
    const { type, frameId } = frame;
    const node = this.#node;
    if (node.mode === "hang") return;
    if (type === FrameType.HELLO) this.#hello(frameId, frame.decode(Hello));
    else if (type === FrameType.PING) this.writer.sendEmpty(type | REPLY_BIT, statusOk, frameId);
    else if (type === FrameType.FETCH_RING) this.#fetchRing(frameId, frame.decode(FetchRingRequest));
    else this.#request(frame.copy());
  }

  #hello(frameId: number, hello: Hello): void {
    const node = this.#node;
    const theirs = hello.clusterId.join();
    if (hello.clusterId.length > 0 && theirs !== node.clusterId.join()) {
      const reply = { message: "not the same cluster", clusterId: node.clusterId };
      this.writer.send(FrameType.HELLO | REPLY_BIT, wireOf("WRONG_CLUSTER"), frameId, ErrorReply, reply);
      return;
    }
    this.writer.send(FrameType.HELLO | REPLY_BIT, statusOk, frameId, Hello, {
      versionMin: 1,
      versionMax: 1,
      clusterId: node.clusterId,
      nodeId: idBytes(nodeId(node.number.toString(16).padStart(32, "0"))),
      role: Role.node,
      number: node.number,
      epoch: node.ring?.epoch ?? 0,
    });
  }

  #fetchRing(frameId: number, asked: FetchRingRequest): void {
    const { ring } = this.#node;
    this.#node.seen.push({
      type: FrameType.FETCH_RING,
      frameId,
      key: "",
      requestId: "",
      message: asked,
      at: this.#node.world.now(),
    });
    const newer = ring !== undefined && asked.epoch < ring.epoch ? ringToMessage(ring) : null;
    const reply = { ring: newer, epoch: ring?.epoch ?? 0 };
    this.writer.send(FrameType.FETCH_RING | REPLY_BIT, statusOk, frameId, FetchRingReply, reply);
  }

  #request(frame: Frame): void {
    const node = this.#node;
    const codecs: Record<number, MessageCodec<unknown>> = {
      [FrameType.GET]: GetRequest,
      [FrameType.PUT]: PutRequest,
      [FrameType.DELETE]: DeleteRequest,
      [FrameType.MULTI_GET]: MultiGetRequest,
      [FrameType.COPY_READ]: ReplicaReadRequest,
    };
    const message = frame.decode(codecs[frame.type] as MessageCodec<unknown>) as AnyMessage;
    const seen: Seen = {
      type: frame.type,
      frameId: frame.frameId,
      key: new TextDecoder().decode(message.key ?? message.keys?.[0]),
      requestId: (message.requestId ?? []).join(),
      message,
      at: node.world.now(),
    };
    node.seen.push(seen);
    const act = node.script(seen);
    if (act === "ignore") return;
    if (act === "cut") this.link.destroy();
    else node.world.later(node.serviceUs, () => this.#act(seen, act));
  }

  #act(seen: Seen, act: Exclude<Act, "ignore" | "cut">): void {
    const { world, ring, number } = this.#node;
    const type = seen.type | REPLY_BIT;
    const { bucket = noBytes, key = noBytes } = seen.message;
    if (act !== "answer" && "error" in act) {
      const reply = { message: act.message ?? "", epoch: ring?.epoch ?? 0, retryAfterUs: act.retryAfterUs ?? 0 };
      this.writer.send(type, wireOf(act.error), seen.frameId, ErrorReply, reply);
      return;
    }
    const own = act === "answer" ? {} : act.reply;
    const common = { epoch: ring?.epoch ?? 0, coordinator: number, elapsedUs: this.#node.serviceUs, ...own };
    if (seen.type === FrameType.MULTI_GET) {
      const results = (seen.message.keys ?? []).map((key) => world.stored(bucket, key, number));
      this.writer.send(type, statusOk, seen.frameId, MultiGetReply, { results, ...common });
    } else if (seen.type === FrameType.GET || seen.type === FrameType.COPY_READ) {
      const found = world.stored(bucket, key, number);
      this.writer.send(type, statusOk, seen.frameId, GetReply, { ...found, ...common });
    } else {
      const context = world.store(seen, number);
      this.writer.send(type, statusOk, seen.frameId, PutReply, { acks: [number], context, ...common });
    }
  }
}

/** The world: nodes, time, and one client. */
export class ClientWorld implements HostEnvironment {
  readonly transport: Transport = { connect: (address, events) => this.#connect(address, events) };
  readonly rng: Rng = new Rng(7);
  readonly nodes: FakeNode[] = [];
  readonly wireUs = 100;
  core: HostedCore | undefined;
  alarms = 0;
  /** Values by full key; one sibling each unless put blindly. */
  readonly #data = new Map<string, SiblingSet>();
  readonly #queue: { at: Instant; act: () => void }[] = [];
  readonly #idRng = new Rng(11);
  #now: Instant = instant(1_000_000);
  #alarm: Instant = never;
  #counter = 0;

  constructor(options: { nodes?: number; n?: number; partitions?: number } = {}) {
    const count = options.nodes ?? 3;
    const ring = ringOf(1, count, options.n ?? Math.min(3, count), options.partitions ?? 16);
    for (let number = 1; number <= count; number += 1) this.nodes.push(new FakeNode(this, number, ring));
  }

  /** By number, from 1. */
  node(number: number): FakeNode {
    return this.nodes[number - 1] as FakeNode;
  }

  attach(core: HostedCore): void {
    this.core = core;
  }

  now(): Instant {
    return this.#now;
  }

  randomBytes(count: number): Uint8Array {
    return this.#idRng.fill(new Uint8Array(count));
  }

  setAlarm(at: Instant): void {
    this.alarms += 1;
    this.#alarm = at;
  }

  /** When the client wants to be woken; `never`: nothing keeps it alive. */
  get alarm(): Instant {
    return this.#alarm;
  }

  wantTurnEnd(): void {
    this.later(0, () => this.core?.endTurn(this.#now));
  }

  later(us: number, act: () => void): void {
    this.#queue.push({ at: after(this.#now, us), act });
  }

  #connect(address: string, events: LinkEvents): Link {
    const near = new MemoryLink(this, address);
    near.events = events;
    const node = this.nodes.find((one) => one.address === address);
    if (node !== undefined) node.dials += 1;
    this.later(this.wireUs, () => {
      if (near.closed) return;
      if (node === undefined || node.mode === "down") near.destroy(`${address} refused the connection`);
      else this.#accept(node, near);
    });
    return near;
  }

  #accept(node: FakeNode, near: MemoryLink): void {
    const far = new MemoryLink(this, node.address);
    near.other = far;
    far.other = near;
    const session = new FakeSession(node, far);
    far.events = session;
    node.sessions.push(session);
    near.events?.onOpen(this.#now);
  }

  /** Lets `us` microseconds go by, with everything that happens in them. */
  async run(us: number): Promise<void> {
    const end = after(this.#now, us);
    for (;;) {
      // Applications continue in microtasks: between any two events.
      await new Promise((resolve) => setImmediate(resolve));
      let next = 0;
      for (let i = 1; i < this.#queue.length; i += 1) {
        if ((this.#queue[i] as { at: Instant }).at < (this.#queue[next] as { at: Instant }).at) next = i;
      }
      const at = this.#queue[next]?.at ?? never;
      if (Math.min(at, this.#alarm) > end) break;
      if (this.#alarm < at) {
        this.#now = instant(Math.max(this.#now, this.#alarm));
        this.#alarm = never;
        this.core?.tick(this.#now);
      } else {
        this.#now = at;
        const [event] = this.#queue.splice(next, 1);
        event?.act();
      }
    }
    this.#now = end;
  }

  /** Runs until the promise is settled; returns what it came to. Fails if it takes longer than a virtual minute. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const done = (): void => {
      isSettled = true;
    };
    promise.then(done, done);
    for (let step = 0; step < 60_000 && !isSettled; step += 1) await this.run(1_000);
    if (!isSettled) throw new Error("the promise was not settled within a minute");
    return promise;
  }

  /** The error that the promise rejects with; fails if it resolves. */
  async failure(promise: Promise<unknown>): Promise<Error & { code: string }> {
    try {
      await this.settle(promise);
    } catch (error) {
      return error as Error & { code: string };
    }
    throw new Error("the promise was expected to reject");
  }

  async open(options: Partial<ClientOptions> = {}): Promise<TestClient> {
    const client = this.dial(options);
    await this.settle(client.whenOpen);
    return client;
  }

  dial(options: Partial<ClientOptions> = {}): TestClient {
    return new TestClient(this, { seedNodes: this.nodes.map((node) => node.address), ...options });
  }

  /** A get's fields for this key. */
  stored(
    bucket: Uint8Array,
    key: Uint8Array,
    number: number,
  ): { record: Uint8Array; context: Uint8Array; acks: number[] } {
    const fullKey = fullKeyOf(bucket, key);
    const set = this.#data.get(fullKey.join()) ?? SiblingSet.empty;
    const record = set === SiblingSet.empty ? noBytes : recordBody(sealRecord(set));
    return { record, context: sealContext(contextKey, fullKey, set.version, number, 1), acks: [number] };
  }

  /** Does a put or delete; returns the new context. */
  store(seen: Seen, number: number): Uint8Array {
    const { bucket = noBytes, key = noBytes, context = noBytes, requestId = noBytes, value = noBytes } = seen.message;
    const fullKey = fullKeyOf(bucket, key);
    const set = this.#data.get(fullKey.join()) ?? SiblingSet.empty;
    if (set.dotsOf(requestId) === undefined) {
      this.#counter += 1;
      const write = {
        context: context.length === 0 ? VersionVector.empty : set.version,
        dot: { actorHigh: number << 16, actorLow: 1, counter: this.#counter },
        requestId: requestId.slice(),
        value: value.slice(),
        tombstone: seen.type === FrameType.DELETE,
        second: 1,
        keepRecentFor: 100,
      };
      this.#data.set(fullKey.join(), set.put(write));
    }
    const version = (this.#data.get(fullKey.join()) as SiblingSet).version;
    return sealContext(contextKey, fullKey, version, number, 1);
  }

  /** The numbers of the key's owners, in order. */
  ownersOf(ring: Ring, bucket: string, key: string): readonly number[] {
    const hash = new Hash64();
    const encoder = new TextEncoder();
    hashKey(fullKeyOf(encoder.encode(bucket), encoder.encode(key)), hash);
    const policy = ring.policyOf(encoder.encode(bucket));
    return [...ring.preferenceList(ring.partitionOf(hash.high), policy.n)].slice(0, policy.n);
  }
}

/** A client whose opening can be watched. */
export class TestClient extends Client {
  readonly whenOpen: Promise<void>;

  constructor(world: ClientWorld, options: ClientOptions) {
    super(world, options);
    this.whenOpen = this.opened;
    this.whenOpen.catch(() => {});
  }
}

/** A ring of `count` nodes, each on a host of its own. */
export function ringOf(epoch: number, count: number, n: number, partitions: number): Ring {
  const members: Member[] = [];
  for (let number = 1; number <= count; number += 1) {
    members.push({
      number: nodeNumber(number),
      id: nodeId(number.toString(16).padStart(32, "0")),
      name: `node-${number}`,
      address: `node-${number}:7401`,
      host: `host-${number}`,
      zone: "",
      weight: 100,
      status: "member",
    });
  }
  const quorum = Math.min(2, n);
  const policy: BucketPolicy = { name: "", n, r: quorum, w: quorum, durability: 2, resolver: 0, version: 1 };
  const owners = Uint16Array.from({ length: partitions }, (_, partition) => (partition % count) + 1);
  return new Ring({ clusterId: testCluster, epoch, partitions, replicasMax: n, members, owners, buckets: [policy] });
}
