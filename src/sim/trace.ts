/**
 * Trace: what happened, as a rolling hash always and as readable lines on request. The
 * hash is over (time, place, type, payload) in two 32-bit lanes; equal seeds must give equal hashes. Lines cost far
 * more, so an ordinary run makes none: a failing seed is simply run again with `recording` on, which checks the hash as
 * well.
 */
import type { Instant } from "../base/time.ts";

/** What an entry of the hash is about. */
export const TraceType = {
  bytes: 1,
  open: 2,
  accept: 3,
  closed: 4,
  writable: 5,
  tick: 6,
  boot: 7,
  end: 8,
  pause: 9,
  resume: 10,
  fault: 11,
  outcome: 12,
  disk: 13,
} as const;
export type TraceType = (typeof TraceType)[keyof typeof TraceType];

/** One readable line. `key` names the key it is about, if it is about one. */
export interface TraceLine {
  readonly at: Instant;
  readonly place: string;
  readonly key: string | undefined;
  readonly text: string;
}

/** FNV-1a, 32 bits: only to tell payloads apart inside the trace hash. Of long ones every 16th byte is enough for that. */
export function payloadHash(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 ^ bytes.length;
  const step = bytes.length <= 512 ? 1 : 16;
  for (let i = 0; i < bytes.length; i += step) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash;
}

/** The same over a text's code units. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

export class Trace {
  readonly recording: boolean;
  readonly lines: TraceLine[] = [];
  #high = 0x243f6a88;
  #low = 0x85a308d3;

  constructor(recording: boolean) {
    this.recording = recording;
  }

  /** Adds one happening to the hash. `place` is a position in the network, `payload` any number. */
  note(at: Instant, place: number, type: TraceType, payload: number): void {
    this.#mix(at | 0);
    this.#mix(((at / 0x1_0000_0000) | 0) ^ Math.imul(place + 1, 0x10001) ^ (type << 24));
    this.#mix(payload | 0);
  }

  #mix(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x9e3779b1);
    this.#high ^= this.#high >>> 15;
    this.#low = Math.imul((this.#low + word) | 0, 0x85ebca6b) ^ this.#high;
    this.#low ^= this.#low >>> 13;
  }

  /** Adds a readable line. Callers check `recording` first, so that no text is made for nothing. */
  say(at: Instant, place: string, text: string, key?: string): void {
    this.lines.push({ at, place, key, text });
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    const high = (this.#high >>> 0).toString(16).padStart(8, "0");
    return high + (this.#low >>> 0).toString(16).padStart(8, "0");
  }
}

/** A line as people read it: "   1.234567  node 2   text". */
export function lineText(line: TraceLine): string {
  const seconds = String(Math.floor(line.at / 1_000_000)).padStart(4, " ");
  const micros = String(line.at % 1_000_000).padStart(6, "0");
  return `${seconds}.${micros}  ${line.place.padEnd(9, " ")} ${line.text}`;
}
