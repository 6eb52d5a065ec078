/**
 * ClientLink: one simulated client's connection to one node, in the client protocol's own bytes: hello first, then
 * requests with frame ids, answers in any order. It dials when it is needed and again after it broke; what was asked
 * over a connection that breaks is reported as lost, never repeated here: that is the client's decision.
 */
import { hexOf } from "../base/bytes.ts";
import { type Status, statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Encoder } from "../wire/codec.ts";
import { type Frame, FrameReader, type FrameSink, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { Hello } from "../wire/gen/codecs.ts";
import { frameBytesMax } from "../wire/limits.ts";
import type { Link, LinkEvents, Transport } from "../wire/link.ts";
import { LinkEnd } from "./link-end.ts";

/** Who is told of answers. */
export interface AnswerSink {
  /** The frame is borrowed until return. */
  onAnswer(now: Instant, frame: Frame): void;
  /** The connection broke, or never came up, before the answer. `sent`: the request may have arrived. */
  onLost(now: Instant, sent: boolean): void;
  /** The node handed the answer to its link just now (only called while the network is tapped). */
  onAnswerSent(now: Instant, status: Status): void;
}

interface Waiting {
  readonly sink: AnswerSink;
  readonly type: number;
  sent: boolean;
  send: ((writer: FrameWriter) => void) | undefined;
}

const queuedBytesMax = 64 * 1024 * 1024;

export class ClientLink implements LinkEvents, FrameSink {
  readonly address: string;
  /** Hello exchanged. */
  ready = false;
  clusterId = "";
  readonly #transport: Transport;
  readonly #waiting = new Map<number, Waiting>();
  #link: Link | undefined;
  #reader: FrameReader | undefined;
  #writer: FrameWriter | undefined;
  #sniffer: FrameReader | undefined;
  #nextFrameId = 1;

  constructor(address: string, transport: Transport) {
    this.address = address;
    this.#transport = transport;
  }

  /** Requests that a node owes an answer to: sent, not answered, over a connection of which both ends are up. */
  get owed(): string[] {
    if (!(this.#link instanceof LinkEnd && this.#link.whole)) return [];
    const sent = [...this.#waiting].filter(([, waiting]) => waiting.sent);
    return sent.map(([frameId, waiting]) => `${this.address} frame ${frameId} type ${waiting.type}`);
  }

  /** Asks something; exactly one of the sink's `onAnswer` and `onLost` follows, unless the answer never comes. */
  request<T>(type: number, codec: Encoder<T>, message: T, sink: AnswerSink): void {
    const frameId = this.#nextFrameId;
    this.#nextFrameId = frameId === 0xffff_ffff ? 1 : frameId + 1;
    const send = (writer: FrameWriter): void => {
      writer.send(type, 0, frameId, codec, message);
    };
    const waiting: Waiting = { sink, type, sent: false, send };
    this.#waiting.set(frameId, waiting);
    this.#dial();
    if (this.ready) this.#send(waiting);
  }

  #dial(): void {
    if (this.#link !== undefined) return;
    this.#reader = new FrameReader(this, frameBytesMax);
    this.#sniffer = new FrameReader(new Sniffer(this.#waiting), frameBytesMax);
    const link = this.#transport.connect(this.address, this);
    this.#link = link;
    this.#writer = new FrameWriter(link, { queuedBytesMax }, () => {});
  }

  #send(waiting: Waiting): void {
    const writer = this.#writer as FrameWriter;
    waiting.send?.(writer);
    waiting.send = undefined;
    waiting.sent = true;
    writer.flush();
  }

  onOpen(): void {
    const writer = this.#writer as FrameWriter;
    writer.send(FrameType.HELLO, 0, 0, Hello, { versionMin: 1, versionMax: 1, role: 1, software: "sim" });
    writer.flush();
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    this.#reader?.feed(now, chunk);
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  onClosed(now: Instant): void {
    this.#reader?.stop();
    this.#writer?.close();
    this.#link = undefined;
    this.#reader = undefined;
    this.#writer = undefined;
    this.ready = false;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of lost) one.sink.onLost(now, one.sent);
  }

  onFrame(now: Instant, frame: Frame): void {
    if (frame.type === (FrameType.HELLO | REPLY_BIT)) {
      if (frame.status !== statusOk) {
        this.destroy();
        return;
      }
      this.clusterId = hexOf(frame.decode(Hello).clusterId);
      this.ready = true;
      for (const waiting of this.#waiting.values()) if (!waiting.sent) this.#send(waiting);
      return;
    }
    const waiting = this.#waiting.get(frame.frameId);
    if (waiting === undefined) return;
    this.#waiting.delete(frame.frameId);
    waiting.sink.onAnswer(now, frame);
  }

  onBadFrame(): void {
    this.destroy();
  }

  /** Ends the connection at once; what waits is lost, and the next request dials again. */
  destroy(): void {
    this.#link?.destroy();
  }

  /** Bytes that the node at the other end of `link` hands over right now. */
  sniff(now: Instant, link: Link, bytes: Uint8Array): void {
    if (link === this.#link) this.#sniffer?.feed(now, bytes);
  }
}

/** Reads the node's answers as they leave it. */
class Sniffer implements FrameSink {
  readonly #waiting: ReadonlyMap<number, Waiting>;

  constructor(waiting: ReadonlyMap<number, Waiting>) {
    this.#waiting = waiting;
  }

  onFrame(now: Instant, { status, frameId }: Frame): void {
    this.#waiting.get(frameId)?.sink.onAnswerSent(now, status);
  }

  onBadFrame(): void {}
}
