/**
 * RingKeeper: how a node gets its first ring. Only the node told to bootstrap makes ring 1: it waits until as many
 * nodes as expected have reported to it, itself included, claims the partitions for them, and serves the ring to
 * whoever reports again. Everybody else asks its seed nodes, again and again, and takes a ring only while it has none.
 * A node that reports later waits: an operator stages its join, and the next ring, which names it, is its first.
 */
import { durabilityOf } from "../base/durability.ts";
import { RingtailError, statusOk } from "../base/errors.ts";
import { type ClusterId, clusterIdOf, idBytes, type NodeId, nodeIdOf, nodeNumber } from "../base/ids.ts";
import { Resolver } from "../base/resolver.ts";
import { Rng } from "../base/rng.ts";
import { after, type Instant, never } from "../base/time.ts";
import { planClaim } from "../ring/claim.ts";
import { type Member, Ring } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import { type Frame, FrameReader, type FrameSink, FrameWriter } from "../wire/frame.ts";
import { FrameType, REPLY_BIT } from "../wire/frame-types.ts";
import { ErrorReply, Hello, type Member as MemberMessage, ReportReply, ReportRequest } from "../wire/gen/codecs.ts";
import { frameBytesMax, waitingMax } from "../wire/limits.ts";
import type { Link, LinkEvents } from "../wire/link.ts";
import { ringFromMessage, ringToMessage } from "../wire/ring-codec.ts";
import { WireError } from "../wire/wire-error.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

const reportEveryUs = 200_000;
const sayEveryReports = 50;
/** A node that waits to be staged reports less often. */
const waitEveryUs = 1_000_000;
/** It is forgotten when it has not reported for so long. */
const waitingForgottenUs = 10_000_000;

/** What the keeper reports; `Node` binds it. */
export interface RingKeeperEvents {
  /** A first ring is there; this node is in it. */
  onFirstRing(ring: Ring): void;
  describe(): Hello;
  settle(now: Instant): void;
}

/** What a node says about itself before it has a number. */
interface Reported {
  readonly id: NodeId;
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly zone: string;
  readonly weight: number;
}

/** A node that has reported and is in no ring. */
interface Waiting {
  readonly reported: Reported;
  readonly at: Instant;
}

export class RingKeeper implements LinkEvents, FrameSink {
  readonly #shared: NodeState;
  readonly #events: RingKeeperEvents;
  readonly #reported: Map<NodeId, Reported> = new Map();
  /** In the order of their last reports. */
  readonly #waiting: Map<NodeId, Waiting> = new Map();
  #link: Link | undefined = undefined;
  #reader: FrameReader | undefined = undefined;
  #writer: FrameWriter | undefined = undefined;
  #due: Instant = never;
  /** A ring is here (it may still be on its way to the disk), or the node stops: nothing more is asked. */
  #over = false;
  /** Which seed node comes next: one that cannot help must not come twice in a row. */
  #dialled = 0;
  #reports = 0;
  /** A node that has a ring knows this one: an operator must stage its join. */
  #known = false;

  constructor(shared: NodeState, events: RingKeeperEvents) {
    this.#shared = shared;
    this.#events = events;
  }

  /** Begins to look for a first ring; the node has none. */
  start(now: Instant): void {
    const { config, env, nodeId } = this.#shared;
    if (config.bootstrap) {
      env.log.info("waiting for nodes to report", { expected: config.expect });
      this.#onReported({
        id: nodeId,
        name: config.name,
        address: config.advertise,
        host: config.host,
        zone: config.zone,
        weight: config.weight,
      });
    } else if (config.seedNodes.length === 0) {
      env.log.warn(
        "this node has no ring and no seed nodes: it waits; start it with seed nodes, or with bootstrap to make a new cluster",
      );
    } else this.#due = now;
  }

  get nextTick(): Instant {
    return this.#due;
  }

  tick(now: Instant): void {
    if (this.#due > now) return;
    this.#due = after(now, this.#known ? waitEveryUs : reportEveryUs);
    if (this.#writer !== undefined) this.#report();
    else if (this.#link === undefined) {
      const { seedNodes } = this.#shared.config;
      this.#link = this.#shared.env.transport.connect(seedNodes[this.#dialled % seedNodes.length] as string, this);
      this.#dialled += 1;
    }
  }

  stop(): void {
    this.#over = true;
    this.#due = never;
    this.#link?.destroy();
  }

  // The asking side.

  onOpen(): void {
    const writer = new FrameWriter(this.#link as Link, { queuedBytesMax: 1 << 20 }, () => {});
    this.#writer = writer;
    this.#reader = new FrameReader(this, frameBytesMax);
    writer.send(FrameType.HELLO, 0, 0, Hello, this.#events.describe());
    writer.flush();
    this.#report();
  }

  #report(): void {
    const { config, nodeId, env } = this.#shared;
    const { name, advertise: address, host, zone, weight } = config;
    const member = { number: 0, nodeId: idBytes(nodeId), name, address, host, zone, weight, status: 0 };
    this.#writer?.send(FrameType.REPORT, 0, 0, ReportRequest, { member });
    this.#writer?.flush();
    this.#reports += 1;
    if (this.#reports % sayEveryReports === 0 && !this.#known)
      env.log.info("still waiting for the first ring", { seedNodes: config.seedNodes.join(",") });
  }

  onBytes(now: Instant, chunk: Uint8Array): void {
    this.#reader?.feed(now, chunk);
    this.#events.settle(now);
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  onClosed(now: Instant): void {
    this.#link = undefined;
    this.#reader?.stop();
    this.#reader = undefined;
    this.#writer?.close();
    this.#writer = undefined;
    if (!this.#over) this.#due = after(now, reportEveryUs);
    this.#events.settle(now);
  }

  onFrame(_now: Instant, frame: Frame): void {
    try {
      if (frame.status !== statusOk) this.#onRefused(frame);
      else if (frame.type === (FrameType.REPORT | REPLY_BIT)) this.#onRing(frame);
    } catch (error) {
      if (!(error instanceof WireError) && !(error instanceof RingtailError)) throw error;
      this.#shared.env.log.error("a seed node's answer makes no sense", { reason: error.message });
      this.#link?.destroy();
    }
  }

  onBadFrame(_now: Instant, reason: string): void {
    this.#shared.env.log.error("a seed node sent bytes that are no frame", { reason });
    this.#link?.destroy();
  }

  #onRefused(frame: Frame): void {
    const reason = frame.size > 0 ? frame.decode(ErrorReply).message : "no reason given";
    this.#shared.env.log.warn("a seed node refused this node", { reason, request: frame.answers });
    this.#link?.destroy();
  }

  #onRing(frame: Frame): void {
    const reply = frame.decode(ReportReply);
    if (this.#over) return;
    if (reply.ring === null) {
      this.#onWait(reply.waiting);
      return;
    }
    const ring = ringFromMessage(reply.ring);
    this.stop();
    this.#events.onFirstRing(ring);
  }

  #onWait(known: boolean): void {
    if (known && !this.#known) {
      const { name } = this.#shared.config;
      this.#shared.env.log.info("this node waits to be let in: `ringtail cluster join` stages that", { name });
    }
    this.#known = known;
  }

  // The side that is asked.

  /** Nodes that have reported here lately and are in no ring. */
  waiting(now: Instant): readonly Fields<MemberMessage>[] {
    this.#forget(now);
    return [...this.#waiting.values()].map(({ reported: { id, ...rest } }) => ({ nodeId: idBytes(id), ...rest }));
  }

  #forget(now: Instant): void {
    for (const [id, { at }] of this.#waiting) {
      const inRing = this.#shared.ringOrNone?.members.some((member) => member.id === id) === true;
      if (inRing || after(at, waitingForgottenUs) <= now) this.#waiting.delete(id);
    }
  }

  #wait(now: Instant, reported: Reported): void {
    if (!this.#waiting.has(reported.id)) {
      this.#forget(now);
      if (this.#waiting.size >= waitingMax)
        throw new RingtailError("OVERLOADED", `${waitingMax} nodes wait here already to be let in`);
      this.#shared.journal.note("node", `${reported.name} (${reported.address}) waits to be let in`);
    }
    this.#waiting.delete(reported.id);
    this.#waiting.set(reported.id, { reported, at: now });
  }

  /** A node without a ring reports. Throws `RingtailError` when it cannot become a member here. */
  onReport(now: Instant, session: Session, frame: Frame): void {
    const report = frame.decode(ReportRequest);
    const { config, fencedBy } = this.#shared;
    // It learns of no newer ring: whoever waits here waits for ever, and is to ask the next seed node.
    if (fencedBy !== "") throw new RingtailError("PERMISSION_DENIED", fencedBy);
    if (this.#shared.ringOrNone === undefined && !config.bootstrap) {
      throw new RingtailError("OVERLOADED", "this node has no ring itself and is not the one that bootstraps");
    }
    const reported = reportedOf(report);
    if (this.#shared.ringOrNone === undefined) this.#onReported(reported);
    const ring = this.#shared.ringOrNone;
    const member = ring?.members.find(({ id }) => id === reported.id);
    if (member?.status === "left") {
      const cure = "to come back, it needs an empty directory";
      throw new RingtailError("PERMISSION_DENIED", `${reported.name} has left this cluster: ${cure}`);
    }
    const waits = ring !== undefined && member === undefined;
    if (waits) this.#wait(now, reported);
    session.answer(frame, ReportReply, {
      ring: ring === undefined || waits ? null : ringToMessage(ring),
      reported: this.#reported.size,
      expected: config.expect,
      waiting: waits,
    });
  }

  #onReported(reported: Reported): void {
    const known = this.#reported.has(reported.id);
    if (!known) {
      for (const other of this.#reported.values()) {
        if (other.address === reported.address)
          throw new RingtailError("INVALID_ARGUMENT", `two nodes report the address ${other.address}`);
      }
      this.#shared.env.log.info("node reported", { member: reported.name, address: reported.address });
    }
    this.#reported.set(reported.id, reported);
    if (this.#reported.size >= this.#shared.config.expect) this.#events.onFirstRing(this.#firstRing());
  }

  #firstRing(): Ring {
    const { config, env, nodeId } = this.#shared;
    const others = [...this.#reported.values()].filter((one) => one.id !== nodeId);
    others.sort((a, b) => (a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1));
    const list = [this.#reported.get(nodeId) as Reported, ...others];
    const members: Member[] = list.map((one, index) => ({ number: nodeNumber(index + 1), status: "member", ...one }));
    const random = env.randomBytes(4);
    const planSeed = new Rng(
      (random[0] as number) | ((random[1] as number) << 8) | ((random[2] as number) << 16),
    ).u32();
    const claim = planClaim({ members, partitions: config.partitions, replicasMax: config.replicasMax, planSeed });
    for (const warning of claim.warnings) env.log.warn(warning);
    for (const violation of claim.violations) env.log.warn(violation.text);
    const clusterId: ClusterId = clusterIdOf(env.randomBytes(16));
    const policy = {
      name: "",
      n: config.n,
      r: config.r,
      w: config.w,
      durability: durabilityOf(config.durability),
      resolver: Resolver.siblings,
      version: 1,
    };
    return new Ring({
      clusterId,
      epoch: 1,
      partitions: config.partitions,
      replicasMax: config.replicasMax,
      members,
      owners: claim.owners,
      buckets: [policy],
    });
  }
}

function reportedOf(report: ReportRequest): Reported {
  const member = report.member;
  if (member === null) throw new RingtailError("INVALID_ARGUMENT", "a report without a member");
  return {
    id: nodeIdOf(member.nodeId),
    name: member.name,
    address: member.address,
    host: member.host,
    zone: member.zone,
    weight: member.weight,
  };
}
