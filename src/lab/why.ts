/**
 * Why the slowest operations of a cluster were slow: what all its nodes tell (`WhyReply`), taken apart by cause
 * (src/metrics/cause.ts). A replica's pause shows in the pauses of that node, so the causes are found where all answers are.
 */
import type { DurationUs } from "../base/time.ts";
import { type Anatomy, type Cause, dissect, neverStood, type Stood } from "../metrics/cause.ts";
import { PauseKind } from "../metrics/pauses.ts";
import { Phases, PhaseWord } from "../metrics/phases.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { SlowOp, WhyReply } from "../wire/gen/codecs.ts";

/** One slow operation and what made it so. */
export interface ExplainedOp {
  readonly op: SlowOp;
  readonly phases: Phases;
  readonly coordinator: number;
  /** From when the coordinator could have read it to its answer. */
  readonly totalUs: DurationUs;
  readonly anatomy: Anatomy;
  readonly cause: Cause;
  /** The node where it happened; for a link, the far end. */
  readonly where: number;
}

/** All of one bucket that one cause made slow. */
export interface CauseShare {
  readonly bucket: string;
  readonly cause: Cause;
  readonly ops: number;
  readonly us: DurationUs;
  /** Of the time of all that was told, 0..1. */
  readonly share: number;
  readonly medianUs: DurationUs;
  readonly maxUs: DurationUs;
  /** Nodes, with how much of the time each has to answer for, 0..1, most first. */
  readonly where: readonly { readonly node: number; readonly share: number }[];
}

/** The tail of a cluster, taken apart. */
export interface Tail {
  readonly ops: number;
  readonly us: DurationUs;
  /** The largest share first. */
  readonly shares: readonly CauseShare[];
  /** The slowest first. */
  readonly slowest: readonly ExplainedOp[];
}

/** The bucket of an operation, for people: whatever a node may tell. */
export function bucketText({ bucket }: SlowOp): string {
  return Buffer.from(bucket).toString();
}

/** Takes apart what the nodes told; operations faster than `overUs` are left out. */
export function explainTail(replies: readonly WhyReply[], overUs: DurationUs = 0): Tail {
  const byNumber = new Map(replies.map((reply) => [reply.number, reply]));
  const explained = replies.flatMap((reply) => reply.ops.map((op) => explain(op, reply, byNumber)));
  const slowest = explained.filter(({ totalUs }) => totalUs >= overUs).sort((a, b) => b.totalUs - a.totalUs);
  const us = sumOf(slowest);
  const groups = new Map<string, ExplainedOp[]>();
  for (const one of slowest) {
    const name = `${one.cause} ${bucketText(one.op)}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  const shares = [...groups.values()].map((group) => shareOf(group, us));
  return { ops: slowest.length, us, shares: shares.sort((a, b) => b.us - a.us), slowest };
}

function sumOf(ops: readonly ExplainedOp[]): DurationUs {
  return ops.reduce((sum, { totalUs }) => sum + totalUs, 0);
}

/** How that node stood still during a stretch of time; in ages, so that its own clock does not matter. */
function stoodAt(reply: WhyReply | undefined, youngestUs: DurationUs, lengthUs: DurationUs): Stood {
  if (reply === undefined) return neverStood;
  const stood = { gcUs: 0, diskUs: 0, keyUs: 0 };
  for (const pause of reply.pauses) {
    const from = Math.max(pause.ageUs, youngestUs);
    const us = Math.max(0, Math.min(pause.ageUs + pause.lengthUs, youngestUs + lengthUs) - from);
    if (pause.kind === PauseKind.gc) stood.gcUs += us;
    else if (pause.kind === PauseKind.disk) stood.diskUs += us;
    else if (pause.kind === PauseKind.key) stood.keyUs += us;
  }
  return stood;
}

function explain(op: SlowOp, reply: WhyReply, byNumber: ReadonlyMap<number, WhyReply>): ExplainedOp {
  const phases = new Phases(op.phases);
  const totalUs = op.elapsedUs + phases.word(PhaseWord.waited);
  const isPut = op.type !== FrameType.GET && op.type !== FrameType.MULTI_GET;
  const own = stoodAt(reply, op.ageUs, totalUs);
  const isFar = op.decidedBy !== 0 && op.decidedBy !== reply.number;
  const far = isFar ? stoodAt(byNumber.get(op.decidedBy), op.ageUs, op.elapsedUs) : neverStood;
  const anatomy = dissect({ isPut, elapsedUs: op.elapsedUs, phases }, own, far);
  const where = anatomy.isFar ? op.decidedBy : reply.number;
  return { op, phases, coordinator: reply.number, totalUs, anatomy, cause: anatomy.cause, where };
}

function shareOf(group: readonly ExplainedOp[], allUs: DurationUs): CauseShare {
  const first = group[0] as ExplainedOp;
  const us = sumOf(group);
  const nodes = new Map<number, number>();
  for (const { where, totalUs } of group) nodes.set(where, (nodes.get(where) ?? 0) + totalUs / us);
  return {
    bucket: bucketText(first.op),
    cause: first.cause,
    ops: group.length,
    us,
    share: us / allUs,
    medianUs: (group[group.length >>> 1] as ExplainedOp).totalUs,
    maxUs: first.totalUs,
    where: [...nodes].map(([node, share]) => ({ node, share })).sort((a, b) => b.share - a.share),
  };
}
