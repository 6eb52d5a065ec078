/**
 * LinkEnd: one end of a simulated TCP connection, as a `Link`. Each end has a queue of bytes under way to the
 * other, bounded by a window; what does not fit stays in the writer's own memory, as the contract of `Link.write` says,
 * so a writer that reuses that memory early damages its stream, and the run shows it. Chunks are overwritten after
 * delivery, so a reader that keeps a view is found out too.
 *
 * An end whose process died says so to its peer, unless the news is lost in a split or the machine lost power: then the
 * peer's end stays half-open until it sends something and is answered, or gives up.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import type { Paths } from "./paths.ts";
import type { Place } from "./place.ts";
import { payloadHash, TraceType } from "./trace.ts";

const giveUpUs: DurationUs = 8_000_000;
const closingUs: DurationUs = 10_000_000;
/** How long a receiver may dawdle, so that more arrives and comes in one piece. */
const dawdleUs: DurationUs = 3_000;
/** A socket hands over no more than this at once. */
const pieceBytesMax = 64 * 1024;
const garbage = 0xdb;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly at: Instant;
}

/** opening: dialled, not up yet. closing: `close` was called. gone: no event follows but perhaps `onClosed`. */
type EndState = "opening" | "open" | "closing" | "gone";

/** The connection an end is part of, as the end sees it. */
export interface ConnectionOfEnd {
  readonly number: number;
  /** This end is over. */
  endGone(): void;
}

/** One end. `peer` is the other. */
export class LinkEnd implements Link {
  readonly connection: ConnectionOfEnd;
  readonly place: Place;
  readonly life: number;
  readonly label: string;
  events: LinkEvents | undefined;
  state: EndState = "opening";
  peer: LinkEnd | undefined;
  readonly #network: Paths;
  #queue: Chunk[] = [];
  #head = 0;
  #queuedBytes = 0;
  #held: Uint8Array | undefined;
  #lastAt: Instant = instant(0);
  #reading = true;
  #due = false;
  /** What lies first has been waited with already: nothing dawdles twice. */
  #dawdled = false;
  #waitingSince: Instant | undefined;

  constructor(connection: ConnectionOfEnd, network: Paths, place: Place, life: number, label: string) {
    this.connection = connection;
    this.#network = network;
    this.place = place;
    this.life = life;
    this.label = label;
  }

  write(bytes: Uint8Array): boolean {
    assert(this.#held === undefined, "a link was written to before onWritable");
    if (this.state === "closing" || this.state === "gone" || bytes.length === 0) return true;
    const network = this.#network;
    if (network.tap !== undefined) network.tap(network.scheduler.now, this, bytes);
    const room = Math.max(0, network.options.windowBytes - this.#queuedBytes);
    let taken = Math.min(room, bytes.length);
    if (network.options.holdPerMille > 0 && network.rng.chance(network.options.holdPerMille)) {
      taken = network.rng.below(taken + 1);
      network.scheduler.in(network.rng.below(2_000), (now) => this.#refill(now));
    }
    if (taken > 0) this.#send(bytes.slice(0, taken));
    if (taken === bytes.length) return true;
    this.#held = bytes.subarray(taken);
    return false;
  }

  pauseReading(): void {
    this.#reading = false;
  }

  resumeReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.peer?.schedulePump(0);
  }

  close(): void {
    if (this.state === "closing" || this.state === "gone") return;
    if (this.state === "opening") {
      this.destroy();
      return;
    }
    this.state = "closing";
    this.schedulePump(0);
    this.#network.scheduler.in(closingUs, () => this.fail("closed"));
  }

  destroy(): void {
    if (this.state === "gone") return;
    this.#end("destroyed");
    this.#tellPeer("connection reset by peer");
  }

  /** Whether both ends are up and their processes alive: what is asked here can be answered. */
  get whole(): boolean {
    const peer = this.peer;
    if (this.state !== "open" || peer?.state !== "open") return false;
    return this.life === this.place.life && peer.life === peer.place.life;
  }

  /** Bytes in the writer's memory that the transport still has to take. */
  get heldBytes(): number {
    return this.#held?.length ?? 0;
  }

  #send(bytes: Uint8Array): void {
    const to = this.peer?.place.position ?? this.place.position;
    const due = instant(this.#network.scheduler.now + this.#network.delay(this.place.position, to));
    const at = instant(Math.max(due, this.#lastAt));
    this.#lastAt = at;
    this.#queue.push({ bytes, at });
    this.#queuedBytes += bytes.length;
    if (!this.#due) this.#pumpAt(at);
  }

  /** Takes more of what the writer holds once half of the window is free: not byte by byte. */
  #refill(now: Instant): void {
    const held = this.#held;
    if (held === undefined || this.state === "gone") return;
    const window = this.#network.options.windowBytes;
    const taken = Math.min(held.length, window - this.#queuedBytes);
    if (taken < held.length && taken < window / 2) return;
    this.#held = taken === held.length ? undefined : held.subarray(taken);
    this.#send(held.slice(0, taken));
    if (this.#held !== undefined) return;
    this.#network.trace.note(now, this.place.position, TraceType.writable, taken);
    this.#network.scheduler.in(0, (at) => this.place.enter(at, this.life, (t) => this.#writable(t)));
  }

  #writable(now: Instant): void {
    if (this.state === "open" && this.#held === undefined) this.events?.onWritable(now);
  }

  /** Lets the bytes under way be looked at after `delay`. */
  schedulePump(delay: DurationUs): void {
    if (!this.#due) this.#pumpAt(instant(this.#network.scheduler.now + delay));
  }

  #pumpAt(at: Instant): void {
    this.#due = true;
    this.#network.scheduler.at(at, (now) => {
      this.#due = false;
      this.#pump(now);
    });
  }

  /** Moves the first chunk to the peer if everything is ready for it. */
  #pump(now: Instant): void {
    const peer = this.peer;
    if (peer === undefined || this.state === "opening" || peer.state === "opening") return;
    const chunk = this.#queue[this.#head];
    if (chunk === undefined && this.state !== "closing") return;
    if (chunk !== undefined && chunk.at > now) {
      this.#pumpAt(chunk.at);
      return;
    }
    if (chunk !== undefined && !this.#dawdled && this.#network.dawdles()) {
      this.#dawdled = true;
      this.#pumpAt(instant(now + this.#network.rng.below(dawdleUs)));
      return;
    }
    if (!this.#network.passes(this.place, peer.place)) {
      this.#waitOrGiveUp(now);
      return;
    }
    this.#waitingSince = undefined;
    if (peer.state === "gone" || peer.life !== peer.place.life) {
      this.#answeredByReset();
      return;
    }
    if (chunk === undefined) {
      if (this.#held === undefined) this.#finish();
      else this.#refill(now);
    } else if (peer.#reading && peer.events !== undefined) {
      this.#due = true;
      peer.place.enter(now, peer.life, (at) => this.#deliver(at, peer));
    }
  }

  #deliver(now: Instant, peer: LinkEnd): void {
    this.#due = false;
    this.#dawdled = false;
    if (this.#head === this.#queue.length || peer.state === "gone" || !peer.#reading || peer.events === undefined)
      return;
    const { options, rng, trace } = this.#network;
    let bytes = this.#arrived(now);
    if (bytes.length > 1 && options.fragmentPerMille > 0 && rng.chance(options.fragmentPerMille)) {
      const size = 1 + rng.below(bytes.length - 1);
      this.#head -= 1;
      this.#queue[this.#head] = { bytes: bytes.slice(size), at: instant(now + rng.below(200)) };
      bytes = bytes.subarray(0, size);
    }
    this.#compact();
    this.#queuedBytes -= bytes.length;
    if (canary("sim.network-flips-bits") && rng.chance(2)) bytes[rng.below(bytes.length)] = rng.below(256);
    trace.note(now, peer.place.position, TraceType.bytes, payloadHash(bytes));
    peer.events.onBytes(now, bytes);
    bytes.fill(garbage);
    this.#refill(now);
    const next = this.#queue[this.#head];
    if (!this.#due && (next !== undefined || this.state === "closing")) this.#pumpAt(next?.at ?? now);
  }

  /** Takes everything that has arrived by now off the queue, in one piece: a socket knows no chunks. */
  #arrived(now: Instant): Uint8Array {
    const first = this.#head;
    let length = 0;
    while (this.#head < this.#queue.length) {
      const chunk = this.#queue[this.#head] as Chunk;
      if (this.#head > first && (chunk.at > now || length + chunk.bytes.length > pieceBytesMax)) break;
      length += chunk.bytes.length;
      this.#head += 1;
    }
    if (this.#head === first + 1) return (this.#queue[first] as Chunk).bytes;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (let i = first; i < this.#head; i += 1) {
      const chunk = this.#queue[i] as Chunk;
      bytes.set(chunk.bytes, at);
      at += chunk.bytes.length;
    }
    return bytes;
  }

  #compact(): void {
    if (this.#head < 64 && this.#head < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  /** Everything sent before `close` has arrived: both ends learn that the stream is over. */
  #finish(): void {
    this.#end("closed");
    this.#tellPeer("closed by peer");
  }

  #waitOrGiveUp(now: Instant): void {
    if (this.#waitingSince === undefined) {
      this.#waitingSince = now;
      this.#network.scheduler.in(giveUpUs, () => {
        if (this.#waitingSince === now) this.fail("connection timed out");
      });
    }
  }

  #answeredByReset(): void {
    const peer = this.peer as LinkEnd;
    this.#network.scheduler.in(this.#network.delay(peer.place.position, this.place.position), () => {
      if (this.#network.passes(peer.place, this.place)) this.fail("connection reset by peer");
    });
  }

  #tellPeer(reason: string): void {
    const peer = this.peer;
    if (peer === undefined) return;
    this.#network.scheduler.in(this.#network.delay(this.place.position, peer.place.position), () => {
      if (this.#network.passes(this.place, peer.place)) peer.fail(reason);
    });
  }

  /** Ends this end with `onClosed(reason)`, unless it is over already. Only the scheduler's events call this. */
  fail(reason: string): void {
    if (this.state !== "gone") this.#end(reason);
  }

  #end(reason: string): void {
    this.state = "gone";
    this.#dropBytes();
    this.#network.scheduler.in(0, (now) =>
      this.place.enter(now, this.life, (at) => {
        this.#network.trace.note(at, this.place.position, TraceType.closed, this.connection.number);
        this.events?.onClosed(at, reason);
      }),
    );
    this.connection.endGone();
  }

  #dropBytes(): void {
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    this.#held = undefined;
  }

  /** The process died: the system sends what it was given and ends the stream. After a power cut it does neither. */
  abandon(power: boolean): void {
    if (this.state === "gone") return;
    this.#held = undefined;
    const peer = this.peer;
    if (peer !== undefined) {
      peer.#due = false;
      peer.schedulePump(0);
    }
    if (!power && this.state !== "opening") {
      this.state = "closing";
      this.schedulePump(0);
      return;
    }
    this.state = "gone";
    this.#dropBytes();
    if (!power) this.#tellPeer("connection reset by peer");
    this.connection.endGone();
  }
}
