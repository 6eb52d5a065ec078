/**
 * IdentityActs: what befalls the directories that nodes are, and what people do then:
 *
 * - clone: a directory is copied, and a second process runs with it on another machine, told the address of the first
 *   (more often) or one of its own. Both refuse until somebody chooses: the copy is stopped, the other one started again.
 *   If the copy's store had come further, the other one's directory counts as from the past, and is given up.
 * - wipe: a node comes back at its address with an empty disk. It is a new node, which replaces the one that it was.
 * - rollback: a node is killed, and comes back with its disk as it was some time ago. Whoever has seen it further on says
 *   so, and it refuses: then it is wiped.
 */
import type { NodeNumber } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { Node } from "../node/node.ts";
import { addressOf, type Cluster, twinAddressOf } from "./cluster.ts";
import type { SimDrive } from "./drive.ts";
import type { IdentityAct } from "./fault.ts";
import type { SimNode } from "./process.ts";
import type { RingOperators } from "./ring-operators.ts";

/** Between two looks at what became of it. */
const lookUs: DurationUs = 300_000;
/** A copied directory that is refused at the start is told so. */
const misplaced = "start it with the address it was created with";

export class IdentityActs {
  readonly #cluster: Cluster;
  readonly #operators: RingOperators;
  #twin: SimNode | undefined;
  #original: SimNode | undefined;
  #over = false;

  constructor(cluster: Cluster, operators: RingOperators) {
    this.#cluster = cluster;
    this.#operators = operators;
  }

  /** It begins. */
  act(now: Instant, { kind, node: seat, lasts, factor }: IdentityAct): void {
    if (kind === "clone") this.#clone(now, seat, factor === 1 ? twinAddressOf(seat) : addressOf(seat));
    else if (kind === "wipe") this.#wipe(now, seat, lasts);
    else this.#rollBack(seat, lasts);
  }

  #node(seat: number): SimNode {
    return this.#cluster.world.nodes[seat] as SimNode;
  }

  #drive(seat: number): SimDrive {
    return this.#cluster.drives[seat] as SimDrive;
  }

  #later(delay: DurationUs, action: (now: Instant) => void): void {
    this.#cluster.world.scheduler.in(delay, (now) => {
      if (!this.#over) action(now);
    });
  }

  /** Who sits there, to the ring; 0: nobody that has one. */
  #numberAt(seat: number): NodeNumber | 0 {
    return this.#cluster.rings.memberAt(addressOf(seat))?.number ?? 0;
  }

  #excuse(seat: number): void {
    const member = this.#cluster.rings.memberAt(addressOf(seat));
    if (member !== undefined) this.#cluster.membership.excuse(member.id);
  }

  #clone(now: Instant, seat: number, advertise: string): void {
    this.#excuse(seat);
    this.#original = this.#node(seat);
    this.#twin = this.#cluster.addTwin(seat, advertise);
    this.#twin.boot(now);
  }

  #wipe(now: Instant, seat: number, lasts: DurationUs): void {
    const number = this.#numberAt(seat);
    if (number === 0) return;
    const node = this.#node(seat);
    node.kill(now, "its disk is lost");
    this.#drive(seat).disk.wipe();
    this.#cluster.newcomers.add(seat);
    this.#operators.onWiped(seat, number);
    this.#later(lasts, (at) => {
      if (!node.alive) node.boot(at);
    });
    this.#later(lookUs, () => this.#watchRejoin());
  }

  #watchRejoin(): void {
    this.#operators.rejoin();
    this.#later(lookUs, () => this.#watchRejoin());
  }

  #rollBack(seat: number, lasts: DurationUs): void {
    const image = this.#drive(seat).disk.image();
    this.#later(lasts, (now) => {
      const node = this.#node(seat);
      this.#excuse(seat);
      node.kill(now, "its directory is put back");
      this.#drive(seat).disk.putBack(image);
      node.boot(now);
      this.#later(lookUs, (at) => this.#watchPast(at, seat));
    });
  }

  /** A node that says of itself that its directory is from the past is given an empty one. */
  #watchPast(now: Instant, seat: number): void {
    const past = this.#cluster.nodeAt(seat)?.shared.fencedBy.includes("from the past") === true;
    if (past) this.#wipe(now, seat, 0);
    else this.#later(lookUs, (at) => this.#watchPast(at, seat));
  }

  /** Whether a copy may end so: told another address, it is refused at its start. Undefined: it is no copy. */
  excuses(node: SimNode, reason: string): boolean | undefined {
    return node === this.#twin ? reason.includes(misplaced) : undefined;
  }

  /**
   * Whether there is no copy, or one of the two does not serve any more and says why: both, if they have met; or the
   * one that comes back while the other has gone on, for its directory is from the past.
   */
  get parted(): boolean {
    const node = this.#twin?.process as Node | undefined;
    return node === undefined || node.shared.fencedBy !== "" || this.#originalFencedBy !== "";
  }

  get #originalFencedBy(): string {
    const original = this.#original;
    return original === undefined ? "" : (this.#cluster.nodeAt(original.position)?.shared.fencedBy ?? "");
  }

  /** The healed cluster has had time to find out: people stop the copy, and start the other one again if it refuses. */
  choose(now: Instant, restart: (now: Instant, node: SimNode) => void): void {
    this.#twin?.kill(now, "the copy is stopped");
    this.#twin = undefined;
    const original = this.#original;
    if (original === undefined || this.#originalFencedBy === "") return;
    restart(now, original);
    this.#later(lookUs, (at) => this.#watchPast(at, original.position));
  }

  /** The ring is settled: nobody looks any more. */
  end(): void {
    this.#over = true;
  }
}
