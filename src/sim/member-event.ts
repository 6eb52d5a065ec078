/**
 * What the judges of membership see of a member and of its table, the same in the members' own harness and in whole
 * clusters: incarnations-rise, no-false-dead and members-agree are written once.
 */
import type { NodeId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import type { MemberState } from "../membership/member.ts";

/** One node as a member, in its present life. */
export interface MemberPlace {
  readonly name: string;
  readonly id: NodeId;
  readonly life: number;
  /** Its process runs, and has not been told that it must not serve. */
  readonly alive: boolean;
  readonly paused: boolean;
  /** When it last came to life (it could speak), ended, or was paused or resumed. */
  readonly disturbedAt: Instant;
  /** Its own, as it shows it; 0: none yet. */
  readonly incarnation: number;
  /** Its probes are so many times as far apart as they should be. */
  readonly healthFactor: number;
}

/** A member's state changed in somebody's table. */
export interface MemberEvent<P extends MemberPlace = MemberPlace> {
  readonly at: Instant;
  readonly seat: P;
  readonly about: P;
  readonly state: MemberState;
  readonly before: MemberState | undefined;
  readonly incarnation: number;
  /** Who says that it is suspect or dead. */
  readonly accuser: NodeId | "";
}
