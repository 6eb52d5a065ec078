/** `ringtail repair`: how far each node is with comparing replicas, and what a partition's owners differ by. */
import type { Command } from "commander";
import { codeOf, RingtailError, statusOk } from "../base/errors.ts";
import { bucketOf, keyOf } from "../base/full-key.ts";
import { ask } from "../io/ask.ts";
import { treeN, treePartition } from "../repair/merkle-tree.ts";
import type { Ring } from "../ring/ring.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  type RepairPreviewKey,
  RepairPreviewReply,
  RepairPreviewRequest,
  type RepairStatusReply,
} from "../wire/gen/codecs.ts";
import { previewRowsMax } from "../wire/limits.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import {
  askEvery,
  bytesText,
  clusterRing,
  headOf,
  type NodeAnswer,
  nameIn,
  secondsText,
  silentLines,
} from "./every-node.ts";
import { print, printJson, printTable, valueText, wholeNumber } from "./output.ts";
import { repairQuestion } from "./questions.ts";

interface PreviewFlags extends AskFlags {
  readonly keys: string;
}

const relations = ["same", "behind", "ahead", "diverged", "unreadable", "damaged"];

/** Adds the commands. */
export function addRepair(program: Command): void {
  const repair = program
    .command("repair")
    .description("how far each node is with comparing its replicas with the other owners'")
    .enablePositionalOptions();
  addAskOptions(repair, 1000, ["repair", "repair --json", "repair preview 17"]).action(showRepair);

  const preview = repair
    .command("preview <partition>")
    .description("the keys by which a partition's first owner differs from the others; moves nothing")
    .option("--keys <count>", "keys to show of each owner", "20");
  const examples = ["repair preview 17", "repair preview 17 --keys 1000 --json"];
  addAskOptions(preview, 60_000, examples).action(showPreview);
}

async function showRepair(flags: AskFlags): Promise<void> {
  const ring = await clusterRing(flags);
  const answers = await askEvery(ring, timeoutOf(flags), repairQuestion());
  if (flags.json === true) {
    printJson({ epoch: ring.epoch, nodes: answers.map((answer) => documentOf(ring, answer)) });
    return;
  }
  const rows = answers.flatMap(({ label, reply }) => (reply === undefined ? [] : [lineOf(ring, label, reply)]));
  printTable([
    ["NODE", "PAIRS", "OLDEST UNVERIFIED", "WITH", "PARTITION", "LAST EXCHANGE", "REPAIRED", "NOT SYNCED", "SHARE"],
    ...rows,
  ]);
  print(...silentLines(answers));
}

function agoOf(reply: RepairStatusReply, at: number): number {
  return Math.max(0, (reply.nowUs - at) / 1_000_000);
}

function documentOf(ring: Ring, answer: NodeAnswer<RepairStatusReply>): unknown {
  const { reply } = answer;
  if (reply === undefined) return headOf(answer);
  const oldest = {
    peer: reply.oldestPeer,
    peerName: nameIn(ring, reply.oldestPeer),
    partition: treePartition(reply.oldestTree),
    n: treeN(reply.oldestTree),
    secondsAgo: agoOf(reply, reply.verifiedUs),
  };
  const last = {
    peer: reply.lastPeer,
    peerName: nameIn(ring, reply.lastPeer),
    secondsAgo: agoOf(reply, reply.lastUs),
    error: reply.lastStatus === statusOk ? null : codeOf(reply.lastStatus),
    trees: reply.lastTrees,
    repaired: reply.lastRepaired,
  };
  return {
    ...headOf(answer),
    pairs: reply.pairs,
    oldestUnverified: reply.oldestPeer === 0 ? null : oldest,
    lastExchange: reply.lastPeer === 0 ? null : last,
    unsyncedReplicas: reply.unsynced,
    slices: reply.slices,
    slicesMax: reply.slicesMax,
    counters: Object.fromEntries(reply.counters.map(({ name, value }) => [name, value])),
  };
}

function lineOf(ring: Ring, node: string, reply: RepairStatusReply): string[] {
  const oldest = reply.oldestPeer !== 0;
  const error = reply.lastStatus === statusOk ? "" : `, ${codeOf(reply.lastStatus)}`;
  const last = `${nameIn(ring, reply.lastPeer)}, ${secondsText(agoOf(reply, reply.lastUs))} ago${error}`;
  return [
    node,
    String(reply.pairs),
    oldest ? secondsText(agoOf(reply, reply.verifiedUs)) : "-",
    oldest ? nameIn(ring, reply.oldestPeer) : "-",
    oldest ? String(treePartition(reply.oldestTree)) : "-",
    reply.lastPeer === 0 ? "-" : last,
    String(reply.lastRepaired),
    String(reply.unsynced),
    `${Math.round((100 * reply.slices) / Math.max(1, reply.slicesMax))} %`,
  ];
}

async function showPreview(text: string, flags: PreviewFlags): Promise<void> {
  const ring = await clusterRing({ ...flags, timeoutMs: "5000" });
  const partition = wholeNumber("the partition", text, 0, ring.partitions - 1);
  const keysMax = wholeNumber("--keys", flags.keys, 1, previewRowsMax);
  const owners = ring.preferenceList(partition as never, ring.listSizes[ring.listSizes.length - 1] as number);
  const asked = ring.member(owners[0] as never);
  if (asked === undefined) throw new RingtailError("WRONG_OWNER", `partition ${partition} has no owner`);
  const node = nameIn(ring, asked.number);
  const reply = await ask({
    address: asked.address,
    timeoutMs: timeoutOf(flags),
    type: FrameType.REPAIR_PREVIEW,
    codec: RepairPreviewRequest,
    message: { partition, keysMax },
    reply: RepairPreviewReply,
  });
  if (flags.json === true) {
    const peers = reply.peers.map(({ peer, status, refused, keys, rows }) => ({
      peer: nameIn(ring, peer),
      number: peer,
      error: status === statusOk ? null : codeOf(status),
      refused,
      keys,
      rows: rows.map(rowOf),
    }));
    printJson({ epoch: reply.epoch, partition, node, peers });
    return;
  }
  for (const { peer, status, refused, keys, rows } of reply.peers) {
    const failed = status !== statusOk ? `could not be compared: ${codeOf(status)}` : "does not compare it now";
    const told = status !== statusOk || refused ? failed : `${keys} keys differ`;
    print(`partition ${partition}, ${node} and ${nameIn(ring, peer)}: ${told}`);
    if (rows.length === 0) continue;
    const table = rows.map(rowOf).map((row) => {
      return [row.bucket, row.key, row.relation, bytesText(row.bytesHere), bytesText(row.bytesThere)];
    });
    printTable([["BUCKET", "KEY", `${node.toUpperCase()} IS`, "BYTES HERE", "BYTES THERE"], ...table]);
  }
}

function rowOf({ fullKey, relation, bytesHere, bytesThere }: RepairPreviewKey): {
  readonly bucket: string;
  readonly key: string;
  readonly relation: string;
  readonly bytesHere: number;
  readonly bytesThere: number;
} {
  const bucket = valueText(bucketOf(fullKey)).value;
  const key = valueText(keyOf(fullKey)).value;
  return { bucket, key, relation: relations[relation] ?? "unknown", bytesHere, bytesThere };
}
