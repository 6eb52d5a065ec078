/** Fixed vectors: JSON files under `test/vectors` that must never change; new ones may be added. */
import { readFileSync } from "node:fs";

/** The parsed content of `test/vectors/<name>.json`. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

/** The bytes of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A 64-bit hash as 16 hexadecimal digits, high word first. */
export function hash64Hex(hash: { high: number; low: number }): string {
  return hash.high.toString(16).padStart(8, "0") + hash.low.toString(16).padStart(8, "0");
}
