/**
 * Connection: one simulated TCP connection, its two ends as `Link`s. Each end has a queue of bytes under way to the
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
import type { Network } from "./network.ts";
import type { Place } from "./place.ts";
import { payloadHash, TraceType } from "./trace.ts";

const giveUpUs: DurationUs = 8_000_000;
const closingUs: DurationUs = 10_000_000;
const garbage = 0xdb;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly at: Instant;
}

/** opening: dialled, not up yet. closing: `close` was called. gone: no event follows but perhaps `onClosed`. */
type EndState = "opening" | "open" | "closing" | "gone";

/** One end. `peer` is the other. */
export class LinkEnd implements Link {
  readonly connection: Connection;
  readonly place: Place;
  readonly life: number;
  readonly label: string;
  events: LinkEvents | undefined;
  state: EndState = "opening";
  peer: LinkEnd | undefined;
  readonly #network: Network;
  #queue: Chunk[] = [];
  #head = 0;
  #queuedBytes = 0;
  #held: Uint8Array | undefined;
  #lastAt: Instant = instant(0);
  #reading = true;
  #due = false;
  #waitingSince: Instant | undefined;

  constructor(connection: Connection, network: Network, place: Place, life: number, label: string) {
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
    const chunk = this.#queue[this.#head];
    if (chunk === undefined || peer.state === "gone" || !peer.#reading || peer.events === undefined) return;
    const { options, rng, trace } = this.#network;
    let bytes = chunk.bytes;
    if (bytes.length > 1 && options.fragmentPerMille > 0 && rng.chance(options.fragmentPerMille)) {
      const size = 1 + rng.below(bytes.length - 1);
      bytes = chunk.bytes.subarray(0, size);
      this.#queue[this.#head] = { bytes: chunk.bytes.subarray(size), at: instant(now + rng.below(200)) };
    } else {
      this.#head += 1;
      this.#compact();
    }
    this.#queuedBytes -= bytes.length;
    if (canary("sim.network-flips-bits") && rng.chance(2)) bytes[rng.below(bytes.length)] = rng.below(256);
    trace.note(now, peer.place.position, TraceType.bytes, payloadHash(bytes));
    peer.events.onBytes(now, bytes);
    bytes.fill(garbage);
    this.#refill(now);
    if (!this.#due && (this.#head < this.#queue.length || this.state === "closing")) this.#pumpAt(now);
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

/** The two ends and how they came about. */
export class Connection {
  readonly number: number;
  readonly dialler: LinkEnd;
  accepted: LinkEnd | undefined;
  readonly #network: Network;

  constructor(network: Network, from: Place, life: number, address: string, events: LinkEvents) {
    this.#network = network;
    this.number = network.nextConnectionNumber();
    this.dialler = new LinkEnd(this, network, from, life, address);
    this.dialler.events = events;
  }

  get established(): boolean {
    return this.accepted !== undefined && this.dialler.state === "open" && this.accepted.state === "open";
  }

  get over(): boolean {
    return this.dialler.state === "gone";
  }

  get heldBytes(): number {
    return Math.max(this.dialler.heldBytes, this.accepted?.heldBytes ?? 0);
  }

  /** The dial failed. */
  refuse(reason: string): void {
    this.dialler.fail(`${this.dialler.label}: ${reason}`);
  }

  /** The dial arrived at a living process: its system answers at once, the process when it gets to it. */
  establish(now: Instant, to: Place): void {
    const dialler = this.dialler;
    const accepted = new LinkEnd(this, this.#network, to, to.life, `${dialler.place.name}:${this.number}`);
    this.accepted = accepted;
    accepted.state = "open";
    accepted.peer = dialler;
    dialler.peer = accepted;
    to.enter(now, accepted.life, (at) => {
      if (accepted.state === "gone") return;
      this.#network.trace.note(at, to.position, TraceType.accept, this.number);
      accepted.events = to.accept(at, accepted);
      if (accepted.events === undefined) accepted.destroy();
      else dialler.schedulePump(0);
    });
    this.#answer(accepted);
  }

  #answer(accepted: LinkEnd): void {
    const dialler = this.dialler;
    const network = this.#network;
    network.scheduler.in(network.delay(accepted.place.position, dialler.place.position), (now) => {
      if (dialler.state !== "opening") return;
      if (!network.passes(accepted.place, dialler.place)) {
        network.scheduler.in(1_000_000, () => this.#answer(accepted));
        return;
      }
      dialler.place.enter(now, dialler.life, (at) => {
        if (dialler.state !== "opening") return;
        dialler.state = "open";
        network.trace.note(at, dialler.place.position, TraceType.open, this.number);
        dialler.events?.onOpen(at);
        dialler.schedulePump(0);
        accepted.schedulePump(0);
      });
    });
  }

  /** Breaks the connection in the middle: both ends learn it, each after a delay of its own. */
  reset(): void {
    for (const end of [this.dialler, this.accepted]) {
      if (end === undefined) continue;
      this.#network.scheduler.in(this.#network.rng.below(2_000), () => end.fail("connection reset"));
    }
  }

  /** Tries again after `delay` to move what stalled in a split. */
  wake(delay: DurationUs): void {
    this.dialler.schedulePump(delay);
    this.accepted?.schedulePump(delay);
  }

  /** A process of one of the ends is gone. */
  dropPlace(place: Place, power: boolean): void {
    for (const end of [this.dialler, this.accepted]) if (end?.place === place) end.abandon(power);
  }

  /** An end is over: forget the connection when both are. */
  endGone(): void {
    if (this.dialler.state === "gone" && (this.accepted === undefined || this.accepted.state === "gone")) {
      this.#network.forget(this);
    }
  }
}
