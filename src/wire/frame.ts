/**
 * Frames: what every TCP link of Ringtail carries, in both directions.
 *
 *     u32 length   bytes that follow it: 6 + body (big-endian)
 *     u8  type     `FrameType`; in a reply with the high bit set
 *     u8  status   of a reply: 0 or an error's number; of a request: flags
 *     u32 frame id chosen by the asker, repeated in the reply (big-endian)
 *         body     a protobuf message, or nothing
 *
 * Here is the reading side; `frame-writer.ts` writes. Whole frames inside a chunk are handed on where they lie. Only a
 * frame that is split over chunks is put together in a buffer, whose size follows the bytes that have really come, not
 * the length that was announced.
 */
import { assert } from "../base/assert.ts";
import { noBytes, plainBytes } from "../base/bytes.ts";
import { copyBytes } from "../base/pool.ts";
import type { Instant } from "../base/time.ts";
import { decode, type MessageCodec } from "./codec.ts";
import { REPLY_BIT } from "./frame-types.ts";
import { frameHeaderBytes, lengthBytes } from "./limits.ts";

export { FrameWriter, type FrameWriterOptions } from "./frame-writer.ts";

/** The least memory that a split frame is put together in. */
const assemblyBytesLeast = 4 * 1024;
/** More than this is given up again once the frame is through. */
const assemblyBytesKept = 16 * 1024;

/**
 * One frame that came. A reader has a single one and fills it in for each frame of its link: it is lent, like the bytes
 * that it points at, until the call that is given it returns. Who needs it for longer copies what it needs.
 */
export class Frame {
  type: number;
  /** Of a reply: 0 or an error's number; of a request: flags. */
  status: number;
  frameId: number;
  /** The body is `bytes[start..end)`. */
  bytes: Uint8Array;
  start: number;
  end: number;

  /** One of its own, around a whole body. */
  constructor(type: number = 0, status: number = 0, frameId: number = 0, body: Uint8Array = noBytes) {
    this.type = type;
    this.status = status;
    this.frameId = frameId;
    this.bytes = body;
    this.start = 0;
    this.end = body.length;
  }

  /** Bytes of the body. */
  get size(): number {
    return this.end - this.start;
  }

  /** Of a reply: the type of the request that it answers. */
  get answers(): number {
    return this.type & ~REPLY_BIT;
  }

  /** The message in the body; its `bytes` are views of what is lent. Throws `WireError`. */
  decode<T>(codec: MessageCodec<T>): T {
    return decode(codec, this.bytes, this.start, this.end);
  }

  /** The same frame over a copy of its body, in pooled memory: to be kept for a while. */
  copy(): Frame {
    return new Frame(this.type, this.status, this.frameId, copyBytes(this.bytes.subarray(this.start, this.end)));
  }
}

/** What a reply repeats of the request that it answers. */
export type Asking = Pick<Frame, "type" | "frameId">;

/** Who is given the frames of one link. */
export interface FrameSink {
  /** One whole frame, borrowed until return. */
  onFrame(now: Instant, frame: Frame): void;
  /** The stream is no valid frame stream: answer if possible, and close. Nothing follows. `reason` is for people. */
  onBadFrame(now: Instant, reason: string): void;
}

/** Cuts one link's bytes into frames. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #frameBytesMax: number;
  readonly #frame: Frame = new Frame();
  /** The first `#have` bytes of a frame that is not complete yet. */
  #assembly: Uint8Array = noBytes;
  #have = 0;
  #isStopped = false;
  #isFeeding = false;

  /** `frameBytesMax` counts whole frames, the length field included. */
  constructor(sink: FrameSink, frameBytesMax: number) {
    assert(frameBytesMax >= frameHeaderBytes, "frameBytesMax leaves no room for a frame");
    this.#sink = sink;
    this.#frameBytesMax = frameBytesMax;
  }

  /** Bytes of a frame that has begun and not ended: while they are not 0, the rest of it is owed. */
  get pendingBytes(): number {
    return this.#have;
  }

  /** Delivers nothing more, not even what is left of the chunk at hand; may be called from inside `onFrame`. */
  stop(): void {
    this.#isStopped = true;
    this.#assembly = noBytes;
    this.#have = 0;
  }

  /** The next bytes of the stream: every frame that they complete is delivered before this returns. */
  feed(now: Instant, chunk: Uint8Array): void {
    assert(!this.#isFeeding, "a frame reader is fed from inside its own sink");
    if (this.#isStopped) return;
    this.#isFeeding = true;
    const bytes = plainBytes(chunk);
    const start = this.#have === 0 ? 0 : this.#finishSplit(now, bytes);
    if (!this.#isStopped && start < bytes.length) this.#deliverWhole(now, bytes, start);
    // An idle link does not keep what came last.
    this.#frame.bytes = noBytes;
    this.#isFeeding = false;
  }

  /** Delivers the frames that lie whole in the chunk, and keeps the beginning of one that does not. */
  #deliverWhole(now: Instant, bytes: Uint8Array, start: number): void {
    let at = start;
    while (bytes.length - at >= lengthBytes) {
      const total = this.#totalAt(now, bytes, at);
      if (total === 0) return;
      if (total > bytes.length - at) break;
      this.#deliver(now, bytes, at, at + total);
      if (this.#isStopped) return;
      at += total;
    }
    if (at < bytes.length) this.#keep(bytes, at, bytes.length);
  }

  /** Takes what the split frame lacks from the chunk; returns where the next frame begins. */
  #finishSplit(now: Instant, bytes: Uint8Array): number {
    let taken = 0;
    if (this.#have < lengthBytes) {
      taken = Math.min(lengthBytes - this.#have, bytes.length);
      this.#keep(bytes, 0, taken);
      if (this.#have < lengthBytes) return taken;
    }
    const total = this.#totalAt(now, this.#assembly, 0);
    if (total === 0) return taken;
    const end = Math.min(bytes.length, taken + total - this.#have);
    this.#keep(bytes, taken, end);
    if (this.#have < total) return end;
    const frame = this.#assembly;
    if (frame.length > assemblyBytesKept) this.#assembly = noBytes;
    this.#have = 0;
    this.#deliver(now, frame, 0, total);
    return end;
  }

  /** Adds bytes to the split frame. The memory at least doubles when it must grow, and starts from what is there. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    const have = this.#have + (end - start);
    if (have > this.#assembly.length) {
      const doubled = Math.min(2 * this.#assembly.length, this.#frameBytesMax);
      const grown = new Uint8Array(Math.max(have, doubled, assemblyBytesLeast));
      grown.set(this.#assembly.subarray(0, this.#have));
      this.#assembly = grown;
    }
    this.#assembly.set(bytes.subarray(start, end), this.#have);
    this.#have = have;
  }

  /** The size of the whole frame whose length field is at `at`; 0 after reporting a length that cannot be. */
  #totalAt(now: Instant, bytes: Uint8Array, at: number): number {
    const length = readU32(bytes, at);
    const total = lengthBytes + length;
    if (total >= frameHeaderBytes && total <= this.#frameBytesMax) return total;
    this.stop();
    const what = total < frameHeaderBytes ? "too short to be one" : `more than the limit of ${this.#frameBytesMax}`;
    this.#sink.onBadFrame(now, `a frame of ${total} bytes is ${what}`);
    return 0;
  }

  #deliver(now: Instant, bytes: Uint8Array, at: number, end: number): void {
    const frame = this.#frame;
    frame.type = bytes[at + 4] as number;
    frame.status = bytes[at + 5] as number;
    frame.frameId = readU32(bytes, at + 6);
    frame.bytes = bytes;
    frame.start = at + frameHeaderBytes;
    frame.end = end;
    this.#sink.onFrame(now, frame);
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return ((high << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}
