/**
 * `ringtail sync-point`: waits until nothing is on its way: no hints, no transfers, every replica complete and compared
 * with every other owner's since now. What was acknowledged before is then on all its owners.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { RingtailError } from "../base/errors.ts";
import type { Ring } from "../ring/ring.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { askEvery, clusterRing } from "./every-node.ts";
import { print, printJson, wholeNumber } from "./output.ts";
import { hintQuestion, repairQuestion, transferQuestion } from "./questions.ts";

interface Flags extends AskFlags {
  readonly withinSeconds: string;
}

/** What is still on its way. */
interface Rest {
  readonly hints: number;
  readonly transfers: number;
  readonly unsynced: number;
  /** Nodes with a pair that was not compared since the beginning. */
  readonly unverified: number;
  readonly silent: readonly string[];
}

const nothingLeft: Rest = { hints: 0, transfers: 0, unsynced: 0, unverified: 0, silent: [] };

const pollMs = 500;
const tellEveryMs = 5_000;

/** Adds the command. */
export function addSyncPoint(program: Command): void {
  const command = program
    .command("sync-point")
    .description("wait until hints, transfers and comparisons have caught up with all that was acknowledged")
    .option("--within-seconds <seconds>", "give up after this time", "600");
  addAskOptions(command, 1000, ["sync-point", "sync-point --within-seconds 60 --json"]).action(waitForSync);
}

async function waitForSync(flags: Flags): Promise<void> {
  const withinMs = 1000 * wholeNumber("--within-seconds", flags.withinSeconds, 1, 86_400);
  const started = Date.now();
  const rest = await new CatchUp(flags, (text) => process.stderr.write(`waiting: ${text}\n`)).within(withinMs);
  if (rest !== "")
    throw new RingtailError("DEADLINE_EXCEEDED", `not caught up after ${flags.withinSeconds} s: ${rest}`);
  const waited = Date.now() - started;
  if (flags.json === true) printJson({ done: true, waitedMs: waited, ...nothingLeft });
  else print(`all caught up after ${(waited / 1000).toFixed(1)} s`);
}

/** Waiting until a cluster has caught up with what was acknowledged before; also for checkers. */
export class CatchUp {
  readonly #flags: AskFlags;
  readonly #tell: (rest: string) => void;
  /** By node number: its clock when it was asked to hurry. */
  readonly #since = new Map<number, number>();

  /** `tell` hears every few seconds what is still on its way. */
  constructor(flags: AskFlags, tell: (rest: string) => void = () => {}) {
    this.#flags = flags;
    this.#tell = tell;
  }

  /** Resolves with "" when nothing is on its way, or with what is after that time. Rejects when nobody can be reached. */
  async within(ms: number): Promise<string> {
    const started = Date.now();
    let told = started;
    for (;;) {
      const rest = await this.#look();
      if (rest === "" || Date.now() - started >= ms) return rest;
      if (Date.now() - told >= tellEveryMs) {
        told = Date.now();
        this.#tell(rest);
      }
      await sleep(pollMs);
    }
  }

  /** A node that is there and late is no reason to give up: it has the time that all have. */
  async #look(): Promise<string> {
    try {
      return restText(await restOf(await clusterRing(this.#flags), timeoutOf(this.#flags), this.#since));
    } catch (error) {
      if (!(error instanceof RingtailError) || error.code !== "DEADLINE_EXCEEDED") throw error;
      return error.message;
    }
  }
}

async function restOf(ring: Ring, timeoutMs: number, since: Map<number, number>): Promise<Rest> {
  const hurry = ring.members.some(({ number }) => !since.has(number));
  const [repairs, hints, transfers] = await Promise.all([
    askEvery(ring, timeoutMs, repairQuestion(hurry)),
    askEvery(ring, timeoutMs, hintQuestion),
    askEvery(ring, timeoutMs, transferQuestion),
  ]);
  let unverified = 0;
  for (const { member, reply } of repairs) {
    if (reply === undefined) continue;
    if (!since.has(member.number)) since.set(member.number, reply.nowUs);
    if (reply.verifiedUs < (since.get(member.number) as number)) unverified += 1;
  }
  const silent = [...repairs, ...hints, ...transfers].filter(({ reply }) => reply === undefined);
  return {
    hints: hints.reduce((sum, { reply }) => sum + (reply?.rows ?? []).reduce((all, row) => all + row.count, 0), 0),
    transfers: transfers.reduce((sum, { reply }) => sum + (reply?.rows.length ?? 0), 0),
    unsynced: repairs.reduce((sum, { reply }) => sum + (reply?.unsynced ?? 0), 0),
    unverified,
    silent: [...new Set(silent.map(({ label }) => label))],
  };
}

/** What is left, in words; "" if nothing is. */
function restText({ hints, transfers, unsynced, unverified, silent }: Rest): string {
  const parts = [
    hints > 0 ? `${hints} hints` : "",
    transfers > 0 ? `${transfers} transfers` : "",
    unsynced > 0 ? `${unsynced} replicas not complete` : "",
    unverified > 0 ? `${unverified} nodes still compare` : "",
    silent.length > 0 ? `no answer from ${silent.join(", ")}` : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}
