/**
 * `ringtail bucket`: the buckets' policies, which are part of the ring (`ring/bucket-policy.ts`). A bucket needs none of
 * its own: it is there from its first put on, under the default policy, whose name is "".
 */
import type { Command } from "commander";
import { noBytes } from "../base/bytes.ts";
import { durabilityName, durabilityOf } from "../base/durability.ts";
import { resolverName, resolverOf } from "../base/resolver.ts";
import { bucketBytes } from "../client/options.ts";
import type { BucketPolicy } from "../ring/ring.ts";
import { RingChangeKind } from "../wire/frame-types.ts";
import { type AskFlags, addAskOptions, changeRing, firstMembers, ringAt, timeoutOf } from "./cluster-view.ts";
import { clusterRing } from "./every-node.ts";
import { badArgument, print, printJson, printTable, wholeNumber } from "./output.ts";

interface PolicyFlags extends AskFlags {
  readonly n?: string;
  readonly r?: string;
  readonly w?: string;
  readonly durability?: string;
  readonly resolver?: string;
}

/** Adds the command. */
export function addBucket(program: Command): void {
  const bucket = program.command("bucket").description("how the records of each bucket are kept: its policy");
  const add = (usage: string, description: string, examples: readonly string[]): Command =>
    addAskOptions(bucket.command(usage).description(description), 2000, examples);
  add("list", "the policies that there are", ["bucket list", "bucket list --json"]).action(list);
  add("show <name>", 'the policy that a bucket has, its own or the default; "" is the default', [
    "bucket show carts",
    'bucket show "" --json',
  ]).action(show);
  const addChange = (usage: string, description: string, examples: readonly string[]): Command =>
    add(usage, description, examples)
      .option("--n <n>", "copies of each record: fixed, so only what it is already")
      .option("--r <r>", "replicas that answer a get")
      .option("--w <w>", "replicas that acknowledge a put")
      .option("--durability <mode>", "memory, buffered, one-durable or durable")
      .option(
        "--resolver <resolver>",
        "siblings: concurrent puts are all kept; lww: the last one wins, others are lost",
      );
  addChange("create <name>", "give a bucket a policy of its own; refused if it has one", [
    "bucket create sessions --resolver lww",
  ]).action((name, flags) => change(name, flags, true));
  addChange("set <name>", 'change a bucket\'s policy; "" is the one of every bucket that has none of its own', [
    "bucket set sessions --resolver lww",
    "bucket set carts --w 3 --durability durable",
  ]).action((name, flags) => change(name, flags, false));
}

function told({ name, n, r, w, durability, resolver, version }: BucketPolicy): Readonly<Record<string, unknown>> {
  return { name, n, r, w, durability: durabilityName(durability), resolver: resolverName(resolver), version };
}

async function list(flags: AskFlags): Promise<void> {
  const { buckets, epoch } = await clusterRing(flags);
  if (flags.json === true) {
    printJson({ epoch, buckets: buckets.map(told) });
    return;
  }
  printPolicies(buckets);
}

function printPolicies(policies: readonly BucketPolicy[]): void {
  const rows = policies.map(({ name, n, r, w, durability, resolver }) => [
    name === "" ? "(all others)" : name,
    ...[n, r, w].map(String),
    durabilityName(durability),
    resolverName(resolver),
  ]);
  printTable([["BUCKET", "N", "R", "W", "DURABILITY", "RESOLVER"], ...rows]);
}

/** A bucket's name in bytes; none for the default policy's. */
function nameBytes(name: string): Uint8Array {
  return name === "" ? noBytes : bucketBytes(name);
}

async function show(name: string, flags: AskFlags): Promise<void> {
  const bytes = nameBytes(name);
  const ring = await clusterRing(flags);
  const policy = ring.policyOf(bytes);
  if (flags.json === true) printJson({ epoch: ring.epoch, bucket: name, policy: told(policy) });
  else printPolicies([policy]);
}

async function change(name: string, flags: PolicyFlags, isNew: boolean): Promise<void> {
  const bytes = nameBytes(name);
  const { address } = await firstMembers(flags);
  const before = (await ringAt(address, timeoutOf(flags))).policyOf(bytes);
  if (isNew && before.name === name) throw badArgument(`${name || "the default"} has a policy already: use bucket set`);
  const count = (flag: "n" | "r" | "w"): number => {
    const text = flags[flag];
    return text === undefined ? before[flag] : wholeNumber(`--${flag}`, text, 1, before.n);
  };
  const { durability, resolver } = flags;
  const policy: BucketPolicy = {
    name,
    n: count("n"),
    r: count("r"),
    w: count("w"),
    durability: durability === undefined ? before.durability : durabilityOf(durability),
    resolver: resolver === undefined ? before.resolver : resolverOf(resolver),
    version: before.version + 1,
  };
  if (!isNew && saysTheSame(policy, before))
    throw badArgument("nothing is to be changed: give another --r, --w, --durability or --resolver");
  const epoch = await changeRing(address, { kind: RingChangeKind.setBucket, policy });
  if (flags.json === true) printJson({ epoch, policy: told(policy) });
  else print(`${name === "" ? "the default policy" : name} is set (epoch ${epoch})`);
}

function saysTheSame(a: BucketPolicy, b: BucketPolicy): boolean {
  return a.n === b.n && a.r === b.r && a.w === b.w && a.durability === b.durability && a.resolver === b.resolver;
}
