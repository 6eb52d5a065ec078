/**
 * Place: something in the simulated world that events enter: a node's process or a client. A place lives several lives
 * (one per boot); an event carries the number of the life it belongs to, and comes to nothing once that is over. While
 * a place is paused its events wait in order, and all happen at once when it goes on, as after SIGCONT.
 */
import type { Instant } from "../base/time.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import type { Action } from "./scheduler.ts";

export interface Place {
  /** For people: "node 2", "client 1". */
  readonly name: string;
  /** Its row and column in the network's tables. */
  readonly position: number;
  /** The number of the current life; an entry made for another one is dropped. */
  readonly life: number;
  /** Whether a process is there at all: a dial is refused otherwise. */
  readonly alive: boolean;
  /** Whether the machine has power: without, nobody answers, not even with a refusal. */
  readonly powered: boolean;
  /** Runs `entry` in that life: at once, after the pause, or never. Only the scheduler's events call this. */
  enter(now: Instant, life: number, entry: Action): void;
  /** A connection came in. Undefined: refused. Places that accept nothing always refuse. */
  accept(now: Instant, link: Link): LinkEvents | undefined;
}
