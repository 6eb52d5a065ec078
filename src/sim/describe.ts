/**
 * Describe: frames as lines of a readable trace, so that a failing run shows who told whom what about a key. Only a
 * recording run pays for it: every stream is cut into frames a second time, as it leaves its sender.
 */
import { hexOf, utf8Text } from "../base/bytes.ts";
import { codeOf, statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { recordHeaderBytes } from "../version/record.ts";
import { ackNode } from "../wire/ack-word.ts";
import type { MessageCodec } from "../wire/codec.ts";
import { type Frame, FrameReader, type FrameSink } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  DeleteRequest,
  ErrorReply,
  GetReply,
  GetRequest,
  PutReply,
  PutRequest,
  ReplicaReadReply,
  ReplicaReadRequest,
  ReplicaWriteRequest,
} from "../wire/gen/codecs.ts";
import { frameBytesMax } from "../wire/limits.ts";
import { dotText, shownOf } from "./history.ts";
import { LinkEnd } from "./link-end.ts";
import type { Network } from "./network.ts";
import type { Tap } from "./paths.ts";
import type { Trace } from "./trace.ts";

const typeNames = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

/** What a frame says, and about which key. */
interface Told {
  readonly text: string;
  readonly key: string | undefined;
}

function about(bytes: Uint8Array, text: string): Told {
  return { key: utf8Text(bytes), text };
}

function recordText(body: Uint8Array): string {
  const shown = body.length === 0 ? [] : shownOf(body);
  const list = shown.map((one) => `${one.tombstone ? "tombstone" : one.value} ${one.dots.map(dotText).join("+")}`);
  return `[${list.join(", ")}]`;
}

function request(frame: Frame): Told {
  const of = <T>(codec: MessageCodec<T>): T => frame.decode(codec);
  switch (frame.type) {
    case FrameType.GET:
      return about(of(GetRequest).key, "");
    case FrameType.PUT:
    case FrameType.FORWARD_PUT: {
      const put = of(PutRequest);
      return about(put.key, `id ${hexOf(put.requestId).slice(0, 8)} timeout ${put.timeoutUs}`);
    }
    case FrameType.DELETE:
      return about(of(DeleteRequest).key, "");
    case FrameType.REPLICA_READ:
      return about(of(ReplicaReadRequest).key, "");
    case FrameType.REPLICA_WRITE:
    case FrameType.REPAIR: {
      const write = of(ReplicaWriteRequest);
      const record = recordText(write.record.subarray(recordHeaderBytes));
      return about(write.key, `${record} durability ${write.durability} timeout ${write.timeoutUs}`);
    }
    default:
      return { text: "", key: undefined };
  }
}

function acksText(acks: readonly number[]): string {
  return acks.map(ackNode).join(",");
}

function answer(frame: Frame): string {
  if (frame.status !== statusOk) {
    const message = frame.size > 0 ? frame.decode(ErrorReply).message : "";
    return `${codeOf(frame.status)} ${message}`;
  }
  switch (frame.answers) {
    case FrameType.GET: {
      const reply = frame.decode(GetReply);
      return `${recordText(reply.record)} acks ${acksText(reply.acks)}`;
    }
    case FrameType.PUT:
    case FrameType.DELETE:
    case FrameType.FORWARD_PUT:
      return `acks ${acksText(frame.decode(PutReply).acks)}`;
    case FrameType.REPLICA_READ:
      return recordText(frame.decode(ReplicaReadReply).record.subarray(recordHeaderBytes));
    default:
      return "ok";
  }
}

/** Cuts what one end sends into frames and writes each down. */
class Teller implements FrameSink {
  readonly reader: FrameReader;
  /** Keys by frame id, of requests that this end sent: answers to them name none. */
  readonly keys = new Map<number, string>();
  readonly #end: LinkEnd;
  readonly #trace: Trace;
  readonly #other: () => Teller | undefined;

  constructor(end: LinkEnd, trace: Trace, other: () => Teller | undefined) {
    this.#end = end;
    this.#trace = trace;
    this.#other = other;
    this.reader = new FrameReader(this, frameBytesMax);
  }

  onFrame(now: Instant, frame: Frame): void {
    const { type, frameId, answers: base } = frame;
    const to = this.#end.peer?.place.name ?? this.#end.label;
    const name = typeNames.get(base) ?? `type ${base}`;
    if (base !== type) {
      const key = this.#other()?.keys.get(frameId);
      const said = answer(frame);
      this.#trace.say(now, this.#end.place.name, `-> ${to} ${name} ${frameId} answer: ${said}`, key);
      return;
    }
    const told = request(frame);
    if (told.key !== undefined) this.keys.set(frameId, told.key);
    this.#trace.say(now, this.#end.place.name, `-> ${to} ${name} ${frameId} ${told.key ?? ""} ${told.text}`, told.key);
  }

  onBadFrame(now: Instant, reason: string): void {
    this.#trace.say(now, this.#end.place.name, `sends no frame: ${reason}`);
  }
}

/** Adds a line for every frame that anybody sends, to a trace that records; keeps the tap that was there. */
export function tellFrames(network: Network): void {
  const tellers = new Map<LinkEnd, Teller>();
  const before: Tap | undefined = network.tap;
  network.tap = (now, from, bytes) => {
    before?.(now, from, bytes);
    if (!(from instanceof LinkEnd)) return;
    let teller = tellers.get(from);
    if (teller === undefined) {
      teller = new Teller(from, network.trace, () => (from.peer === undefined ? undefined : tellers.get(from.peer)));
      tellers.set(from, teller);
    }
    teller.reader.feed(now, bytes);
  };
}
