/**
 * The codec: what encodes and decodes a message of the schema, over the code that pbjs generates. Encoding goes straight
 * into the send slab, decoding through one reader that is pointed at the frame's bytes: neither makes objects of its
 * own, besides the message. The guard looks at every body first. The codec of each message is in gen/codecs.ts.
 *
 * `bytes` fields of a decoded message are views of what was decoded: copy what outlives the frame.
 */
import protobuf from "protobufjs/minimal.js";
import { noBytes } from "../base/bytes.ts";
import type { GeneratedCode } from "./gen/messages.js";
import { findFault } from "./guard.ts";
import { messageDepthMax } from "./limits.ts";
import { type MessageName, type MessageShape, shapes } from "./shapes.ts";
import { giveSlab, slabBytesLeast, takeSlab } from "./slab-pool.ts";
import { SlabWriter } from "./slab-writer.ts";
import { WireError } from "./wire-error.ts";

protobuf.Reader.recursionLimit = messageDepthMax;

/**
 * What may be encoded as a `T`: any field may be left out (then it has its default), a list of numbers may be any
 * array-like.
 */
export type Fields<T> = T extends Uint8Array | string | number | boolean | null
  ? T
  : T extends readonly number[]
    ? ArrayLike<number>
    : T extends readonly (infer E)[]
      ? readonly Fields<E>[]
      : { readonly [K in keyof T]?: Fields<T[K]> };

/** Writes a message where the writer stands. */
export interface Encoder<T> {
  encode(message: T, writer: SlabWriter): unknown;
}

/** One message of the schema. `decode` is for this file's function of that name, which guards it. */
export interface MessageCodec<T> extends Encoder<Fields<T>> {
  readonly name: string;
  readonly shape: MessageShape;
  decode(reader: protobuf.Reader): T;
}

/**
 * protobufjs's reader, but empty `bytes` are one shared array instead of a view each, and short packed fields are pushed
 * (protobufjs sets the array's length first, which costs more than reading a receipt's few words).
 */
class BodyReader extends protobuf.Reader {
  override raw(start: number, end: number): Uint8Array {
    return start === end ? noBytes : this.buf.subarray(start, end);
  }

  override fixed32s(array: number[] = []): number[] {
    const end = this.size() + this.pos;
    if (end > this.len) throw new RangeError("index out of range");
    while (this.pos < end) array.push(this.fixed32());
    if (this.pos !== end) throw new RangeError("index out of range");
    return array;
  }
}

const reader = new BodyReader(noBytes);

/**
 * Decodes `bytes[start..end)`. The result holds every field of the message, in the schema's order, with proto3's
 * defaults; its `bytes` are views. Throws `WireError` for anything that is no valid message.
 */
export function decode<T>(codec: MessageCodec<T>, bytes: Uint8Array, start: number, end: number): T {
  const fault = findFault(codec.shape, bytes, start, end);
  if (fault !== null) throw new WireError(`${codec.name}: ${fault}`);
  reader.buf = bytes;
  reader.pos = start;
  reader.len = end;
  reader.view = null;
  try {
    return codec.decode(reader);
  } catch (error) {
    throw new WireError(`${codec.name}: ${error instanceof Error ? error.message : "malformed"}`);
  } finally {
    reader.buf = noBytes;
  }
}

const writer = new SlabWriter(noBytes);

/** The encoded bytes in memory of their own: for files and tests. Frames are encoded in place, by `FrameWriter`. */
export function encode<T>(codec: Encoder<T>, message: T): Uint8Array {
  const slab = takeSlab(slabBytesLeast);
  writer.begin(slab, 0);
  codec.encode(message, writer);
  const bytes = writer.buf.slice(0, writer.pos);
  if (writer.buf !== slab) giveSlab(slab);
  giveSlab(writer.buf);
  writer.begin(noBytes, 0);
  return bytes;
}

/** The codec of one message; for gen/codecs.ts. */
export function codecOf<T>(name: MessageName, code: GeneratedCode<T>): MessageCodec<T> {
  return {
    name,
    shape: shapes[name],
    encode: code.encode as (message: Fields<T>, target: SlabWriter) => unknown,
    decode: code.decode,
  };
}
