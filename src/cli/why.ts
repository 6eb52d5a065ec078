/** `ringtail why`: what made the slowest operations of the last minutes slow, by cause and bucket. */
import type { Command } from "commander";
import { utf8 } from "../base/bytes.ts";
import { codeOf, statusOk } from "../base/errors.ts";
import type { DurationUs } from "../base/time.ts";
import { bucketText, type CauseShare, type ExplainedOp, explainTail, type Tail } from "../lab/why.ts";
import { causeMeanings, causes } from "../metrics/cause.ts";
import { PhaseWord } from "../metrics/phases.ts";
import type { Ring } from "../ring/ring.ts";
import { FrameType } from "../wire/frame-types.ts";
import { WhyReply, WhyRequest } from "../wire/gen/codecs.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { askEvery, clusterRing, headOf, type NodeAnswer, nameIn, silentLines } from "./every-node.ts";
import { print, printJson, printTable, wholeNumber } from "./output.ts";

interface WhyFlags extends AskFlags {
  readonly minutes: string;
  readonly seconds?: string;
  readonly bucket?: string;
  readonly overMs: string;
  readonly examples: string;
}

/** Nodes keep so much. */
const minutesMax = 10;
const examplesMax = 1_000;

const help = `
Each node keeps the eight slowest operations of each second, as it coordinated them, with where their time went.
A cause is what took the most of an operation's time; SHARE is of the time of all of them.

Causes:
${causes.map((cause) => `  ${cause.padEnd(8)}  ${causeMeanings[cause]}`).join("\n")}
`;

const examplesHelp = [
  "why                             the last 5 minutes, every bucket",
  "why --minutes 1 --bucket carts  one bucket, lately",
  "why --over-ms 10                only what took 10 ms and more",
  "why --json",
];

/** Adds the command. */
export function addWhy(program: Command): void {
  const command = program
    .command("why")
    .description("why the slowest operations of the last minutes were slow, by cause, per bucket")
    .option("--minutes <minutes>", `so far back, 1 to ${minutesMax}`, "5")
    .option("--seconds <seconds>", "the same in seconds, 1 to 600")
    .option("--bucket <bucket>", "only this bucket")
    .option("--over-ms <ms>", "only what took so long, or longer", "0")
    .option("--examples <count>", "the slowest of them one by one", "10")
    .addHelpText("after", help);
  addAskOptions(command, 2000, examplesHelp).action(showWhy);
}

async function showWhy(flags: WhyFlags): Promise<void> {
  const minutes = wholeNumber("--minutes", flags.minutes, 1, minutesMax);
  const seconds =
    flags.seconds === undefined ? 60 * minutes : wholeNumber("--seconds", flags.seconds, 1, 60 * minutesMax);
  const overUs = 1000 * wholeNumber("--over-ms", flags.overMs, 0, 600_000);
  const examples = wholeNumber("--examples", flags.examples, 0, examplesMax);
  const ring = await clusterRing(flags);
  const message = { seconds, bucket: utf8(flags.bucket ?? "") };
  const question = { type: FrameType.WHY, codec: WhyRequest, message, reply: WhyReply };
  const answers = await askEvery(ring, timeoutOf(flags), question);
  const replies = answers.flatMap(({ reply }) => (reply === undefined ? [] : [reply]));
  const tail = explainTail(replies, overUs);
  if (flags.json === true) printJson(jsonOf(ring, answers, tail, seconds, examples));
  else show(ring, answers, tail, seconds, examples);
}

function msText(us: DurationUs): string {
  return `${(us / 1000).toFixed(us < 100_000 ? 2 : 0)} ms`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function whereText(ring: Ring, { where }: CauseShare): string {
  return where.map(({ node, share }) => `${nameIn(ring, node)} ${Math.round(100 * share)} %`).join(", ");
}

function typeText(type: number): string {
  const names: Readonly<Record<number, string>> = {
    [FrameType.GET]: "get",
    [FrameType.PUT]: "put",
    [FrameType.DELETE]: "delete",
    [FrameType.MULTI_GET]: "multi-get",
  };
  return names[type] ?? "?";
}

function hashText({ op }: ExplainedOp): string {
  return [op.hashHigh, op.hashLow].map((half) => half.toString(16).padStart(8, "0")).join("");
}

function partsOf({ anatomy, totalUs }: ExplainedOp): string {
  const parts = causes.filter((cause) => anatomy.us(cause) > totalUs / 20);
  return parts
    .sort((a, b) => anatomy.us(b) - anatomy.us(a))
    .map((cause) => `${cause} ${msText(anatomy.us(cause))}`)
    .join(", ");
}

function show(
  ring: Ring,
  answers: readonly NodeAnswer<WhyReply>[],
  tail: Tail,
  seconds: number,
  examples: number,
): void {
  const nodes = answers.filter(({ reply }) => reply !== undefined).length;
  print(`the slowest of each second, of the last ${seconds} s, as ${nodes} nodes coordinated them: ${tail.ops}`);
  if (tail.ops > 0) {
    const rows = tail.shares.map((one) => {
      const times = [msText(one.medianUs), msText(one.maxUs)];
      return [one.bucket, one.cause, percent(one.share), String(one.ops), ...times, whereText(ring, one)];
    });
    printTable([["BUCKET", "CAUSE", "SHARE", "OPS", "MEDIAN", "MAX", "WHERE"], ...rows]);
  }
  const slowest = tail.slowest
    .slice(0, examples)
    .map((one) => [
      `${(one.op.ageUs / 1_000_000).toFixed(0)} s`,
      bucketText(one.op),
      `${typeText(one.op.type)}${one.op.status === statusOk ? "" : ` ${codeOf(one.op.status)}`}`,
      hashText(one),
      nameIn(ring, one.coordinator),
      msText(one.totalUs),
      `${one.cause} at ${nameIn(ring, one.where)}`,
      partsOf(one),
    ]);
  if (slowest.length > 0) {
    print("");
    printTable([["AGO", "BUCKET", "WHAT", "KEY HASH", "COORDINATOR", "TOOK", "CAUSE", "TIME"], ...slowest]);
  }
  print(...silentLines(answers));
}

function exampleJson(ring: Ring, one: ExplainedOp): Record<string, unknown> {
  const { op, phases } = one;
  return {
    agoSeconds: op.ageUs / 1_000_000,
    bucket: bucketText(op),
    type: typeText(op.type),
    error: op.status === statusOk ? null : codeOf(op.status),
    keyHash: hashText(one),
    coordinator: nameIn(ring, one.coordinator),
    completedBy: op.decidedBy === 0 ? null : nameIn(ring, op.decidedBy),
    totalUs: one.totalUs,
    waitedUs: phases.word(PhaseWord.waited),
    elapsedUs: op.elapsedUs,
    cause: one.cause,
    where: nameIn(ring, one.where),
    byCauseUs: Object.fromEntries(causes.map((cause) => [cause, one.anatomy.us(cause)])),
    secondAttempt: phases.again,
    slots: Array.from({ length: phases.slots }, (_, slot) => {
      const answeredUs = phases.answered(slot);
      const told = { keyUs: phases.keyUs(slot), loopUs: phases.loopUs(slot), storageUs: phases.storageUs(slot) };
      return { answeredUs: answeredUs < 0 ? null : answeredUs, ...told };
    }),
  };
}

function jsonOf(
  ring: Ring,
  answers: readonly NodeAnswer<WhyReply>[],
  tail: Tail,
  seconds: number,
  examples: number,
): Record<string, unknown> {
  return {
    seconds,
    ops: tail.ops,
    us: tail.us,
    causes: tail.shares.map((one) => {
      return { ...one, where: one.where.map(({ node, share }) => ({ node: nameIn(ring, node), share })) };
    }),
    slowest: tail.slowest.slice(0, examples).map((one) => exampleJson(ring, one)),
    nodes: answers.map((answer) => ({
      ...headOf(answer),
      pauses: answer.reply?.pauses.length ?? null,
      sinceStart: answer.reply?.totals ?? null,
    })),
  };
}
