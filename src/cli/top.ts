/** `ringtail top`: the keys that are read and written the most, over all nodes. */
import type { Command } from "commander";
import { bucketOf, keyOf } from "../base/full-key.ts";
import type { Ring } from "../ring/ring.ts";
import { FrameType } from "../wire/frame-types.ts";
import { type HotKey, TopKeysReply, TopKeysRequest } from "../wire/gen/codecs.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { askEvery, clusterRing, type NodeAnswer, nameIn, silentLines } from "./every-node.ts";
import { print, printJson, printTable, valueText, wholeNumber } from "./output.ts";

interface TopFlags extends AskFlags {
  readonly limit: string;
}

const limitMax = 64;

const help = `
Each node counts the keys of what it coordinates (SpaceSaving, 64 keys of gets and 64 of puts; what is 10 s old counts
half). A rate is never too low; it may be too high by what the column UP TO says is others'.`;

/** Adds the command. */
export function addTop(program: Command): void {
  const command = program
    .command("top")
    .description("the hottest keys, by gets and by puts, per node")
    .option("--limit <count>", `so many of each, 1 to ${limitMax}`, "10")
    .addHelpText("after", help);
  addAskOptions(command, 2000, ["top", "top --limit 5 --json"]).action(showTop);
}

type Answer = NodeAnswer<TopKeysReply>;
type Kind = "gets" | "puts";

/** A key over all nodes. */
interface Merged {
  readonly fullKey: Uint8Array;
  readonly cut: boolean;
  perSecond: number;
  excess: number;
  readonly nodes: { readonly node: number; readonly perSecond: number }[];
}

async function showTop(flags: TopFlags): Promise<void> {
  const limit = wholeNumber("--limit", flags.limit, 1, limitMax);
  const ring = await clusterRing(flags);
  const question = { type: FrameType.TOP_KEYS, codec: TopKeysRequest, message: {}, reply: TopKeysReply };
  const answers = await askEvery(ring, timeoutOf(flags), question);
  const kinds = ["gets", "puts"] as const;
  if (flags.json === true) {
    const tops = kinds.map((kind) => [kind, jsonOf(ring, answers, kind, limit)] as const);
    const silent = answers.filter(({ reply }) => reply === undefined);
    const unheard = silent.map(({ label, reason }) => ({ node: label, reason }));
    printJson({ ...Object.fromEntries(tops), unheard });
    return;
  }
  for (const kind of kinds) show(ring, answers, kind, limit);
  print(...silentLines(answers));
}

function totalOf(answers: readonly Answer[], kind: Kind): number {
  const rate = (reply: TopKeysReply): number => (kind === "gets" ? reply.getsPerSecond : reply.putsPerSecond);
  return answers.reduce((sum, { reply }) => sum + (reply === undefined ? 0 : rate(reply)), 0);
}

function mergedOf(answers: readonly Answer[], kind: Kind, limit: number): Merged[] {
  const found = new Map<string, Merged>();
  for (const { reply } of answers) for (const row of reply?.[kind] ?? []) add(found, row, reply?.number ?? 0);
  return [...found.values()].sort((a, b) => b.perSecond - a.perSecond).slice(0, limit);
}

function add(found: Map<string, Merged>, { fullKey, cut, perSecond, excess }: HotKey, node: number): void {
  const name = Buffer.from(fullKey).toString("latin1");
  const merged = found.get(name) ?? { fullKey, cut, perSecond: 0, excess: 0, nodes: [] };
  merged.perSecond += perSecond;
  merged.excess += excess;
  merged.nodes.push({ node, perSecond });
  found.set(name, merged);
}

function keyText({ fullKey, cut }: Merged): string {
  return `${valueText(keyOf(fullKey)).value}${cut ? "..." : ""}`;
}

function show(ring: Ring, answers: readonly Answer[], kind: Kind, limit: number): void {
  const total = totalOf(answers, kind);
  print(`${kind}: ${total.toFixed(1)} per second`);
  const rows = mergedOf(answers, kind, limit).map((key) => [
    valueText(bucketOf(key.fullKey)).value,
    keyText(key),
    key.perSecond.toFixed(1),
    `${((100 * key.perSecond) / total).toFixed(1)} %`,
    key.excess.toFixed(1),
    key.nodes.map(({ node, perSecond }) => `${nameIn(ring, node)} ${perSecond.toFixed(1)}`).join(", "),
  ]);
  if (rows.length > 0) printTable([["BUCKET", "KEY", "PER SECOND", "SHARE", "UP TO", "BY NODE"], ...rows]);
  print("");
}

function jsonOf(ring: Ring, answers: readonly Answer[], kind: Kind, limit: number): unknown {
  const total = totalOf(answers, kind);
  const keys = mergedOf(answers, kind, limit).map((key) => ({
    bucket: valueText(bucketOf(key.fullKey)).value,
    key: valueText(keyOf(key.fullKey)),
    cut: key.cut,
    perSecond: key.perSecond,
    excess: key.excess,
    share: key.perSecond / total,
    nodes: key.nodes.map(({ node, perSecond }) => ({ node: nameIn(ring, node), perSecond })),
  }));
  return { perSecond: total, keys };
}
