/**
 * RingOperators: people at two command lines who change the ring of a run while everything else goes wrong
 * (ring-acts.ts), and who, when all is healed, bring to its end what they began: no node given up for dead stays in the
 * ring, nothing stays staged, no plan under way.
 *
 * What they need to know they read off a node they can reach, as people do with `ringtail members` and `cluster plan`;
 * that part is not what is tested here, so it is looked up and not asked for.
 */
import { type ErrorCode, RingtailError } from "../base/errors.ts";
import { idBytes, type NodeNumber, noNode } from "../base/ids.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { isMoving, type Plan, planChange } from "../ring/plan.ts";
import type { Ring } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import { FrameType, RingChangeKind } from "../wire/frame-types.ts";
import { RingChangeReply, RingChangeRequest } from "../wire/gen/codecs.ts";
import { shortsToBytes } from "../wire/ring-codec.ts";
import { addressOf, type Cluster } from "./cluster.ts";
import { SimOperator } from "./operator.ts";
import type { SimNode } from "./process.ts";
import type { RingAct } from "./ring-acts.ts";

const patienceUs: DurationUs = 1_000_000;
/** Within that members finish by themselves what one of them began (`finishUs` of the consensus, twice, and a round). */
const finishWithinUs: DurationUs = 5_000_000;
/** Answers that say that nothing has been changed. */
const refusals: ReadonlySet<ErrorCode> = new Set(["INVALID_ARGUMENT", "BASE_EPOCH_CHANGED"]);
/** The plan for what is staged; null: there is none, and people are told to stage fewer changes at once. */
function planOf(ring: Ring): Plan | null {
  try {
    return planChange(ring);
  } catch (error) {
    if (error instanceof RingtailError && error.message.includes("stage fewer changes")) return null;
    throw error;
  }
}

/** A member that stands between a newcomer's joining and its place. */
const placeUs: DurationUs = 100_000;

export class RingOperators {
  readonly #cluster: Cluster;
  /** Two, so that two nodes are asked over two connections at once. */
  readonly #operators: readonly SimOperator[];
  /** Seats whose nodes were killed for good, and are to be removed. */
  readonly #givenUp: Set<number> = new Set();
  /** Seats whose nodes have come back without their disks, and the numbers that they had. */
  readonly #wiped: Map<number, NodeNumber> = new Map();
  #settling = false;
  /** Until then the last question may still be answered. */
  #busyUntil: Instant = instant(0);
  /** A change that nobody has answered for may have been accepted, and then it happens after all. */
  #unsureUntil: Instant = instant(0);
  #asked = 0;
  /** Questions without an answer; some never get one. */
  #open = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#operators = [new SimOperator(cluster.world.network), new SimOperator(cluster.world.network)];
  }

  /** Whether a process may run on that seat. One that is given up may not until the ring has forgotten it: it comes back stale. */
  mayRun(seat: number): boolean {
    return this.#cluster.hasLeft(seat) ? !this.#cluster.ousted.has(seat) : !this.#givenUp.has(seat);
  }

  /** Whether the node on that seat, or the one that was there before it, is lost for good. */
  gaveUp(seat: number): boolean {
    return this.#givenUp.has(seat) || this.#wiped.has(seat);
  }

  /** Whether the cluster is not whole before the node on that seat serves. */
  isAwaited(seat: number): boolean {
    return this.mayRun(seat) && !this.#wiped.has(seat);
  }

  /** The node on that seat has lost its disk: a new one, at the same address, is to take its place. */
  onWiped(seat: number, number: NodeNumber): void {
    this.#wiped.set(seat, number);
  }

  /** What can be done for nodes that were wiped is done, one question at a time; for a world that is not healed yet. */
  rejoin(): void {
    const cluster = this.#cluster;
    const asked = cluster.world.nodes.findIndex((node) => node.ready);
    const ring = asked < 0 ? undefined : this.#ringAt(asked);
    if (!this.#settling && ring !== undefined && cluster.world.now >= this.#busyUntil) this.#rejoin(asked, ring);
  }

  /** Asks for the next step of a node that was wiped; whether there was one. */
  #rejoin(asked: number, ring: Ring): boolean {
    for (const [seat, number] of this.#wiped) {
      const lost = ring.member(number);
      const by = ring.members.find((one) => one.address === addressOf(seat) && one.number > number);
      if (lost?.status === "left" && by?.status === "member") this.#wiped.delete(seat);
      else {
        if (isMoving(ring)) return true;
        if (by === undefined) for (const change of this.#join(seat)) this.#ask(0, asked, change);
        else if (ring.staged.some((change) => change.member === number)) this.#commit(0, asked);
        else this.#ask(0, asked, { kind: RingChangeKind.stageReplace, member: number, by: by.number });
        return true;
      }
    }
    return false;
  }

  /** An act begins. */
  act(now: Instant, act: RingAct): void {
    const asked = act.pairs[0]?.[0] ?? 0;
    if (act.kind === "remove") {
      const node = this.#cluster.world.nodes[act.node] as SimNode;
      this.#givenUp.add(act.node);
      node.kill(now, "killed for good");
    }
    for (const change of this.#changesOf(asked, act)) this.#ask(0, asked, change);
    this.#later(act.lasts, () => this.#finish(act));
  }

  /** What there is left to do for the act: the commit, from one or two nodes. */
  #finish(act: RingAct): void {
    if (act.kind === "cancel" || act.kind === "unstage") return;
    const [asked, other] = act.pairs[0] ?? [0, 0];
    if (act.kind === "replace") for (const change of this.#replaceBy(asked, act)) this.#ask(0, asked, change);
    this.#later(act.kind === "replace" ? placeUs : 0, () => {
      this.#commit(0, asked);
      if (other !== asked) this.#commit(1, other);
    });
  }

  #later(delay: DurationUs, action: () => void): void {
    this.#cluster.world.scheduler.in(delay, () => {
      if (!this.#settling) action();
    });
  }

  #ringAt(seat: number): Ring | undefined {
    return this.#cluster.nodeAt(seat)?.ring;
  }

  #changesOf(asked: number, act: RingAct): Fields<RingChangeRequest>[] {
    const ring = this.#ringAt(asked);
    if (ring === undefined) return [];
    const member = ring.members.find((one) => one.address === addressOf(act.node))?.number ?? noNode;
    switch (act.kind) {
      case "join":
        return this.#join(act.node);
      case "replace":
        return this.#join(act.factor);
      case "leave":
        return [{ kind: RingChangeKind.stageLeave, member }];
      case "remove":
        return [{ kind: RingChangeKind.stageRemove, member, althoughAlive: true }];
      case "cancel":
        return [{ kind: RingChangeKind.cancel }];
      default:
        return ring.staged.slice(0, 1).map((staged) => ({ kind: RingChangeKind.unstage, member: staged.member }));
    }
  }

  #join(seat: number): Fields<RingChangeRequest>[] {
    const node = this.#cluster.nodeAt(seat);
    // A node says who it is once that is on its disk; one that was never heard of again would be a member for ever.
    if (node === undefined || this.#cluster.drives[seat]?.disk.stateFiles.has("identity") !== true) return [];
    const { nodeId, config } = node.shared;
    const { name, advertise: address, host, zone, weight } = config;
    const newcomer = { number: 0, nodeId: idBytes(nodeId), name, address, host, zone, weight, status: 0 };
    return [{ kind: RingChangeKind.stageJoin, newcomer }];
  }

  /** Once the newcomer is known, it is to take the other one's place. */
  #replaceBy(asked: number, act: RingAct): Fields<RingChangeRequest>[] {
    const members = this.#ringAt(asked)?.members ?? [];
    const member = members.find((one) => one.address === addressOf(act.node));
    const by = members.find((one) => one.address === addressOf(act.factor));
    if (member === undefined || by === undefined) return [];
    return [{ kind: RingChangeKind.stageReplace, member: member.number, by: by.number }];
  }

  #commit(operator: number, asked: number): void {
    const ring = this.#ringAt(asked);
    if (ring === undefined || ring.staged.length === 0 || isMoving(ring)) return;
    const plan = planOf(ring);
    if (plan === null) {
      this.#ask(operator, asked, { kind: RingChangeKind.unstage, member: ring.staged[0]?.member ?? noNode });
      return;
    }
    const goal = shortsToBytes(plan.goal);
    this.#ask(operator, asked, { kind: RingChangeKind.commit, plan: plan.id, goal, acceptViolations: true });
  }

  #ask(operator: number, asked: number, message: Fields<RingChangeRequest>): void {
    this.#asked += 1;
    this.#open += 1;
    const mine = this.#asked;
    const { now } = this.#cluster.world;
    this.#busyUntil = instant(now + patienceUs);
    const question = { type: FrameType.RING_CHANGE, codec: RingChangeRequest, message, reply: RingChangeReply };
    const { trace } = this.#cluster.world;
    const what = `operator ${operator + 1}`;
    if (trace.recording)
      trace.say(now, what, `asks node ${asked + 1}: ${JSON.stringify(message.kind)} ${message.member ?? ""}`);
    this.#operators[operator]?.ask({ address: addressOf(asked), ...question }, (at, answer) => {
      if (trace.recording) trace.say(at, what, `is answered: ${answer.code ?? "done"} ${answer.message}`);
      this.#open -= 1;
      if (answer.code !== null && !refusals.has(answer.code)) this.#unsureUntil = instant(at + finishWithinUs);
      if (mine === this.#asked) this.#busyUntil = at;
    });
  }

  /** Brings the ring to rest, one change at a time; whether it is. For a healed world, called again and again. */
  settle(): boolean {
    const cluster = this.#cluster;
    const ring = cluster.newestRing;
    const { now } = cluster.world;
    // What was asked without a majority is answered, and happens, when there is one again.
    if (!this.#settling && this.#open > 0) this.#unsureUntil = instant(now + finishWithinUs);
    this.#settling = true;
    if (ring === undefined || now < this.#busyUntil || now < this.#unsureUntil) return false;
    const asked = cluster.world.nodes.findIndex(
      (node) => node.ready && this.#ringAt(node.position)?.epoch === ring.epoch,
    );
    if (asked < 0) return false;
    const dead = ring.members.find(({ address, status }) => {
      return status === "member" && this.#givenUp.has(cluster.seatAt(address));
    });
    // A plan that needs the dead one waits for it for ever.
    if (dead !== undefined && isMoving(ring)) this.#ask(0, asked, { kind: RingChangeKind.cancel });
    else if (dead !== undefined && !ring.staged.some((change) => change.member === dead.number))
      this.#ask(0, asked, { kind: RingChangeKind.stageRemove, member: dead.number, althoughAlive: true });
    else if (this.#rejoin(asked, ring) || isMoving(ring)) return false;
    else if (ring.staged.length > 0) this.#commit(0, asked);
    else return cluster.members().every((seat) => this.#ringAt(seat)?.epoch === ring.epoch);
    return false;
  }
}
