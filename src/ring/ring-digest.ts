/**
 * A ring in one line: its epoch and a hash of its bytes. Nodes put it into every ping, so that one that missed a ring
 * notices, and two rings of one epoch (which must not be) are seen.
 */
import { Hash64, hashBytes } from "../base/hash.ts";

const seed = 0x52494e47;

/** The hash of a ring's encoded bytes: 64 bits. It finds differences, it proves nothing to an attacker. */
export function ringHash(encoded: Uint8Array): Hash64 {
  const hash = new Hash64();
  hashBytes(encoded, 0, encoded.length, seed, hash);
  return hash;
}

/** A ring's hash for people: 16 hexadecimal digits. */
export function digestText({ high, low }: Hash64): string {
  return [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
}
