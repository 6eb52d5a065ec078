/**
 * Datagrams of the simulated network: each is lost, doubled, delayed or overtaken on its own, as the seed decides, and
 * nothing tells the sender. They run over the same paths as connections (splits and slowness hit both), and a path may
 * be closed to them alone, as a firewall does.
 *
 * What arrives at a paused place waits in its socket buffer, which has an end.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs } from "../base/time.ts";
import type { DatagramCounters, DatagramEvents, Datagrams } from "../wire/datagrams.ts";
import { datagramBytesMax } from "../wire/limits.ts";
import type { Paths } from "./paths.ts";
import type { Place } from "./place.ts";
import { payloadHash, TraceType } from "./trace.ts";

/** How datagrams fare when no fault is on. */
export interface DatagramOptions {
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  /** Per mille that are held back, up to `reorderUs`, so that later ones overtake them. */
  readonly reorderPerMille: number;
  readonly reorderUs: DurationUs;
  /** Bytes that wait for a paused place; more are lost. */
  readonly bufferBytes: number;
}

/** A quiet local network. */
export const quietDatagrams: DatagramOptions = {
  lossPerMille: 0,
  duplicatePerMille: 0,
  reorderPerMille: 0,
  reorderUs: 20_000,
  bufferBytes: 2 * 1024 * 1024,
};

/** What of the network datagrams need. */
export interface DatagramPaths extends Pick<Paths, "scheduler" | "trace" | "delay"> {
  /** Whether datagrams pass from one place to another now. */
  carries(from: Place, to: Place): boolean;
}

/** The datagrams of one world. */
export class DatagramNetwork {
  options: DatagramOptions;
  readonly #paths: DatagramPaths;
  readonly #rng: Rng;
  readonly #endpoints = new Map<string, SimDatagrams>();
  /** Paths that are closed to datagrams, and how often: by `from * 65,536 + to`. */
  readonly #blocked = new Map<number, number>();

  constructor(paths: DatagramPaths, rng: Rng, options: DatagramOptions) {
    this.#paths = paths;
    this.#rng = rng;
    this.options = options;
  }

  /** The socket of a place in its current life; an earlier one at this address is gone. */
  bind(place: Place, address: string): SimDatagrams {
    const endpoint = new SimDatagrams(this, place, address);
    this.#endpoints.set(address, endpoint);
    return endpoint;
  }

  /** Closes one direction to datagrams until `unblock` has been called as often; connections pass. */
  block(from: number, to: number): void {
    const path = from * 65_536 + to;
    this.#blocked.set(path, (this.#blocked.get(path) ?? 0) + 1);
  }

  unblock(from: number, to: number): void {
    const path = from * 65_536 + to;
    const times = this.#blocked.get(path) ?? 0;
    assert(times > 0, "the path is not closed to datagrams");
    if (times === 1) this.#blocked.delete(path);
    else this.#blocked.set(path, times - 1);
  }

  /** No path is closed to datagrams alone any more. */
  heal(): void {
    this.#blocked.clear();
  }

  /** Takes a datagram from a sender; `bytes` are this network's own. */
  carry(from: SimDatagrams, address: string, bytes: Uint8Array): void {
    const { lossPerMille, duplicatePerMille } = this.options;
    const to = this.#endpoints.get(address);
    if (to === undefined || (lossPerMille > 0 && this.#rng.chance(lossPerMille))) return;
    this.#deliverLater(from, to, bytes);
    if (duplicatePerMille > 0 && this.#rng.chance(duplicatePerMille)) this.#deliverLater(from, to, bytes.slice());
  }

  #deliverLater(from: SimDatagrams, to: SimDatagrams, bytes: Uint8Array): void {
    const source = from.place;
    const target = to.place;
    if (!this.#open(source, target)) return;
    const { reorderPerMille, reorderUs } = this.options;
    const held = reorderPerMille > 0 && this.#rng.chance(reorderPerMille) ? this.#rng.below(reorderUs + 1) : 0;
    this.#paths.scheduler.in(this.#paths.delay(source.position, target.position) + held, (now) => {
      // A split that came meanwhile takes what is on its way.
      if (!this.#open(source, target) || !target.alive || target.life !== to.life) return;
      if (to.waitingBytes + bytes.length > this.options.bufferBytes) return;
      to.waitingBytes += bytes.length;
      target.enter(now, to.life, (at) => {
        this.#paths.trace.note(at, target.position, TraceType.bytes, payloadHash(bytes));
        to.receive(at, from.address, bytes);
      });
    });
  }

  #open(from: Place, to: Place): boolean {
    const closed = this.#blocked.size > 0 && this.#blocked.has(from.position * 65_536 + to.position);
    return !closed && this.#paths.carries(from, to);
  }
}

/** One place's socket, for one of its lives. */
export class SimDatagrams implements Datagrams {
  readonly counters: DatagramCounters = { sent: 0, received: 0, dropped: 0 };
  readonly place: Place;
  readonly life: number;
  readonly address: string;
  /** In the socket buffer. */
  waitingBytes = 0;
  readonly #network: DatagramNetwork;
  #events: DatagramEvents | undefined;

  constructor(network: DatagramNetwork, place: Place, address: string) {
    this.#network = network;
    this.place = place;
    this.life = place.life;
    this.address = address;
  }

  attach(events: DatagramEvents): void {
    this.#events = events;
  }

  send(address: string, bytes: Uint8Array): void {
    if (bytes.length > datagramBytesMax || bytes.length === 0 || this.place.life !== this.life) {
      this.counters.dropped += 1;
      return;
    }
    this.counters.sent += 1;
    this.#network.carry(this, address, bytes.slice());
  }

  /** The place has taken a datagram out of the buffer. */
  receive(now: Parameters<DatagramEvents["onDatagram"]>[0], from: string, bytes: Uint8Array): void {
    this.waitingBytes -= bytes.length;
    this.counters.received += 1;
    this.#events?.onDatagram(now, from, bytes);
  }
}
