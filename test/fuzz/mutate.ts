/**
 * Mutations that know what bytes of ours are made of: lengths, varints, tags, nested messages, text, checksums. One call
 * applies one to four of them. Everything is drawn from the seed, so an input is found again by its number.
 */
import type { Rng } from "../../src/base/rng.ts";

/** Words at which arithmetic breaks. */
const words: readonly number[] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff];

const snippets: readonly (readonly number[])[] = [
  // A varint of eleven bytes, and one that is larger than 64 bits.
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  // A group's begin and end, wire types that do not exist, field number 0.
  [0x0b, 0x0c],
  [0x0e],
  [0x0f],
  [0x00, 0x00],
  // A length of 2^31 - 1, of 2^31, of 2^32 - 1.
  [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07],
  [0x0a, 0x80, 0x80, 0x80, 0x80, 0x08],
  [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  // Empty messages again and again; lone surrogates and invalid UTF-8; names that JavaScript knows.
  [0x0a, 0x00, 0x0a, 0x00, 0x0a, 0x00, 0x0a, 0x00],
  [0xed, 0xa0, 0x80],
  [0xc0, 0x80],
  [...new TextEncoder().encode("__proto__")],
  [...new TextEncoder().encode("constructor")],
];

type Mutation = (rng: Rng, bytes: Uint8Array, other: Uint8Array) => Uint8Array;

function cut(bytes: Uint8Array, from: number, to: number, between: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(from + between.length + bytes.length - to);
  out.set(bytes.subarray(0, from));
  out.set(between, from);
  out.set(bytes.subarray(to), from + between.length);
  return out;
}

const place = (rng: Rng, bytes: Uint8Array): number => rng.below(bytes.length + 1);

function overwriteWord(rng: Rng, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  if (out.length < 4) return out;
  const at = rng.below(out.length - 3);
  new DataView(out.buffer).setUint32(at, rng.pick(words), rng.chance(500));
  return out;
}

function nest(rng: Rng, bytes: Uint8Array): Uint8Array {
  let out = bytes.subarray(0, 100);
  for (let depth = rng.between(1, 12); depth > 0 && out.length < 126; depth -= 1) {
    out = cut(out, 0, 0, [rng.pick([0x0a, 0x12, 0x1a]), out.length]);
  }
  return cut(bytes, place(rng, bytes), bytes.length, out);
}

const mutations: readonly Mutation[] = [
  (rng, bytes) => bytes.slice(0, place(rng, bytes)),
  (rng, bytes) => {
    const out = bytes.slice();
    if (out.length > 0) out[rng.below(out.length)] = rng.below(256);
    return out;
  },
  (rng, bytes) => {
    const out = bytes.slice();
    const at = rng.below(Math.max(1, out.length));
    if (out.length > 0) out[at] = (out[at] as number) ^ (1 << rng.below(8));
    return out;
  },
  overwriteWord,
  (rng, bytes) => {
    const at = place(rng, bytes);
    return cut(bytes, at, at, rng.pick(snippets));
  },
  (rng, bytes) => {
    const from = place(rng, bytes);
    return cut(bytes, from, rng.between(from, bytes.length), []);
  },
  (rng, bytes) => {
    const from = place(rng, bytes);
    const piece = bytes.subarray(from, rng.between(from, Math.min(bytes.length, from + 64)));
    const at = place(rng, bytes);
    return cut(bytes, at, at, piece);
  },
  (rng, bytes, other) => cut(bytes, place(rng, bytes), bytes.length, other.subarray(place(rng, other))),
  nest,
];

/** What is fed next: `bytes` after one to four mutations; `other` is spliced in at times. */
export function mutated(rng: Rng, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let out = bytes;
  for (let count = rng.between(1, 4); count > 0; count -= 1) out = rng.pick(mutations)(rng, out, other);
  return out.length > 8192 ? out.slice(0, 8192) : out;
}
