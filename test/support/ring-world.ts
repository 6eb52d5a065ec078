/**
 * A few real nodes in the simulator and an operator at their command line, for stories about rings and members: seats can
 * be added while the others run, and every wait is for a condition.
 */
import type { ErrorCode } from "../../src/base/errors.ts";
import type { DurationUs } from "../../src/base/time.ts";
import { instant } from "../../src/base/time.ts";
import { configOf, type NodeConfig } from "../../src/node/config.ts";
import { Node } from "../../src/node/node.ts";
import { planChange } from "../../src/ring/plan.ts";
import type { Ring } from "../../src/ring/ring.ts";
import { SimDrive } from "../../src/sim/drive.ts";
import { type OperatorAnswer, type OperatorQuestion, SimOperator } from "../../src/sim/operator.ts";
import type { SimNode } from "../../src/sim/process.ts";
import { World } from "../../src/sim/world.ts";
import type { Fields } from "../../src/wire/codec.ts";
import { FrameType, RingChangeKind } from "../../src/wire/frame-types.ts";
import {
  EventsReply,
  EventsRequest,
  MembersReply,
  MembersRequest,
  RingChangeReply,
  RingChangeRequest,
} from "../../src/wire/gen/codecs.ts";
import { shortsToBytes } from "../../src/wire/ring-codec.ts";

const patienceUs: DurationUs = 60_000_000;

/** One world. */
export class RingWorld {
  readonly world: World;
  readonly operator: SimOperator;
  readonly drives: SimDrive[] = [];

  /** Seats for `nodes` nodes of one cluster, booted. */
  constructor(seed: number, nodes: number, partitions = 8) {
    this.world = new World({ seed });
    this.operator = new SimOperator(this.world.network);
    for (let i = 0; i < nodes; i += 1) {
      this.add(i === 0 ? { bootstrap: true, expect: nodes, partitions } : { seedNodes: [this.address(0)] });
    }
  }

  address(seat: number): string {
    return `127.0.0.${seat + 1}:7401`;
  }

  /** Adds a seat and boots it. */
  add(given: Partial<Record<keyof NodeConfig, unknown>>): SimNode {
    const seat = this.world.nodes.length;
    const config = configOf({
      name: `node-${seat + 1}`,
      listen: this.address(seat),
      host: `host-${seat + 1}`,
      ...given,
    });
    const drive = new SimDrive(this.world.rng.fork(`disk/${seat}`));
    this.drives.push(drive);
    const node = this.world.addNode(this.address(seat), drive, (env) => new Node(env, config));
    node.boot(this.world.now);
    return node;
  }

  seat(seat: number): SimNode {
    return this.world.nodes[seat] as SimNode;
  }

  node(seat: number): Node | undefined {
    return this.seat(seat).process as Node | undefined;
  }

  ring(seat: number): Ring {
    return this.node(seat)?.ring as Ring;
  }

  epochs(...seats: readonly number[]): number[] {
    return seats.map((seat) => this.node(seat)?.ring?.epoch ?? 0);
  }

  /** Runs until it holds; throws, saying what was awaited, if it does not within a simulated minute. */
  until(what: string, condition: () => boolean, withinUs: DurationUs = patienceUs): void {
    const held = this.world.runUntil(
      instant(this.world.now + withinUs),
      () => this.world.deaths.length > 0 || condition(),
    );
    const [death] = this.world.deaths;
    if (death !== undefined) throw new Error(`${death.node.name} died: ${death.reason}`);
    if (!held) throw new Error(`in vain: ${what}`);
  }

  untilReady(...seats: readonly number[]): void {
    this.until(`nodes ${seats.join(", ")} are ready`, () => seats.every((seat) => this.seat(seat).ready));
  }

  untilEpoch(epoch: number, ...seats: readonly number[]): void {
    this.until(`nodes ${seats.join(", ")} are at epoch ${epoch}`, () =>
      this.epochs(...seats).every((found) => found >= epoch),
    );
  }

  ask<Q, A>(question: OperatorQuestion<Q, A>): OperatorAnswer<A> {
    let answer: OperatorAnswer<A> | undefined;
    this.operator.ask(question, (_now, found) => {
      answer = found;
    });
    this.until(`an answer to ${question.type}`, () => answer !== undefined);
    return answer as OperatorAnswer<A>;
  }

  members(seat: number): MembersReply {
    const question = { codec: MembersRequest, message: {}, reply: MembersReply };
    const { reply, code } = this.ask({ address: this.address(seat), type: FrameType.MEMBERS, ...question });
    if (reply === null) throw new Error(`no members: ${code}`);
    return reply;
  }

  /** The state of a member by its number, as a seat's node sees it. */
  stateOf(seat: number, number: number): string {
    return this.members(seat).members.find((row) => row.member?.number === number)?.state ?? "not there";
  }

  /** What a seat's journal says, of these kinds. */
  events(seat: number, ...kinds: readonly string[]): readonly string[] {
    const question = { codec: EventsRequest, message: {}, reply: EventsReply };
    const { reply } = this.ask({ address: this.address(seat), type: FrameType.EVENTS, ...question });
    return (reply?.events ?? []).filter((event) => kinds.includes(event.kind)).map((event) => event.text);
  }

  /** Has a seat's node propose a change. */
  change(
    seat: number,
    message: Fields<RingChangeRequest>,
  ): { readonly code: ErrorCode | null; readonly message: string } {
    const question = { codec: RingChangeRequest, message, reply: RingChangeReply };
    const { code, message: why } = this.ask({ address: this.address(seat), type: FrameType.RING_CHANGE, ...question });
    return { code, message: why };
  }

  /** Asks for a change and does not wait. */
  changeLater(seat: number, message: Fields<RingChangeRequest>): void {
    const question = { codec: RingChangeRequest, message, reply: RingChangeReply };
    this.operator.ask({ address: this.address(seat), type: FrameType.RING_CHANGE, ...question }, () => {});
  }

  /** Stages the join of the node that waits at the first seat. */
  stageJoin(seat: number): { readonly code: ErrorCode | null; readonly message: string } {
    let newcomer = this.members(0).waiting[0];
    for (let tries = 0; newcomer === undefined && tries < 100; tries += 1) {
      this.world.runFor(100_000);
      newcomer = this.members(0).waiting[0];
    }
    if (newcomer === undefined) throw new Error("nobody waits");
    return this.change(seat, { kind: RingChangeKind.stageJoin, newcomer });
  }

  /** Commits the plan for what is staged. */
  commit(seat: number): { readonly code: ErrorCode | null; readonly message: string } {
    const { id: plan, goal } = planChange(this.ring(seat));
    const change = { kind: RingChangeKind.commit, plan, goal: shortsToBytes(goal), acceptViolations: true };
    return this.change(seat, change);
  }
}
