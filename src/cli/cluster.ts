/**
 * `ringtail cluster`: changing who belongs. Changes are staged, the plan that follows from all of them is looked at, and
 * that very plan is committed. Plans are computed here, from the ring (`ring/plan.ts`), so that no node stands still for it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { RingtailError } from "../base/errors.ts";
import { nodeIdOf, nodeNumber, type PartitionId } from "../base/ids.ts";
import { isMoving, planChange, planNamed } from "../ring/plan.ts";
import { estimatePlan, planLines } from "../ring/plan-text.ts";
import type { Ring } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import { FrameType, RingChangeKind } from "../wire/frame-types.ts";
import { type Member, type MembersReply, RingChangeReply, RingChangeRequest } from "../wire/gen/codecs.ts";
import { shortsToBytes } from "../wire/ring-codec.ts";
import {
  type AskFlags,
  addAskOptions,
  allWaiting,
  changeRing,
  firstMembers,
  joiningOf,
  memberMeant,
  membersOf,
  ringAt,
  timeoutOf,
  whoIsMeant,
} from "./cluster-view.ts";
import { askEvery, clusterRing, labelsIn, silentLines } from "./every-node.ts";
import { badArgument, print, printJson, wholeNumber } from "./output.ts";
import { planRates } from "./plan-rates.ts";

const examples = `
Examples:
  ringtail serve --name d --directory ./d --listen 127.0.0.1:7404 --seed-node 127.0.0.1:7401   (a node that waits)
  ringtail members                          who is there, and who waits
  ringtail cluster join d                   stage its join
  ringtail cluster plan                     what would move
  ringtail cluster commit 2-3fa9c01b        do it
  ringtail ring                             how far it is`;

interface CommitFlags extends AskFlags {
  readonly acceptViolations?: boolean;
}

interface RemoveFlags extends AskFlags {
  readonly althoughAlive?: boolean;
}

interface RecoverFlags extends AskFlags {
  readonly lost: readonly string[];
}

interface DigestFlags extends AskFlags {
  readonly digest: string;
}

interface WaitFlags extends AskFlags {
  readonly waitMs: string;
}

/** Adds the command. */
export function addCluster(program: Command): void {
  const cluster = program.command("cluster").description("change who belongs to the cluster: stage, plan, commit");
  cluster.addHelpText("after", examples);
  const add = (usage: string, description: string, example: string): Command =>
    addAskOptions(cluster.command(usage).description(description), 2000, [`cluster ${example}`]);
  add("join <node>", "stage the join of a node that waits: its name, address or id", "join d")
    .option("--wait-ms <ms>", "how long the node may take to report", "10000")
    .action(join);
  add("leave <node>", "stage that a node leaves: its partitions move away first", "leave c").action((node, flags) =>
    stage(flags, node, { kind: RingChangeKind.stageLeave }, "its leave is staged"),
  );
  add(
    "replace <old> [new]",
    "stage that a waiting node takes the place of another, dead or alive; left out: the one that waits at its address",
    "replace c d",
  )
    .option("--wait-ms <ms>", "how long the new node may take to report", "10000")
    .action(replace);
  add("remove <node>", "stage that a dead node is removed: its copies are made anew from the others", "remove c")
    .option("--although-alive", "give up the copies of a node that answers, instead of moving them away (leave)")
    .action((node, flags: RemoveFlags) => {
      const althoughAlive = flags.althoughAlive === true;
      return stage(flags, node, { kind: RingChangeKind.stageRemove, althoughAlive }, "its removal is staged");
    });
  add("unstage <node>", "take back the staged change that names the node", "unstage d").action((node, flags) =>
    stage(flags, node, { kind: RingChangeKind.unstage }, "nothing is staged for it any more"),
  );
  add("plan", "what would move if all that is staged were committed", "plan --json").action(plan);
  add("commit <plan>", "carry out a plan; refused if the ring has changed since it was made", "commit 2-3fa9c01b")
    .option("--accept-violations", "commit although hosts or zones are too few")
    .action(commit);
  add("cancel", "stop the plan under way: what has moved stays, the rest stays where it is", "cancel").action(cancel);
  add("recover", "go on without nodes that are lost for good, where they are a majority", "recover --lost b --lost c")
    .requiredOption("--lost <node>", "a lost node; may be repeated", (node: string, all: string[] | undefined) => [
      ...(all ?? []),
      node,
    ])
    .action(recover);
  add(
    "accept-ring",
    "of two rings of one epoch (an alarm in `ringtail events`) take the one with this digest: its nodes vote again",
    "accept-ring --digest 3fa9c01b5d20e7aa",
  )
    .requiredOption("--digest <digest>", "16 hexadecimal digits, from the alarm of a node whose ring is right")
    .action(acceptRing);
}

function done(flags: AskFlags, epoch: number, text: string, more: Readonly<Record<string, unknown>>): void {
  if (flags.json === true) printJson({ epoch, ...more });
  else print(`${text} (epoch ${epoch})`);
}

function told(member: Member, number: number = member.number): Readonly<Record<string, unknown>> {
  return { node: { number, id: nodeIdOf(member.nodeId), name: member.name, address: member.address } };
}

async function stage(flags: AskFlags, node: string, what: Fields<RingChangeRequest>, text: string): Promise<void> {
  const { address, view } = await firstMembers(flags);
  const member = memberMeant(view, node);
  const epoch = await changeRing(address, { ...what, member: member.number });
  done(flags, epoch, `${member.name} (node ${member.number}): ${text}`, told(member));
}

const pollMs = 250;

/** The waiting node that is meant: it may have been started a moment ago, and not have reported yet. */
async function waitingMeant(
  flags: WaitFlags,
  node: string,
  exceptNumber: number,
): Promise<{ readonly address: string; readonly member: Member }> {
  const until = performance.now() + wholeNumber("--wait-ms", flags.waitMs, 0, 600_000);
  for (;;) {
    const { address, view } = await firstMembers(flags);
    const waiting = await allWaiting(view, timeoutOf(flags));
    const [member, another] = whoIsMeant(waiting, node);
    if (another !== undefined) throw badArgument(`several nodes called ${node} wait: use an address, or an id`);
    if (member !== undefined) return { address, member };
    const inside = whoIsMeant(membersOf(view), node).find(({ number }) => number !== exceptNumber);
    if (inside !== undefined) throw badArgument(`${node} is in the cluster already, as node ${inside.number}`);
    if (performance.now() >= until) {
      const names = waiting.map((one) => `${one.name} (${one.address})`).join(", ");
      throw badArgument(
        `no node called ${node} waits to be let in; ${names === "" ? "nobody waits: start it with a seed node" : `there are: ${names}`}`,
      );
    }
    await sleep(pollMs);
  }
}

async function stageJoin(
  flags: WaitFlags,
  node: string,
  exceptNumber = 0,
): Promise<{ readonly epoch: number; readonly member: Member }> {
  const { address, member } = await waitingMeant(flags, node, exceptNumber);
  const epoch = await changeRing(address, { kind: RingChangeKind.stageJoin, newcomer: member });
  return { epoch, member };
}

async function join(node: string, flags: WaitFlags): Promise<void> {
  const { epoch, member } = await stageJoin(flags, node);
  done(flags, epoch, `${member.name} (${member.address}): its join is staged`, told(member));
}

/** A node whose disk is gone has a new id when it comes back, and mostly its old address and name. */
async function replace(oldNode: string, newNode: string | undefined, flags: WaitFlags): Promise<void> {
  const { view } = await firstMembers(flags);
  const member = memberMeant(view, oldNode);
  const by = await newcomerMeant(flags, view, newNode ?? member.address, member.number);
  const { address } = await firstMembers(flags);
  const epoch = await changeRing(address, { kind: RingChangeKind.stageReplace, member: member.number, by: by.number });
  done(flags, epoch, `${by.name} (node ${by.number}) is to replace ${member.name} (node ${member.number}): staged`, {
    ...told(member),
    by: told(by).node,
  });
}

/** A node whose join is staged, or one that waits: its join is then staged. */
async function newcomerMeant(flags: WaitFlags, view: MembersReply, node: string, oldNumber: number): Promise<Member> {
  const [staged, another] = whoIsMeant(joiningOf(view), node);
  if (another !== undefined) throw badArgument(`several nodes called ${node} are staged: use a number`);
  if (staged !== undefined) return staged;
  const { member } = await stageJoin(flags, node, oldNumber);
  const after = await firstMembers(flags);
  const id = nodeIdOf(member.nodeId);
  const found = membersOf(after.view).find(({ nodeId }) => nodeIdOf(nodeId) === id);
  if (found === undefined)
    throw new RingtailError("OVERLOADED", `${after.address} has not heard of ${node} yet: try again`);
  return found;
}

async function plan(flags: AskFlags): Promise<void> {
  const ring = await clusterRing(flags);
  const { id, report } = planChange(ring);
  const rates = await planRates(ring, timeoutOf(flags));
  if (flags.json === true) printJson({ plan: id, ...report, estimate: rates && estimatePlan(report, rates) });
  else print(...planLines(report, rates), "", `to carry it out: ringtail cluster commit ${id}`);
}

async function propose(flags: AskFlags, change: Fields<RingChangeRequest>): Promise<number> {
  const { address } = await firstMembers(flags);
  return changeRing(address, change);
}

async function commit(planId: string, flags: CommitFlags): Promise<void> {
  const acceptViolations = flags.acceptViolations === true;
  const { goal } = planNamed(await clusterRing(flags), planId);
  const change = { kind: RingChangeKind.commit, plan: planId, goal: shortsToBytes(goal), acceptViolations };
  const epoch = await propose(flags, change);
  done(flags, epoch, `plan ${planId} is under way`, { plan: planId });
}

async function cancel(flags: AskFlags): Promise<void> {
  const epoch = await propose(flags, { kind: RingChangeKind.cancel });
  const ring = await clusterRing(flags);
  done(flags, epoch, "the plan is cancelled", { moving: isMoving(ring) });
}

async function recover(flags: RecoverFlags): Promise<void> {
  const { address, view } = await firstMembers(flags);
  const before = await ringAt(address, timeoutOf(flags));
  const named = flags.lost.map((node) => memberMeant(view, node));
  const lost = [...new Map(named.map((member) => [member.number, member])).values()];
  lost.sort((a, b) => a.number - b.number);
  const numbers = lost.map(({ number }) => nodeNumber(number));
  const epoch = await changeRing(address, { kind: RingChangeKind.recover, lost: numbers });
  const without = partitionsWithin(before, numbers);
  const labelOf = labelsIn(before);
  const names = numbers.map(labelOf).join(", ");
  done(flags, epoch, `the cluster goes on without ${names}`, {
    lost: lost.map((member) => told(member).node),
    partitionsLost: without,
  });
  if (flags.json === true) return;
  if (without > 0)
    print(
      `${without} of ${before.partitions} partitions had all their copies on these nodes: what was in them is gone`,
    );
  print("what copies are left spread among the nodes that are left; let new ones in with `ringtail cluster join`");
}

/** How many partitions have all their copies, of buckets without a policy of their own, on these nodes. */
function partitionsWithin(ring: Ring, nodes: readonly number[]): number {
  const { n } = ring.policyOf(new Uint8Array(0));
  let count = 0;
  for (let p = 0; p < ring.partitions; p += 1) {
    const owners = ring.preferenceList(p as PartitionId, n).subarray(0, n);
    if (owners.every((owner) => nodes.includes(owner))) count += 1;
  }
  return count;
}

/** Every node is asked by itself: they are not of one mind, so that none can speak for the others. */
async function acceptRing(flags: DigestFlags): Promise<void> {
  const { digest } = flags;
  if (!/^[0-9a-f]{16}$/.test(digest)) throw badArgument(`--digest: 16 hexadecimal digits, not ${digest}`);
  const message = { kind: RingChangeKind.acceptRing, digest };
  const question = { type: FrameType.RING_CHANGE, codec: RingChangeRequest, message, reply: RingChangeReply };
  const answers = await askEvery(await clusterRing(flags), timeoutOf(flags), question);
  const accepted = answers.filter(({ reply }) => reply !== undefined).map(({ label }) => label);
  const others = silentLines(answers);
  if (accepted.length === 0)
    throw new RingtailError("INVALID_ARGUMENT", `no node holds that ring: ${others.join("; ")}`);
  if (flags.json === true) printJson({ digest, accepted, others });
  else print(`accepted by ${accepted.join(", ")}`, ...others);
}
