/**
 * FrameWriter: the sending side of one link. Frames are encoded where they will be sent from, one behind the other, and
 * leave with one `Link.write` per turn of the loop: a write per frame costs more than all else that a node does with it.
 * `frame.ts` says what a frame looks like.
 *
 * When the transport keeps what it was given (its buffers are full), that slab is lent to it, further frames gather in
 * another one, and `queuedBytesMax` bounds both. So a slow reader costs bounded memory, and `send` tells the caller.
 */
import { assert } from "../base/assert.ts";
import type { Encoder } from "./codec.ts";
import { frameBytesMax, frameHeaderBytes, lengthBytes } from "./limits.ts";
import type { Link } from "./link.ts";
import { giveSlab, slabBytesLeast, takeSlab } from "./slab-pool.ts";
import { SlabWriter } from "./slab-writer.ts";

/** So much is written without waiting for the end of the turn: the kernel can send it while we go on. */
const earlyFlushBytes = 64 * 1024;

const nothing = new Uint8Array(0);
/** One for all links: an encoding never gives way to another. */
const writer = new SlabWriter(nothing);

/** The limits of one link's output. */
export interface FrameWriterOptions {
  /** Bytes that may wait for the link. A frame that goes over it is refused, unless nothing else waits. */
  readonly queuedBytesMax: number;
  /** The largest frame that the other side takes. Default: 4 MiB. */
  readonly frameBytesMax?: number;
}

/** The send slab of one link. */
export class FrameWriter {
  readonly #link: Link;
  readonly #wantFlush: () => void;
  readonly #queuedBytesMax: number;
  readonly #frameBytesMax: number;
  /** Frames not yet written: `#slab[0..#used)`. `nothing` while there are none. */
  #slab: Uint8Array = nothing;
  #used = 0;
  /** What the transport has not consumed yet; while it is not `nothing`, no more may be written. */
  #lent: Uint8Array = nothing;
  #lentBytes = 0;
  #flushWanted = false;
  #isClosed = false;

  /** `wantFlush` is called when frames begin to wait, at most once until `flush`: the owner calls that in `endTurn`. */
  constructor(link: Link, options: FrameWriterOptions, wantFlush: () => void) {
    this.#link = link;
    this.#wantFlush = wantFlush;
    this.#queuedBytesMax = options.queuedBytesMax;
    this.#frameBytesMax = options.frameBytesMax ?? frameBytesMax;
  }

  /** Bytes that wait here or that the transport has not consumed. */
  get queuedBytes(): number {
    return this.#used + this.#lentBytes;
  }

  /**
   * Queues one frame. False, with nothing queued: `queuedBytesMax` is reached, the frame is larger than
   * `frameBytesMax`, or the writer is closed. The message's bytes are copied: they stay the caller's.
   */
  send<T>(type: number, status: number, frameId: number, codec: Encoder<T>, message: T): boolean {
    if (!this.#hasRoom()) return false;
    writer.begin(this.#slab, this.#used + frameHeaderBytes);
    codec.encode(message, writer);
    return this.#finish(type, status, frameId);
  }

  /** Queues a frame without a body; as `send`. */
  sendEmpty(type: number, status: number, frameId: number): boolean {
    if (!this.#hasRoom()) return false;
    writer.begin(this.#slab, this.#used + frameHeaderBytes);
    return this.#finish(type, status, frameId);
  }

  /** Queues a frame whose body is encoded already; as `send`. */
  sendReady(type: number, status: number, frameId: number, body: Uint8Array): boolean {
    if (!this.#hasRoom()) return false;
    writer.begin(this.#slab, this.#used + frameHeaderBytes);
    writer.append(body);
    return this.#finish(type, status, frameId);
  }

  /** Writes everything that waits with one `Link.write`; nothing while the transport still holds what it was given. */
  flush(): void {
    this.#flushWanted = false;
    this.#write();
  }

  /** The transport has consumed everything: what gathered meanwhile is written. */
  onWritable(): void {
    if (this.#lent !== nothing) giveSlab(this.#lent);
    this.#lent = nothing;
    this.#lentBytes = 0;
    this.#write();
  }

  /** For `onClosed`: forgets what waits; `send` returns false from now on. */
  close(): void {
    this.#isClosed = true;
    if (this.#slab !== nothing) giveSlab(this.#slab);
    this.#slab = nothing;
    this.#used = 0;
    // The transport may still look at what it was lent: that slab is not for the pool.
    this.#lent = nothing;
    this.#lentBytes = 0;
  }

  /** Whether a frame may be tried; if so there is a slab with room for a header. */
  #hasRoom(): boolean {
    if (this.#isClosed || this.queuedBytes >= this.#queuedBytesMax) return false;
    if (this.#slab.length - this.#used >= frameHeaderBytes) return true;
    const slab = takeSlab(Math.max(slabBytesLeast, 2 * this.#slab.length));
    slab.set(this.#slab.subarray(0, this.#used));
    if (this.#slab !== nothing) giveSlab(this.#slab);
    this.#slab = slab;
    return true;
  }

  /** Puts the header before the body that was just encoded, and counts the frame; or takes it back. */
  #finish(type: number, status: number, frameId: number): boolean {
    const slab = writer.buf;
    const start = this.#used;
    const end = writer.pos;
    if (slab !== this.#slab) {
      giveSlab(this.#slab);
      this.#slab = slab;
    }
    const queued = this.queuedBytes;
    const isTooMuch = queued > 0 && queued + (end - start) > this.#queuedBytesMax;
    if (isTooMuch || end - start > this.#frameBytesMax) {
      if (start === 0) this.#release();
      return false;
    }
    writeU32(slab, start, end - start - lengthBytes);
    slab[start + lengthBytes] = type;
    slab[start + lengthBytes + 1] = status;
    writeU32(slab, start + lengthBytes + 2, frameId);
    this.#used = end;
    if (end >= earlyFlushBytes && this.#lent === nothing) this.#write();
    else if (start === 0 && !this.#flushWanted && this.#lent === nothing) {
      this.#flushWanted = true;
      this.#wantFlush();
    }
    return true;
  }

  #write(): void {
    if (this.#used === 0 || this.#lent !== nothing) return;
    assert(!this.#isClosed, "a closed frame writer has frames");
    const bytes = this.#slab.subarray(0, this.#used);
    if (this.#link.write(bytes)) {
      this.#used = 0;
      this.#release();
      return;
    }
    this.#lent = this.#slab;
    this.#lentBytes = this.#used;
    this.#slab = nothing;
    this.#used = 0;
  }

  #release(): void {
    giveSlab(this.#slab);
    this.#slab = nothing;
  }
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
