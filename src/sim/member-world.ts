/**
 * MemberWorld: membership alone, by the thousand: the real cores with their real bytes, on simulated sockets, clocks and
 * files, without the rest of a node. What it leaves out of the simulator proper (streams, stores, turns) is what lets a
 * thousand members run in one process. One seed gives one run.
 */
import { clusterId, type NodeId, nodeId } from "../base/ids.ts";
import { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { Alarm } from "../membership/effects.ts";
import { MemberState, type MemberView, type Update } from "../membership/member.ts";
import { encodeMembers } from "../membership/members-file.ts";
import { type Profile, profiles } from "../membership/profile.ts";
import { DatagramNetwork, type DatagramOptions, type DatagramPaths, quietDatagrams } from "./datagrams.ts";
import type { MemberEvent, MemberPlace } from "./member-event.ts";
import { MemberSeat, type SeatWorld } from "./member-seat.ts";
import type { Place } from "./place.ts";
import { type Action, Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** What a world of members is made from. */
export interface MemberWorldOptions {
  readonly seed: number;
  readonly members: number;
  readonly profile?: Profile;
  readonly datagrams?: DatagramOptions;
  /** One-way delay: this, and up to as much again. */
  readonly delayUs?: DurationUs;
  /** Every file names all members already, as after a restart of the whole cluster. Otherwise node 1 is everybody's seed node. */
  readonly acquainted?: boolean;
}

/** A SYN that nobody answers. */
const dialTimeoutUs: DurationUs = 3_000_000;

export class MemberWorld implements SeatWorld, DatagramPaths {
  readonly scheduler: Scheduler;
  readonly trace: Trace = new Trace(false);
  readonly datagrams: DatagramNetwork;
  readonly profile: Profile;
  readonly clusterId: ReturnType<typeof clusterId> = clusterId("5".repeat(32));
  readonly seats: MemberSeat[] = [];
  /** Called for every change in anybody's table. */
  watch: ((event: MemberEvent<MemberSeat>) => void) | undefined;
  readonly alarms: { readonly at: Instant; readonly seat: MemberSeat; readonly alarm: Alarm; readonly id: NodeId }[] =
    [];
  /** Bytes over TCP so far, both ways. */
  tcpBytes = 0;
  readonly #rng: Rng;
  readonly #delayUs: DurationUs;
  readonly #byId = new Map<NodeId, MemberSeat>();
  readonly #byAddress = new Map<string, MemberSeat>();
  /** Which side of a split each seat is on; all 0: no split. */
  readonly #side: Uint8Array;

  constructor(options: MemberWorldOptions) {
    this.#rng = new Rng(options.seed);
    this.scheduler = new Scheduler(this.#rng.fork("scheduler"));
    this.profile = options.profile ?? profiles.lan;
    this.#delayUs = options.delayUs ?? 150;
    this.datagrams = new DatagramNetwork(this, this.#rng.fork("datagrams"), options.datagrams ?? quietDatagrams);
    this.#side = new Uint8Array(options.members + 8);
    const stored = options.acquainted === true ? this.#rollCall(options.members) : null;
    for (let i = 0; i < options.members; i += 1) this.addSeat(stored);
  }

  #rollCall(members: number): Uint8Array {
    const rows: Update[] = [];
    for (let i = 0; i < members; i += 1) rows.push({ ...identityOf(i), ...plainRow });
    return encodeMembers(0, rows);
  }

  /** One more seat, with the files of a member that knows the seed node only, or with these. */
  addSeat(stored: Uint8Array | null = null): MemberSeat {
    const position = this.seats.length;
    const seeds = position === 0 ? [] : [identityOf(0).address];
    return this.#place({ ...identityOf(position), seeds }, stored);
  }

  /** A second seat with the id and the files of another one, at an address of its own: a copied data directory. */
  cloneOf(seat: MemberSeat): MemberSeat {
    const { address } = identityOf(this.seats.length);
    const clone = new MemberSeat(
      this,
      this.seats.length,
      { ...seat.identity, address },
      this.#rng.fork("clone"),
      seat.stored,
    );
    this.seats.push(clone);
    this.#byAddress.set(address, clone);
    return clone;
  }

  #place(identity: MemberSeat["identity"], stored: Uint8Array | null): MemberSeat {
    const seat = new MemberSeat(this, this.seats.length, identity, this.#rng.fork(`seat/${this.seats.length}`), stored);
    this.seats.push(seat);
    this.#byId.set(identity.id, seat);
    this.#byAddress.set(identity.address, seat);
    return seat;
  }

  get now(): Instant {
    return this.scheduler.now;
  }

  /** A seat by its position from 0. */
  seat(position: number): MemberSeat {
    return this.seats[position] as MemberSeat;
  }

  /** Starts everybody, spread over one probe period. */
  bootAll(): void {
    for (const seat of this.seats) {
      this.scheduler.in(this.#rng.below(this.profile.probeUs), (now) => {
        if (!seat.alive) seat.boot(now);
      });
    }
  }

  /** One-way delay of a message. */
  delay(): DurationUs {
    return this.#delayUs + this.#rng.below(this.#delayUs + 1);
  }

  carries(from: Place, to: Place): boolean {
    return from.powered && to.powered && this.#side[from.position] === this.#side[to.position];
  }

  /** Splits the network: these seats on one side, all others on the other. */
  split(positions: readonly number[]): void {
    this.#side.fill(0);
    for (const position of positions) this.#side[position] = 1;
  }

  /** No split of any kind. */
  heal(): void {
    this.#side.fill(0);
    this.datagrams.heal();
  }

  call(
    from: MemberSeat,
    address: string,
    bytes: number,
    deliver: (now: Instant, to: MemberSeat) => void,
    fail: Action,
  ): void {
    const to = this.#byAddress.get(address);
    if (to === undefined || !this.carries(from, to)) {
      this.scheduler.in(dialTimeoutUs, fail);
      return;
    }
    this.tcpBytes += bytes;
    this.scheduler.in(this.delay(), (now) => {
      if (to.alive) to.enter(now, to.life, (at) => deliver(at, to));
      else this.scheduler.in(this.delay(), fail);
    });
  }

  onMemberChanged(now: Instant, seat: MemberSeat, member: MemberView, before: MemberState | undefined): void {
    const about = this.#byId.get(member.id);
    if (this.watch === undefined || about === undefined) return;
    this.watch({
      at: now,
      seat,
      about,
      state: member.state,
      before,
      incarnation: member.incarnation,
      accuser: member.accuser,
    });
  }

  onAlarm(at: Instant, seat: MemberSeat, alarm: Alarm, id: NodeId): void {
    this.alarms.push({ at, seat, alarm, id });
  }

  /** Runs until `condition` holds, at the longest for `duration`; returns whether it held. */
  runUntil(duration: DurationUs, condition: () => boolean): boolean {
    const until = instant(this.now + duration);
    while (!condition()) if (!this.scheduler.step(until)) return condition();
    return true;
  }

  /** Runs for a time. */
  runFor(duration: DurationUs): void {
    const until = instant(this.now + duration);
    while (this.scheduler.step(until));
  }

  /** What one seat believes of another; undefined: it knows no such member. */
  belief(seat: MemberSeat, about: MemberPlace): MemberView | undefined {
    return seat.membership.member(about.id);
  }

  /** Whether all live seats believe the live ones alive, and the others not. */
  get agreed(): boolean {
    const live = this.seats.filter((seat) => seat.alive);
    return live.every((seat) =>
      this.seats.every((about) => {
        if (about === seat) return true;
        const state = this.belief(seat, about)?.state;
        return about.alive ? state === MemberState.alive : state === undefined || state > MemberState.suspect;
      }),
    );
  }

  /** Datagrams and their bytes sent by the cores of the present lives. */
  get sent(): { readonly datagrams: number; readonly bytes: number } {
    let datagrams = 0;
    let bytes = 0;
    for (const seat of this.seats) {
      if (!seat.alive) continue;
      datagrams += seat.membership.counters.datagramsOut;
      bytes += seat.membership.counters.bytesOut;
    }
    return { datagrams, bytes };
  }
}

const plainRow = {
  incarnation: 1,
  state: MemberState.alive,
  accuser: "",
  versionMin: 1,
  versionMax: 1,
  flags: 0,
} as const;

function identityOf(position: number): { readonly id: NodeId; readonly number: number; readonly address: string } {
  const id = nodeId((0x1_0000_0000 + position).toString(16).padStart(32, "a"));
  return { id, number: position + 1, address: `10.0.${position >> 8}.${position & 255}:7401` };
}
