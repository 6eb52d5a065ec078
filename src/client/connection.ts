/**
 * Connection: one connection to one node. It says hello, checks who answers, and then carries
 * frames of many requests at once, matched by frame id. Which requests those are is the core's business; this class
 * knows places, not requests.
 *
 * A TCP connection can be dead without a sign, so one that owed an answer and said nothing is asked by a ping, and
 * given up when that is not answered either.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { codeOf, type ErrorCode, statusOk } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import { softwareName } from "../base/version.ts";
import { type Frame, FrameReader, type FrameSink, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, Hello } from "../wire/gen/codecs.ts";
import { checkHello, protocolVersions, Role } from "../wire/hello.ts";
import { frameBytesMaxHard } from "../wire/limits.ts";
import type { Link, LinkEvents, Transport } from "../wire/link.ts";
import { WireError } from "../wire/wire-error.ts";
import { sendRequest } from "./frames.ts";
import type { AnyReply, Request } from "./request.ts";

/** Where a connection is. `draining`: the node asked for no new work; what is under way may end. */
export type ConnectionState = "dialling" | "ready" | "draining" | "closed";

/** What a connection tells its owner. */
export interface ConnectionEvents {
  /** The hello was exchanged: requests may be sent. */
  onReady(now: Instant, connection: Connection, hello: Hello): void;
  /** A reply other than to hello and ping, borrowed until return. May throw `WireError`. */
  onReply(now: Instant, connection: Connection, frame: Frame): void;
  /** `hasRoom` may have become true again. */
  onRoom(now: Instant, connection: Connection): void;
  /** The state has become `draining`. */
  onDraining(now: Instant, connection: Connection): void;
  /** The state has become `closed`. Exactly once; the last event. `code` says whether dialling again can help. */
  onDown(now: Instant, connection: Connection, code: ErrorCode, reason: string): void;
  wantFlush(connection: Connection): void;
}

/** How to make one. */
export interface ConnectionOptions {
  readonly id: number;
  readonly address: string;
  /** The number of the node that should answer; 0: whoever does. */
  readonly number: number;
  /** 16 bytes; empty: any cluster. */
  readonly clusterId: Uint8Array;
  /** The same on all connections of a client. */
  readonly clientId: Uint8Array;
  readonly events: ConnectionEvents;
}

/** From the dial to the answered hello. */
const helloTimeoutUs: DurationUs = 2_000_000;
/** From a ping to its answer, or anything else. */
const pingTimeoutUs: DurationUs = 1_000_000;
const queuedBytesMax = 16 * 1024 * 1024;
/** Places in flight on one connection; below a node's own limit of 1,024, beyond which it answers `OVERLOADED`. */
const placesPerConnection = 512;

export class Connection implements LinkEvents, FrameSink {
  readonly id: number;
  readonly address: string;
  /** The node's number: what was expected, then what the hello said. */
  number: number;
  state: ConnectionState = "dialling";
  /** Places taken by requests in flight. */
  inFlight = 0;
  /** When something last came. */
  heardAt: Instant;
  /** When the hello was answered. */
  readyAt: Instant = never;
  readonly #clusterId: Uint8Array;
  readonly #clientId: Uint8Array;
  readonly #events: ConnectionEvents;
  readonly #link: Link;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  #deadline: Instant;
  #isFull = false;
  #code: ErrorCode = "CONNECTION_LOST";
  #reason = "";

  constructor(now: Instant, transport: Transport, options: ConnectionOptions) {
    this.id = options.id;
    this.address = options.address;
    this.number = options.number;
    this.heardAt = now;
    this.#clusterId = options.clusterId;
    this.#clientId = options.clientId;
    this.#events = options.events;
    this.#deadline = after(now, helloTimeoutUs);
    this.#reader = new FrameReader(this, frameBytesMaxHard);
    this.#link = transport.connect(options.address, this);
    this.#writer = new FrameWriter(this.#link, { queuedBytesMax }, () => options.events.wantFlush(this));
  }

  /** Whether a request of this weight may be sent now. */
  hasRoom(weight: number): boolean {
    if (this.state !== "ready" || this.#isFull) return false;
    return this.inFlight === 0 || this.inFlight + weight <= placesPerConnection;
  }

  /** Queues the request and takes its places. False, with nothing queued: no room after all; `onRoom` follows. */
  send(frameId: number, request: Request<AnyReply>, epoch: number, timeoutUs: DurationUs): boolean {
    assert(this.state === "ready", "requests are sent on ready connections");
    if (!sendRequest(this.#writer, frameId, request, epoch, timeoutUs)) {
      this.#isFull = true;
      return false;
    }
    this.inFlight += request.weight;
    return true;
  }

  /** Gives back the places of a request that ended. A drained connection closes with the last one. */
  release(weight: number): void {
    this.inFlight -= weight;
    assert(this.inFlight >= 0, "places are given back once");
    if (this.state === "draining" && this.inFlight === 0) this.close("its last answer has come");
  }

  /** For frames that are no requests of an application, such as FETCH_RING. */
  get writer(): FrameWriter {
    return this.#writer;
  }

  flush(): void {
    if (this.state !== "closed") this.#writer.flush();
  }

  /** Asks the node for a sign of life; the connection is given up if none comes. */
  probe(now: Instant): void {
    if (this.state === "closed" || this.#deadline !== never) return;
    this.#writer.sendEmpty(FrameType.PING, statusOk, 0);
    this.#deadline = after(now, pingTimeoutUs);
  }

  /** When `expire` has something to do. */
  get deadline(): Instant {
    return this.state === "closed" ? never : this.#deadline;
  }

  expire(now: Instant): void {
    if (this.deadline > now) return;
    const what = this.state === "dialling" ? "did not answer the hello in time" : "has stopped answering";
    this.#end("CONNECTION_LOST", `${this.address} ${what}`);
  }

  /** Sends what is queued and ends the connection; `onDown` follows. */
  close(reason: string): void {
    if (this.state === "closed") return;
    if (this.#reason === "") this.#reason = reason;
    if (this.state === "dialling") {
      this.#link.destroy();
      return;
    }
    this.state = "draining";
    this.#writer.flush();
    this.#link.close();
  }

  /** Takes no new requests, and closes when the last answer has come. */
  drain(reason: string): void {
    if (this.state === "ready" && this.inFlight > 0) this.state = "draining";
    else this.close(reason);
  }

  #end(code: ErrorCode, reason: string): void {
    if (this.#reason !== "" || this.state === "closed") return;
    this.#code = code;
    this.#reason = reason;
    this.#reader.stop();
    this.#link.destroy();
  }

  onOpen(): void {
    this.#writer.send(FrameType.HELLO, statusOk, 0, Hello, {
      versionMin: protocolVersions.min,
      versionMax: protocolVersions.max,
      clusterId: this.#clusterId,
      clientId: this.#clientId,
      nodeId: noBytes,
      role: Role.client,
      software: softwareName,
    });
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    if (this.state === "closed") return;
    this.heardAt = now;
    if (this.state !== "dialling") this.#deadline = never;
    this.#reader.feed(now, chunk);
  }

  onWritable(now: Instant): void {
    this.#writer.onWritable();
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#events.onRoom(now, this);
  }

  onClosed(now: Instant, reason: string): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#writer.close();
    this.#reader.stop();
    this.#events.onDown(now, this, this.#code, this.#reason === "" ? reason : this.#reason);
  }

  onBadFrame(_now: Instant, reason: string): void {
    this.#end("PROTOCOL_MISMATCH", `${this.address} sent what is no frame of Ringtail's: ${reason}`);
  }

  onFrame(now: Instant, frame: Frame): void {
    const { type } = frame;
    try {
      if (type === (FrameType.HELLO | REPLY_BIT)) this.#onHello(now, frame);
      else if (type === FrameType.GOAWAY) this.#onGoAway(now);
      else if (type === (FrameType.GOAWAY | REPLY_BIT)) this.#onRefused(frame);
      else if (type === FrameType.PING) this.#writer.sendEmpty(type | REPLY_BIT, statusOk, frame.frameId);
      else if (type !== (FrameType.PING | REPLY_BIT)) {
        this.#events.onReply(now, this, frame);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#end("PROTOCOL_MISMATCH", `${this.address} sent a malformed answer: ${error.message}`);
    }
  }

  #onHello(now: Instant, frame: Frame): void {
    if (frame.status !== statusOk) this.#onRefused(frame);
    else if (this.state === "dialling") this.#onAccepted(now, frame.decode(Hello));
  }

  #onAccepted(now: Instant, hello: Hello): void {
    const verdict = checkHello({ clusterId: this.#clusterId, nodeId: noBytes }, hello);
    if (verdict.status !== statusOk) {
      this.#end(codeOf(verdict.status), `${this.address}: ${verdict.message}`);
      return;
    }
    if (this.number !== 0 && hello.number !== this.number) {
      this.#end("CONNECTION_LOST", `${this.address} is node ${hello.number} now, not ${this.number}`);
      return;
    }
    this.number = hello.number;
    this.state = "ready";
    this.readyAt = now;
    this.#deadline = never;
    this.#events.onReady(now, this, hello);
  }

  #onRefused(frame: Frame): void {
    const { message } = frame.decode(ErrorReply);
    this.#end(codeOf(frame.status), `${this.address} refused the connection: ${message}`);
  }

  #onGoAway(now: Instant): void {
    if (this.state !== "ready") return;
    this.drain(`${this.address} is stopping`);
    this.#events.onDraining(now, this);
  }
}
