/**
 * Connection: one simulated TCP connection from the dial to the end: how its two ends (link-end.ts) come about, and
 * what befalls both of them. A dial is answered by the system of the machine it reaches; the process gets to it when it
 * can.
 */
import type { DurationUs, Instant } from "../base/time.ts";
import type { LinkEvents } from "../wire/link.ts";
import { type ConnectionOfEnd, LinkEnd } from "./link-end.ts";
import type { Paths } from "./paths.ts";
import type { Place } from "./place.ts";
import { TraceType } from "./trace.ts";

/** Who dials whom. */
export interface Dial {
  readonly number: number;
  readonly from: Place;
  readonly life: number;
  readonly address: string;
  readonly events: LinkEvents;
  /** Both ends are over. */
  readonly forget: (connection: Connection) => void;
}

/** The two ends and how they came about. */
export class Connection implements ConnectionOfEnd {
  readonly number: number;
  readonly dialler: LinkEnd;
  accepted: LinkEnd | undefined;
  readonly #network: Paths;
  readonly #forget: (connection: Connection) => void;

  constructor(network: Paths, dial: Dial) {
    const { from, life, address, events } = dial;
    this.#network = network;
    this.#forget = dial.forget;
    this.number = dial.number;
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
      this.#forget(this);
    }
  }
}
