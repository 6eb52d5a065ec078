/**
 * Session: one accepted connection. It speaks frames, checks the hello, and hands each request to the node; answers are
 * encoded straight into the link's send slab and leave with one write at the end of the turn.
 *
 * The hello comes first: protocol versions, cluster id, role. A mismatch is answered with an error
 * that says what this side is, and the connection is closed. Bytes that are no frames end the connection as well; a
 * frame whose body is malformed is answered with an error, and the connection goes on.
 */
import { type ErrorCode, errorTable, RingtailError, type Status, statusOk, wireOf } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import type { Encoder } from "../wire/codec.ts";
import { type Asking, type Frame, FrameReader, type FrameSink, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, Hello } from "../wire/gen/codecs.ts";
import { frameBytesMax } from "../wire/limits.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { WireError } from "../wire/wire-error.ts";
import { Asker } from "./asker.ts";
import type { NodeState } from "./state.ts";

/** Who is at the other end. `none` until the hello. */
export type SessionRole = "none" | "client" | "node" | "joining";

/** What a session hands on; `Node` binds it. */
export interface SessionEvents {
  /** A hello came. Null accepts it (the session's role has been set); an error refuses it with its code and message. */
  onHello(now: Instant, session: Session, hello: Hello): RingtailError | null;
  /** The answer to an accepted hello, of this node; 0: of a stranger, or a client. */
  describe(to: NodeNumber | 0): Hello;
  /** A request, borrowed until return. May throw `WireError` or `RingtailError`. */
  onRequest(now: Instant, session: Session, frame: Frame): void;
  /** The session has frames to flush at the end of the turn. */
  wantFlush(writer: FrameWriter): void;
  onSessionClosed(now: Instant, session: Session): void;
  /** The last thing in each event from the link: work that effects left behind is done now. */
  settle(now: Instant): void;
}

const mebibyte = 1024 * 1024;
/** What an error answers that no request has caused. */
const nothingAsked: Asking = { type: FrameType.GOAWAY, frameId: 0 };
const unread = "its answers are not read";
/** A new connection must say hello within this time. */
const helloTimeoutUs = 5_000_000;
/** For an asker whose answers do not fit into its queue. */
const unreadRetryUs = 50_000;
/** A frame that has begun must be whole within this time: slow senders must not pile up half frames in memory. */
const frameTimeoutUs = 30_000_000;
/** Answers that the other side does not read for this long end the connection. */
const writeTimeoutUs = 10_000_000;

export class Session implements LinkEvents, FrameSink {
  readonly label: string;
  role: SessionRole = "none";
  closed = false;
  /** The node's number, for the role `node`. */
  number: NodeNumber | 0 = 0;
  /** The client at the other end, as admission sees it. */
  asker: Asker = new Asker("");
  /** Requests of this session that are worked on. */
  inFlight = 0;
  /** Requests of this session that stand in line. */
  waiting = 0;
  /** When the session is closed unless a frame comes first. */
  idleAt: Instant;
  readonly #link: Link;
  readonly #state: NodeState;
  readonly #events: SessionEvents;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  #closing = false;
  /** When the last whole frame came. */
  #heardAt: Instant;
  /** When what is queued for the other side last moved. */
  #writtenAt: Instant;

  constructor(now: Instant, link: Link, state: NodeState, events: SessionEvents) {
    this.label = link.label;
    this.idleAt = after(now, helloTimeoutUs);
    this.#heardAt = now;
    this.#writtenAt = now;
    this.#link = link;
    this.#state = state;
    this.#events = events;
    this.#reader = new FrameReader(this, frameBytesMax);
    const queuedBytesMax = state.config.queuedMiBPerConnectionMax * mebibyte;
    const writer: FrameWriter = new FrameWriter(link, { queuedBytesMax }, () => events.wantFlush(writer));
    this.#writer = writer;
  }

  onOpen(): void {}

  onBytes(now: Instant, chunk: Uint8Array): void {
    if (this.closed || this.#closing) return;
    this.#state.onRead(now);
    this.#reader.feed(now, chunk);
    this.#events.settle(now);
  }

  onWritable(now: Instant): void {
    this.#writtenAt = now;
    this.#writer.onWritable();
    this.#events.settle(now);
  }

  onClosed(now: Instant): void {
    if (this.closed) return;
    this.closed = true;
    this.#writer.close();
    this.#events.onSessionClosed(now, this);
    this.#events.settle(now);
  }

  onFrame(now: Instant, frame: Frame): void {
    if (this.#closing) return;
    this.#heardAt = now;
    this.idleAt = after(now, this.#state.config.idleTimeoutMs * 1000);
    const { type } = frame;
    try {
      if (type === FrameType.HELLO) this.#onHello(now, frame);
      else if (this.role === "none") this.refuse(frame, "PROTOCOL_MISMATCH", "the first frame must be a hello");
      else if (type === FrameType.PING) this.#writer.sendEmpty(type | REPLY_BIT, statusOk, frame.frameId);
      else this.#events.onRequest(now, this, frame);
    } catch (error) {
      if (this.role === "none" && error instanceof WireError) this.refuse(frame, "INVALID_ARGUMENT", error.message);
      else this.failWith(frame, error);
    }
  }

  onBadFrame(_now: Instant, reason: string): void {
    this.refuse(nothingAsked, "PROTOCOL_MISMATCH", reason);
  }

  #onHello(now: Instant, frame: Frame): void {
    if (this.role !== "none") {
      this.refuse(frame, "PROTOCOL_MISMATCH", "a connection has one hello");
      return;
    }
    const refusal = this.#events.onHello(now, this, frame.decode(Hello));
    if (refusal === null) this.answer(frame, Hello, this.#events.describe(this.number));
    else this.refuse(frame, refusal.code, refusal.message);
  }

  /**
   * Answers a request with success; with OVERLOADED where so much waits to be read already that the answer does not fit.
   * A session that leaves no room even for that is dropped.
   */
  answer<T>(asking: Asking, codec: Encoder<T>, message: T): void {
    if (this.closed || this.#closing) return;
    if (this.#writer.send(asking.type | REPLY_BIT, statusOk, asking.frameId, codec, message)) return;
    if (this.#writer.queuedBytes > frameBytesMax) {
      this.fail(asking, wireOf("OVERLOADED"), "too many answers wait to be read", unreadRetryUs);
    } else this.fail(asking, wireOf("TOO_MANY_SIBLINGS"), "the key's siblings together are larger than a frame");
  }

  /**
   * Answers with an error; an empty message stands for the code's own meaning. `inDoubt`: of a put that was refused
   * although some replica may hold it.
   */
  fail(
    { type, frameId }: Asking,
    status: Status,
    message: string,
    retryAfterUs: DurationUs = 0,
    inDoubt: boolean = false,
  ): void {
    if (this.closed || this.#closing) return;
    const reply = { message, epoch: this.#state.epoch, retryAfterUs, inDoubt };
    if (!this.#writer.send(type | REPLY_BIT, status, frameId, ErrorReply, reply)) this.#drop(unread);
  }

  /** Answers with an error whose body is encoded already. */
  failReady({ type, frameId }: Asking, status: Status, body: Uint8Array): void {
    if (this.closed || this.#closing) return;
    if (!this.#writer.sendReady(type | REPLY_BIT, status, frameId, body)) this.#drop(unread);
  }

  /** Answers with what a service threw on bad input; any other error goes on. */
  failWith(asking: Asking, error: unknown): void {
    if (error instanceof WireError) this.fail(asking, wireOf("INVALID_ARGUMENT"), error.message);
    else if (error instanceof RingtailError) this.fail(asking, wireOf(error.code), error.message);
    else throw error;
  }

  /** Answers with an error that says what this side is, and ends the connection. */
  refuse({ type, frameId }: Asking, code: ErrorCode, message: string): void {
    if (this.closed || this.#closing) return;
    const { epoch, clusterId, versionMin, versionMax } = this.#events.describe(0);
    const why = message === "" ? errorTable[code].meaning : message;
    const reply = { message: why, epoch, clusterId, versionMin, versionMax };
    this.#writer.send(type | REPLY_BIT, wireOf(code), frameId, ErrorReply, reply);
    this.#state.env.log.warn("connection refused", { from: this.label, code, reason: why });
    this.close();
  }

  /** Tells the other side to send no new work here. */
  goAway(): void {
    if (!this.closed) this.#writer.sendEmpty(FrameType.GOAWAY, wireOf("NODE_STOPPING"), 0);
  }

  /** Sends what is queued, then ends the connection. */
  close(): void {
    if (this.closed || this.#closing) return;
    this.#closing = true;
    this.#reader.stop();
    this.#writer.flush();
    this.#link.close();
  }

  /** Ends a connection that has said nothing, or left a frame unfinished, for too long. Links of nodes have pings of their own. */
  closeIfIdle(now: Instant): void {
    if (this.#writer.queuedBytes === 0) this.#writtenAt = now;
    const stalled = this.#reader.pendingBytes > 0 && after(this.#heardAt, frameTimeoutUs) <= now;
    if (stalled) this.#drop("a frame it began was never finished");
    else if (after(this.#writtenAt, writeTimeoutUs) <= now) this.#drop(unread);
    else if (this.idleAt <= now && this.inFlight + this.waiting === 0 && this.role !== "node") this.close();
  }

  #drop(reason: string): void {
    this.#state.env.log.warn("connection dropped", { from: this.label, reason });
    this.#closing = true;
    this.#reader.stop();
    this.#link.destroy();
  }
}
