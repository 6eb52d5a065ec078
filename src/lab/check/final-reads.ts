/**
 * The last reads of a check, when everything has come to rest: every key, with each node in turn as the coordinator and
 * all N owners answering, so that a copy which is behind anywhere is seen. The SDK chooses its coordinator, so nodes
 * are asked one by one here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { utf8 } from "../../base/bytes.ts";
import type { RingtailError } from "../../base/errors.ts";
import { ask } from "../../io/ask.ts";
import type { Member } from "../../ring/ring.ts";
import { shownOf } from "../../sim/history.ts";
import { readContext } from "../../version/context.ts";
import { ackNode, isFallbackAck } from "../../wire/ack-word.ts";
import { FrameType } from "../../wire/frame-types.ts";
import { GetReply, GetRequest } from "../../wire/gen/codecs.ts";
import type { CheckRecorder } from "./recorder.ts";

/** What is read, and for how long it may be tried. */
export interface FinalReads {
  readonly bucket: string;
  readonly keys: readonly string[];
  readonly members: readonly Member[];
  readonly n: number;
  readonly recorder: CheckRecorder;
  readonly withinMs: number;
  /** Whether these are the last: nothing is written any more, and all of them must agree. */
  readonly final: boolean;
}

const atOnce = 8;
const timeoutMs = 5_000;
const pauseMs = 200;

/** Reads everything; returns why, of each read that no attempt brought an answer for. */
export async function readEverywhere(reads: FinalReads): Promise<string[]> {
  // Counted in ticks: a machine that stood still meanwhile is no reason to give up.
  let leftMs = reads.withinMs;
  const timer = setInterval(() => {
    leftMs -= pauseMs;
  }, pauseMs);
  const todo = reads.keys.flatMap((key) => reads.members.map((member) => ({ key, member })));
  const missed: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const reason = await readAgain(reads, next.key, next.member, () => leftMs <= 0);
      if (reason !== null) missed.push(`${next.key} at ${next.member.name}: ${reason}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work)).finally(() => clearInterval(timer));
  return missed;
}

async function readAgain(
  reads: FinalReads,
  key: string,
  member: Member,
  isOver: () => boolean,
): Promise<string | null> {
  for (;;) {
    const reason = await readOnce(reads, key, member);
    if (reason === null || isOver()) return reason;
    await sleep(pauseMs);
  }
}

async function readOnce(
  { bucket, n, recorder, final }: FinalReads,
  key: string,
  member: Member,
): Promise<string | null> {
  const operation = recorder.begin({ client: 0, kind: "get", key, final });
  try {
    const reply = await ask({
      ...{ address: member.address, timeoutMs: 2 * timeoutMs, type: FrameType.GET, codec: GetRequest, reply: GetReply },
      message: { bucket: utf8(bucket), key: utf8(key), r: n, strict: true, timeoutUs: 1000 * timeoutMs },
    });
    operation.version = readContext(reply.context).version;
    operation.siblings = reply.record.length === 0 ? [] : shownOf(reply.record);
    operation.fallbackAcks = reply.acks.filter(isFallbackAck).map(ackNode);
    operation.coordinator = reply.coordinator;
    recorder.onAnswer(operation, reply.epoch);
    return null;
  } catch (error) {
    recorder.onError(operation, error);
    return (error as RingtailError).message;
  }
}
