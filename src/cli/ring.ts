/** `ringtail ring`: which node owns how much, what is on its way to whom, and a picture of all positions. */
import type { Command } from "commander";
import type { PartitionId } from "../base/ids.ts";
import { isMoving } from "../ring/plan.ts";
import { memberLabels } from "../ring/plan-text.ts";
import type { Ring } from "../ring/ring.ts";
import { type AskFlags, addAskOptions } from "./cluster-view.ts";
import { clusterRing, labelsIn, presentIn } from "./every-node.ts";
import { print, printJson, printTable, wholeNumber } from "./output.ts";

interface RingFlags extends AskFlags {
  readonly partition?: string;
}

/** Adds the command. */
export function addRing(program: Command): void {
  const command = program
    .command("ring")
    .description("which node owns how much, what moves, and who owns one partition")
    .option("--partition <number>", "the preference list of one partition, and who is about to join it");
  addAskOptions(command, 1000, ["ring", "ring --partition 17", "ring --json"]).action(showRing);
}

async function showRing(flags: RingFlags): Promise<void> {
  const ring = await clusterRing(flags);
  const { n } = ring.policyOf(new Uint8Array(0));
  if (flags.partition !== undefined) showPartition(ring, n, flags.partition, flags.json === true);
  else if (flags.json === true) printJson(ringJson(ring, n));
  else printRing(ring, n);
}

function showPartition(ring: Ring, n: number, text: string, json: boolean): void {
  const partition = wholeNumber("--partition", text, 0, ring.partitions - 1) as PartitionId;
  const nameOf = labelsIn(ring);
  const numbers = [...ring.preferenceList(partition, n)];
  const pending = ring.pendingOf(partition, n);
  const list = numbers.map((number, i) => ({ node: nameOf(number), role: i < n ? "owner" : "fallback" }));
  const replaces = pending === undefined || pending.replaced === 0 ? null : nameOf(pending.replaced);
  const joining = pending === undefined ? null : { node: nameOf(pending.joining), replaces };
  if (json) {
    printJson({ epoch: ring.epoch, partition, preferenceList: list, pending: joining });
    return;
  }
  const rows = list.map(({ node, role }, i) => [String(i + 1), node, role]);
  if (joining !== null) {
    const role = replaces === null ? "pending: the list grows" : `pending: is to replace ${replaces}`;
    rows.push(["+", joining.node, role]);
  }
  printTable([["PLACE", "NODE", "ROLE"], ...rows]);
}

/** What one node owns, holds and is about to. */
interface Holding {
  owned: number;
  replicas: number;
  /** Positions that are to be its own and are not. */
  coming: number;
  /** Transfers of this epoch, to it and from it. */
  receiving: number;
  sending: number;
}

function holdingsOf(ring: Ring, n: number): Map<number, Holding> {
  const holdings = new Map<number, Holding>();
  for (const { number } of ring.members)
    holdings.set(number, { owned: 0, replicas: 0, coming: 0, receiving: 0, sending: 0 });
  const add = (number: number, field: keyof Holding): void => {
    const holding = holdings.get(number);
    if (holding !== undefined) holding[field] += 1;
  };
  for (let p = 0; p < ring.partitions; p += 1) {
    add(ring.owners[p] as number, "owned");
    if (ring.goal[p] !== ring.owners[p]) add(ring.goal[p] as number, "coming");
    for (const number of ring.preferenceList(p as PartitionId, n).subarray(0, n)) add(number, "replicas");
  }
  for (const { joining, replaced } of ring.transfers()) {
    add(joining, "receiving");
    add(replaced, "sending");
  }
  return holdings;
}

function ringJson(ring: Ring, n: number): unknown {
  const nameOf = labelsIn(ring);
  const holdings = holdingsOf(ring, n);
  return {
    cluster: ring.clusterId,
    epoch: ring.epoch,
    partitions: ring.partitions,
    n,
    moving: isMoving(ring),
    nodes: ring.members.map(({ id, number, name, host, zone, weight, status }) => {
      const { owned = 0, replicas = 0, coming = 0, receiving = 0, sending = 0 } = holdings.get(number) ?? {};
      return { id, number, name, host, zone, weight, status, partitions: owned, replicas, coming, receiving, sending };
    }),
    owners: [...ring.owners].map(nameOf),
    goal: [...ring.goal].map(nameOf),
    staged: ring.staged.map(({ kind, member, by }) => {
      return { kind, node: nameOf(member), by: by === 0 ? null : nameOf(by) };
    }),
    pending: ring.transfers().map(({ partition, n: listSize, joining, replaced, position }) => {
      const replaces = replaced === 0 ? null : nameOf(replaced);
      return { partition, n: listSize, joining: nameOf(joining), replaces, position };
    }),
  };
}

function printRing(ring: Ring, n: number): void {
  const holdings = holdingsOf(ring, n);
  const present = presentIn(ring);
  print(`epoch ${ring.epoch}, ${ring.partitions} partitions, N=${n}`);
  const labelOf = memberLabels(present);
  const share = (count: number): string => `${((100 * count) / ring.partitions).toFixed(1)} %`;
  const rows = present.map(({ number, host, zone, status }, i) => {
    const { owned = 0, replicas = 0, coming = 0, receiving = 0 } = holdings.get(number) ?? {};
    const numbers = [String(owned), share(owned), String(replicas), String(coming), String(receiving)];
    return [labelOf(number), host, zone || "-", status, ...numbers, markOf(i)];
  });
  printTable([
    ["NODE", "HOST", "ZONE", "STATUS", "PARTITIONS", "SHARE", "REPLICAS", "TO COME", "RECEIVING", "LETTER"],
    ...rows,
  ]);
  print("", ...pictureOf(ring));
  for (const { kind, member, by } of ring.staged)
    print(`staged: ${kind} of ${labelOf(member)}${by === 0 ? "" : ` by ${labelOf(by)}`}`);
}

const marks = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const cellsPerRow = 64;
const rowsMax = 16;

function markOf(index: number): string {
  return marks[index] ?? "?";
}

/**
 * One letter for each position, that of its owner; small where it is to move (the digits of nodes after the 26th stay as
 * they are). With many positions one cell stands for several, by the first of them.
 */
function pictureOf(ring: Ring): string[] {
  const mark = new Map<number, string>();
  const present = presentIn(ring);
  for (const [i, { number }] of present.entries()) mark.set(number, markOf(i));
  const perCell = Math.max(1, ring.partitions / (cellsPerRow * rowsMax));
  const rows: string[] = [];
  for (let start = 0; start < ring.partitions; start += cellsPerRow * perCell) {
    let row = "";
    for (let p = start; p < Math.min(ring.partitions, start + cellsPerRow * perCell); p += perCell) {
      const letter = mark.get(ring.owners[p] as number) ?? "?";
      row += ring.goal[p] === ring.owners[p] ? letter : letter.toLowerCase();
    }
    rows.push(`${String(start).padStart(5)}  ${row}`);
  }
  const notes = perCell > 1 ? [`each letter stands for ${perCell} positions`] : [];
  if (isMoving(ring)) notes.push("small letters: positions that are to move to another owner");
  return [...rows, ...notes];
}
