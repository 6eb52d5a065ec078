/**
 * Asker: one client as admission sees it: how much it has under way, and what of it stands in line. Connections that
 * say the same client id in their hello are one asker, since what is shared out is shared out among clients; a
 * connection that says none is one by itself.
 *
 * Writes and reads stand apart, because reads are shed first.
 */
import { Fifo } from "../base/fifo.ts";
import type { Instant } from "../base/time.ts";
import { FrameType } from "../wire/frame-types.ts";

/** A request in line, as far as its place there goes. */
export interface InLine {
  readonly type: number;
  readonly arrivedAt: Instant;
}

/** More than all lines together may hold. */
const lineMax = 1 << 16;
/** Of so many requests taken from an overloaded line one is a read, whatever writes wait. */
const readEvery = 4;

/** Whether a request of this type only reads. */
export function onlyReads(type: number): boolean {
  return type === FrameType.GET || type === FrameType.MULTI_GET || type === FrameType.COPY_READ;
}

export class Asker {
  /** In hexadecimal digits; empty: it said none. */
  readonly id: string;
  /** Requests that are worked on. */
  inFlight = 0;
  /** Bytes of their frames. */
  inFlightBytes = 0;
  /** Sessions that share it. */
  sessions = 0;
  readonly #reads: Fifo<InLine> = new Fifo(lineMax);
  readonly #writes: Fifo<InLine> = new Fifo(lineMax);
  #taken = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Requests in line. */
  get waiting(): number {
    return this.#reads.size + this.#writes.size;
  }

  push(one: InLine): void {
    (onlyReads(one.type) ? this.#reads : this.#writes).push(one);
  }

  /** When the request that has waited longest came; the line is not empty. */
  get oldestAt(): Instant {
    const read = this.#reads.peek();
    const write = this.#writes.peek();
    if (read === undefined) return (write as InLine).arrivedAt;
    return write === undefined || read.arrivedAt < write.arrivedAt ? read.arrivedAt : write.arrivedAt;
  }

  /** Takes a request that came before its class's instant; undefined: there is none (any more). */
  takeOlder(reads: Instant, writes: Instant): InLine | undefined {
    const read = this.#reads.peek();
    if (read !== undefined && read.arrivedAt < reads) return this.#reads.shift();
    const write = this.#writes.peek();
    return write !== undefined && write.arrivedAt < writes ? this.#writes.shift() : undefined;
  }

  /** The next in turn; the line is not empty. */
  takeNext(): InLine {
    const read = this.#reads.peek();
    const write = this.#writes.peek();
    const line = write === undefined || (read !== undefined && read.arrivedAt < write.arrivedAt);
    return (line ? this.#reads : this.#writes).shift() as InLine;
  }

  /** The newest, a write rather than a read: who came last has most of its time left. The line is not empty. */
  takeNewest(): InLine {
    this.#taken += 1;
    const readFirst = this.#taken % readEvery === 0;
    const first = readFirst ? this.#reads : this.#writes;
    return (first.pop() ?? (readFirst ? this.#writes : this.#reads).pop()) as InLine;
  }
}
