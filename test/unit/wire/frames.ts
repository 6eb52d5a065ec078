/** What the frame tests share: a sink and a link that write down what they are told, and frames made by hand. */
import type { Instant } from "../../../src/base/time.ts";
import type { Frame, FrameSink } from "../../../src/wire/frame.ts";
import type { Link } from "../../../src/wire/link.ts";

/** A frame as plain data. */
export interface FrameData {
  readonly type: number;
  readonly status: number;
  readonly frameId: number;
  readonly body: Uint8Array;
}

/** A frame's bytes, made with a DataView: the naive second implementation. */
export function frameBytes(frame: FrameData): Uint8Array {
  const bytes = new Uint8Array(10 + frame.body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 6 + frame.body.length);
  view.setUint8(4, frame.type);
  view.setUint8(5, frame.status);
  view.setUint32(6, frame.frameId);
  bytes.set(frame.body, 10);
  return bytes;
}

/** One line of text per frame, to compare. */
export function lineOf(frame: FrameData): string {
  return `${frame.type}/${frame.status}/${frame.frameId}:${Buffer.from(frame.body).toString("hex")}`;
}

/** All of them behind one another. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Keeps what it is told. */
export class RecordingSink implements FrameSink {
  readonly lines: string[] = [];
  readonly bad: string[] = [];
  /** Called after each frame. */
  after: () => void = () => {};
  /** Where the last body lay. */
  lastBytes = new Uint8Array(0);

  onFrame(_: Instant, { type, status, frameId, bytes, start, end }: Frame): void {
    this.lines.push(lineOf({ type, status, frameId, body: bytes.subarray(start, end) }));
    this.lastBytes = bytes as Uint8Array<ArrayBuffer>;
    this.after();
  }

  onBadFrame(_: Instant, reason: string): void {
    this.bad.push(reason);
  }
}

/** A link whose transport consumes everything at once, or keeps it until the test says otherwise. */
export class FakeLink implements Link {
  readonly label = "fake";
  /** One entry per `write`, copied when the bytes were consumed. */
  readonly written: Uint8Array[] = [];
  /** Bytes that the transport holds on to: looked at again in `consume`. */
  #held: Uint8Array | null = null;
  keeps = false;

  write(bytes: Uint8Array): boolean {
    if (this.#held !== null) throw new Error("written before onWritable");
    if (this.keeps) this.#held = bytes;
    else this.written.push(bytes.slice());
    return !this.keeps;
  }

  /** The transport sends what it kept, as it is now. */
  consume(): void {
    if (this.#held !== null) this.written.push(this.#held.slice());
    this.#held = null;
  }

  pauseReading(): void {}
  resumeReading(): void {}
  close(): void {}
  destroy(): void {}
}
