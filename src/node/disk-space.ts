/**
 * DiskSpace: looks once a second how much room the disk has, and goes read-only for new keys before it is full. Below
 * the reserve no put of a new key is coordinated here and the others are asked to write elsewhere (`Membering` tells
 * them); below a quarter of it, copies of keys that are not here yet are refused, too. What is here already can be
 * read, changed and deleted all the time. Twice the reserve, and all is as before.
 */
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import { DiskRoom } from "../replica/replica-options.ts";
import { Part } from "./part.ts";
import type { NodeState } from "./state.ts";

const lookEveryUs: DurationUs = 1_000_000;
const mebibyte = 1024 * 1024;

/** What follows from the free bytes; `before` is what was said last, so that the verdict does not flutter at a limit. */
export function diskRoomOf(freeBytes: number, reserveBytes: number, before: DiskRoom): DiskRoom {
  const low = before === DiskRoom.enough ? reserveBytes : reserveBytes * 2;
  if (freeBytes >= low) return DiskRoom.enough;
  return freeBytes * (before === DiskRoom.none ? 2 : 4) < reserveBytes ? DiskRoom.none : DiskRoom.little;
}

const news: readonly string[] = [
  "the disk has room again",
  "the disk is nearly full: this node takes no new keys",
  "the disk is full but for a little: this node refuses copies of keys that it does not hold, too",
];

/** One per node. */
export class DiskSpace extends Part {
  readonly #shared: NodeState;
  #lookAt: Instant = never;

  constructor(shared: NodeState) {
    super();
    this.#shared = shared;
  }

  override onStarted(now: Instant): void {
    this.#look(now);
  }

  override tick(now: Instant): void {
    if (this.#lookAt <= now) this.#look(now);
  }

  override nextTick(): Instant {
    return this.#lookAt;
  }

  #look(now: Instant): void {
    this.#lookAt = after(now, lookEveryUs);
    const { env, config, journal, diskRoom } = this.#shared;
    const freeBytes = env.freeDiskBytes();
    const room = diskRoomOf(freeBytes, config.diskReserveMiB * mebibyte, diskRoom);
    if (room === diskRoom) return;
    this.#shared.diskRoom = room;
    const text = news[room] as string;
    const fields = { freeBytes, reserveMiB: config.diskReserveMiB };
    if (room > diskRoom) env.log.error(text, fields);
    else env.log.info(text, fields);
    journal.note("disk", `${text} (${freeBytes} bytes are free)`);
  }
}
