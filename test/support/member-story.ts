/**
 * A small world of members that writes down what happens: for golden stories. Times are in milliseconds from the story's
 * beginning, rounded, so that a story reads well; members are A, B, C and so on.
 */
import type { DurationUs } from "../../src/base/time.ts";
import { stateName } from "../../src/membership/member.ts";
import type { MemberSeat } from "../../src/sim/member-seat.ts";
import { MemberWorld, type MemberWorldOptions } from "../../src/sim/member-world.ts";

/** A seat's letter. */
export function letter(seat: MemberSeat): string {
  return String.fromCharCode(65 + seat.position);
}

/** Records a world; nothing is written before all members know each other. */
export class MemberStory {
  readonly world: MemberWorld;
  readonly lines: string[] = [];
  #beganAt = 0;
  #alarms = 0;

  constructor(options: Omit<MemberWorldOptions, "acquainted"> & { readonly settleUs?: DurationUs }) {
    this.world = new MemberWorld({ ...options, acquainted: true });
    this.world.bootAll();
    this.world.runFor(options.settleUs ?? 10_000_000);
    this.#beganAt = this.world.now;
    this.#alarms = this.world.alarms.length;
    this.world.watch = ({ seat, about, state, before, incarnation }) => {
      const was = before === undefined ? "unknown" : stateName(before);
      if (before === state) return;
      this.#line(`${letter(seat)}: ${letter(about)} ${was} -> ${stateName(state)}, incarnation ${incarnation}`);
    };
  }

  #line(text: string, at: number = this.world.now): void {
    const ms = Math.round((at - this.#beganAt) / 1_000);
    this.lines.push(`${String(ms).padStart(6)} ms  ${text}`);
  }

  /** The seat of this letter. */
  seat(name: string): MemberSeat {
    return this.world.seat(name.charCodeAt(0) - 65);
  }

  /** A remark, or what is done to the world. */
  say(text: string): void {
    this.#line(`-- ${text}`);
  }

  /** Lets time pass, then writes down the alarms that came meanwhile. */
  run(durationUs: DurationUs): void {
    this.world.runFor(durationUs);
    for (const { at, seat, alarm, id } of this.world.alarms.slice(this.#alarms)) {
      const about = this.world.seats.find((other) => other.identity.id === id) as MemberSeat;
      this.#line(`alarm at ${letter(seat)}: ${alarm} (${letter(about)})`, at);
    }
    this.#alarms = this.world.alarms.length;
  }

  text(title: string): string {
    // Alarms are written down after the fact; the sort is stable, so all else keeps its order.
    const ordered = [...this.lines].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return [title, "", ...ordered].join("\n");
  }
}
