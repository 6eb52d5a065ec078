/**
 * SlabWriter: what the generated `encode` functions write to. It has the method names of protobufjs's Writer, as far as
 * the schema needs them (a test compares), and puts the bytes where they will be sent from: no list of operations, no
 * copy at the end. It is pointed at a slab for one message at a time; when the slab is too small it moves to a larger
 * one, and the caller finds that in `buf`.
 */
import { assert } from "../base/assert.ts";
import { messageDepthMax } from "./limits.ts";
import { takeSlab } from "./slab-pool.ts";

/** Below this many bytes a loop copies faster than `set`. */
const shortCopy = 24;
const scratch = new DataView(new ArrayBuffer(8));

/** The encoded size of a text; a lone surrogate counts as U+FFFD, which is what is written for it. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (isPair(text, i)) {
      bytes += 2;
      i += 1;
    } else bytes += 2;
  }
  return bytes;
}

function isPair(text: string, i: number): boolean {
  return (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
}

/** Reused for every message of the process: `begin`, encode, then read `buf` and `pos`. */
export class SlabWriter {
  buf: Uint8Array;
  /** The next byte's place. */
  pos = 0;
  /** Where the sizes of the open nested messages go. */
  readonly #forks = new Float64Array(messageDepthMax);
  #depth = 0;

  constructor(slab: Uint8Array) {
    this.buf = slab;
  }

  /** Points the writer at a place in a slab; what an encoding that threw has left is forgotten. */
  begin(slab: Uint8Array, pos: number): void {
    this.buf = slab;
    this.pos = pos;
    this.#depth = 0;
  }

  /** Moves to a larger slab, with all that is in this one before `pos`. */
  #grow(bytes: number): void {
    const slab = takeSlab(Math.max(this.pos + bytes, 2 * this.buf.length));
    slab.set(this.buf.subarray(0, this.pos));
    this.buf = slab;
  }

  uint32(value: number): this {
    if (this.pos + 5 > this.buf.length) this.#grow(5);
    const buf = this.buf;
    let pos = this.pos;
    let rest = value >>> 0;
    while (rest > 127) {
      buf[pos] = (rest & 127) | 128;
      pos += 1;
      rest >>>= 7;
    }
    buf[pos] = rest;
    this.pos = pos + 1;
    return this;
  }

  /** For enums. None of ours is negative; one that a stranger sent is written as it came, in ten bytes. */
  int32(value: number): this {
    if (value >= 0) return this.uint32(value);
    for (let shift = 0; shift < 28; shift += 7) this.#byte(((value >> shift) & 127) | 128);
    this.#byte((value >>> 28) | 0xf0);
    for (let i = 0; i < 4; i += 1) this.#byte(0xff);
    return this.#byte(1);
  }

  #byte(value: number): this {
    if (this.pos === this.buf.length) this.#grow(1);
    this.buf[this.pos] = value;
    this.pos += 1;
    return this;
  }

  bool(value: boolean): this {
    return this.uint32(value ? 1 : 0);
  }

  fixed32(value: number): this {
    if (this.pos + 4 > this.buf.length) this.#grow(4);
    const buf = this.buf;
    const pos = this.pos;
    buf[pos] = value;
    buf[pos + 1] = value >>> 8;
    buf[pos + 2] = value >>> 16;
    buf[pos + 3] = value >>> 24;
    this.pos = pos + 4;
    return this;
  }

  /** A packed field, its size first. */
  fixed32s(values: ArrayLike<number>): this {
    this.uint32(4 * values.length);
    for (let i = 0; i < values.length; i += 1) this.fixed32(values[i] as number);
    return this;
  }

  double(value: number): this {
    if (this.pos + 8 > this.buf.length) this.#grow(8);
    scratch.setFloat64(0, value, true);
    for (let i = 0; i < 8; i += 1) this.buf[this.pos + i] = scratch.getUint8(i);
    this.pos += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    if (this.pos + 5 + value.length > this.buf.length) this.#grow(5 + value.length);
    return this.uint32(value.length).append(value);
  }

  /** Bytes that are encoded already, without their size. */
  append(value: Uint8Array): this {
    const length = value.length;
    if (this.pos + length > this.buf.length) this.#grow(length);
    const pos = this.pos;
    if (length < shortCopy) {
      const buf = this.buf;
      for (let i = 0; i < length; i += 1) buf[pos + i] = value[i] as number;
    } else this.buf.set(value, pos);
    this.pos = pos + length;
    return this;
  }

  string(text: string): this {
    const length = utf8Length(text);
    if (this.pos + 5 + length > this.buf.length) this.#grow(5 + length);
    this.uint32(length);
    if (length === text.length) this.#writeAscii(text);
    else this.#writeUtf8(text);
    return this;
  }

  #writeAscii(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.buf[this.pos + i] = text.charCodeAt(i);
    this.pos += text.length;
  }

  #writeUtf8(text: string): void {
    const buf = this.buf;
    let pos = this.pos;
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) {
        buf[pos++] = unit;
      } else if (unit < 0x800) {
        buf[pos++] = 0xc0 | (unit >>> 6);
        buf[pos++] = 0x80 | (unit & 0x3f);
      } else if (isPair(text, i)) {
        i += 1;
        const point = 0x10000 + ((unit & 0x3ff) << 10) + (text.charCodeAt(i) & 0x3ff);
        buf[pos++] = 0xf0 | (point >>> 18);
        buf[pos++] = 0x80 | ((point >>> 12) & 0x3f);
        buf[pos++] = 0x80 | ((point >>> 6) & 0x3f);
        buf[pos++] = 0x80 | (point & 0x3f);
      } else {
        const point = (unit & 0xf800) === 0xd800 ? 0xfffd : unit;
        buf[pos++] = 0xe0 | (point >>> 12);
        buf[pos++] = 0x80 | ((point >>> 6) & 0x3f);
        buf[pos++] = 0x80 | (point & 0x3f);
      }
    }
    this.pos = pos;
  }

  /** Opens a nested message: one byte is kept for its size. */
  fork(): this {
    if (this.pos + 1 > this.buf.length) this.#grow(1);
    assert(this.#depth < messageDepthMax, "messages nest too deep");
    this.#forks[this.#depth] = this.pos;
    this.#depth += 1;
    this.pos += 1;
    return this;
  }

  /** Closes it: fills in the size, moving the message up when the size takes more than a byte. */
  ldelim(): this {
    this.#depth -= 1;
    const place = this.#forks[this.#depth] as number;
    const length = this.pos - place - 1;
    if (length < 128) {
      this.buf[place] = length;
      return this;
    }
    const sizeBytes = length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
    if (this.pos + sizeBytes - 1 > this.buf.length) this.#grow(sizeBytes - 1);
    this.buf.copyWithin(place + sizeBytes, place + 1, place + 1 + length);
    this.pos = place;
    this.uint32(length);
    this.pos += length;
    return this;
  }
}
