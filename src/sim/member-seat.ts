/**
 * MemberSeat: one node's membership in the harness, through all its lives: the real core on a simulated socket, with its
 * alarm, its state file, and TCP as far as membership sees it (a message that arrives, or a failure). Pauses are those of
 * `Place`: what comes meanwhile waits, and the alarm is late.
 */
import { assert } from "../base/assert.ts";
import type { ClusterId, NodeId } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import { type Instant, instant, never } from "../base/time.ts";
import type { Alarm, MembershipEffects } from "../membership/effects.ts";
import { type MemberState, type MemberView, noProgress } from "../membership/member.ts";
import { Membership } from "../membership/membership.ts";
import type { Profile } from "../membership/profile.ts";
import { decode, encode, type Fields, type MessageCodec } from "../wire/codec.ts";
import { Ack, Ping, StateSync } from "../wire/gen/codecs.ts";
import type { DatagramNetwork, SimDatagrams } from "./datagrams.ts";
import type { MemberPlace } from "./member-event.ts";
import type { Place } from "./place.ts";
import type { Action, Scheduler } from "./scheduler.ts";

/** Longest that an alarm fires late, microseconds. */
const alarmLateUs = 1_000;
const diskUs = 2_000;
/** Between two readings of the event loop's delay. */
const monitorUs = 100_000;

/** What a seat needs of its world. */
export interface SeatWorld {
  readonly scheduler: Scheduler;
  readonly datagrams: DatagramNetwork;
  readonly profile: Profile;
  readonly clusterId: ClusterId;
  /** Carries a request over TCP and its answer back: `deliver` runs at the far seat, or `fail` here. */
  call(
    from: MemberSeat,
    address: string,
    bytes: number,
    deliver: (now: Instant, to: MemberSeat) => void,
    fail: Action,
  ): void;
  onMemberChanged(now: Instant, seat: MemberSeat, member: MemberView, before: MemberState | undefined): void;
  onAlarm(now: Instant, seat: MemberSeat, alarm: Alarm, id: NodeId, address: string): void;
}

/** Who sits where. */
export interface SeatIdentity {
  readonly id: NodeId;
  readonly number: number;
  readonly address: string;
  readonly seeds: readonly string[];
}

export class MemberSeat implements Place, MemberPlace {
  readonly name: string;
  readonly position: number;
  readonly identity: SeatIdentity;
  life = 0;
  alive = false;
  powered = true;
  paused = false;
  /** The state file's payload, or null. */
  stored: Uint8Array | null;
  /** A leave that was asked for is complete. */
  hasLeft = false;
  /** When its process last began, ended or was paused or resumed. */
  disturbedAt: Instant = instant(0);
  readonly #world: SeatWorld;
  readonly #rng: Rng;
  #membership: Membership | undefined;
  #socket: SimDatagrams | undefined;
  #held: Action[] = [];
  #alarm: Instant = never;

  constructor(world: SeatWorld, position: number, identity: SeatIdentity, rng: Rng, stored: Uint8Array | null) {
    this.#world = world;
    this.position = position;
    this.name = `node ${position + 1}`;
    this.identity = identity;
    this.#rng = rng;
    this.stored = stored;
  }

  /** The core of this life. */
  get membership(): Membership {
    assert(this.#membership !== undefined, "the seat was never booted");
    return this.#membership as Membership;
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get incarnation(): number {
    return this.#membership?.incarnation ?? 0;
  }

  get healthFactor(): number {
    return this.membership.health.factor;
  }

  /** Starts a process. */
  boot(now: Instant): void {
    assert(!this.alive, "the seat holds a process already");
    this.life += 1;
    this.alive = true;
    this.paused = false;
    this.hasLeft = false;
    this.disturbedAt = now;
    this.#held = [];
    this.#alarm = never;
    const { id, number, address, seeds } = this.identity;
    const { profile, clusterId, datagrams } = this.#world;
    const socket = datagrams.bind(this, address);
    this.#socket = socket;
    const membership = new Membership({
      effects: this.#effects(this.life),
      profile,
      clusterId,
      id,
      meta: { number, address, versionMin: 1, versionMax: 1, flags: 0 },
      seeds,
      stored: this.stored,
      rng: this.#rng.fork(`life/${this.life}`),
      progress: () => noProgress,
    });
    this.#membership = membership;
    socket.attach({ onDatagram: (at, from, bytes) => membership.onDatagram(at, from, bytes) });
    this.enter(now, this.life, (at) => membership.start(at));
  }

  /** The process is gone without a word. */
  kill(now: Instant): void {
    this.alive = false;
    this.paused = false;
    this.disturbedAt = now;
    this.#held = [];
  }

  /** The process stands still; what arrives waits. */
  pause(now: Instant): void {
    if (!this.alive || this.paused) return;
    this.paused = true;
    this.disturbedAt = now;
  }

  /** It goes on: the host's monitor tells how long the loop stood, and the alarm, being late, fires before all else. */
  resume(now: Instant): void {
    if (!this.alive || !this.paused) return;
    const stoodUs = now - this.disturbedAt;
    this.paused = false;
    this.disturbedAt = now;
    this.enter(now, this.life, (at) => this.membership.onLoopDelay(at, stoodUs));
    this.#later(monitorUs, (at) => this.membership.onLoopDelay(at, 0));
    if (this.#alarm <= now) this.enter(now, this.life, (at) => this.#tick(at));
    const held = this.#held;
    this.#held = [];
    for (const entry of held) this.enter(now, this.life, entry);
  }

  enter(now: Instant, life: number, entry: Action): void {
    if (!this.alive || life !== this.life) return;
    if (this.paused) {
      this.#held.push(entry);
      return;
    }
    entry(now);
    this.#setAlarm();
  }

  accept(): undefined {
    return undefined;
  }

  #setAlarm(): void {
    const next = this.membership.nextTick();
    if (next >= this.#alarm || next === never) return;
    this.#alarm = next;
    const life = this.life;
    this.#world.scheduler.at(instant(next + this.#rng.below(alarmLateUs)), (now) => {
      if (this.life !== life || this.#alarm !== next || this.paused) return;
      this.enter(now, life, (at) => this.#tick(at));
    });
  }

  #tick(now: Instant): void {
    this.#alarm = never;
    this.membership.tick(now);
  }

  #later(delayUs: number, entry: Action): void {
    const life = this.life;
    this.#world.scheduler.in(delayUs, (now) => this.enter(now, life, entry));
  }

  #effects(life: number): MembershipEffects {
    const world = this.#world;
    return {
      sendDatagram: (_now, address, bytes) => this.#socket?.send(address, bytes),
      pingOverTcp: (_now, address, ping) => this.#callTcp(life, address, Ping, ping, Ack, "ping"),
      requestStateSync: (_now, address, token, state) =>
        this.#callTcp(life, address, StateSync, state, StateSync, token),
      memberChanged: (now, member, before) => world.onMemberChanged(now, this, member, before),
      flappingChanged: () => {},
      ringDigestSeen: () => {},
      persist: (_now, bytes, token) => {
        this.#later(1 + this.#rng.below(diskUs), (now) => {
          this.stored = bytes;
          this.membership.onPersisted(now, token);
        });
      },
      alarm: (now, alarm, id, address) => world.onAlarm(now, this, alarm, id, address),
      left: () => {
        this.hasLeft = true;
      },
    };
  }

  /** A request and its answer, as bytes, so that codecs and guard take part. */
  #callTcp(
    life: number,
    address: string,
    codec: MessageCodec<Ping> | MessageCodec<StateSync>,
    message: Fields<Ping> | Fields<StateSync>,
    answerCodec: MessageCodec<Ack> | MessageCodec<StateSync>,
    token: number | "ping",
  ): void {
    const body = encode(codec as MessageCodec<unknown>, message as Fields<unknown>);
    const fail = (now: Instant): void =>
      this.enter(now, life, (at) => {
        if (token !== "ping") this.membership.onStateSyncFailed(at, token);
      });
    const answered = (bytes: Uint8Array) => (now: Instant, asker: MemberSeat) =>
      asker.enter(now, life, (at) => asker.#onAnswer(at, bytes, answerCodec, token));
    this.#world.call(
      this,
      address,
      body.length,
      (now, to) => {
        const answer = to.#answer(now, body, token);
        if (answer === undefined) this.#world.scheduler.in(0, fail);
        else this.#world.call(to, this.identity.address, answer.length, answered(answer), fail);
      },
      fail,
    );
  }

  #answer(now: Instant, body: Uint8Array, token: number | "ping"): Uint8Array | undefined {
    if (token === "ping") {
      const ack = this.membership.onTcpPing(now, decode(Ping, body, 0, body.length));
      return ack === undefined ? undefined : encode(Ack, ack);
    }
    const state = this.membership.onStateSyncRequest(now, decode(StateSync, body, 0, body.length));
    return state === undefined ? undefined : encode(StateSync, state);
  }

  #onAnswer(
    now: Instant,
    bytes: Uint8Array,
    codec: MessageCodec<Ack> | MessageCodec<StateSync>,
    token: number | "ping",
  ): void {
    if (token === "ping") this.membership.onTcpAck(now, decode(codec as MessageCodec<Ack>, bytes, 0, bytes.length));
    else this.membership.onStateSync(now, token, decode(codec as MessageCodec<StateSync>, bytes, 0, bytes.length));
  }
}
