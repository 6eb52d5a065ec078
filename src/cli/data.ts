/** `ringtail get`, `put` and `delete`: data by hand, with contexts, siblings and receipts in sight. */
import type { Command } from "commander";
import { hexOf } from "../base/bytes.ts";
import { durabilityOf } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { Context } from "../client/context.ts";
import type { WriteOptions } from "../client/options.ts";
import type { Ack, Receipt } from "../client/receipt.ts";
import type { GetResult, SiblingVersion } from "../client/results.ts";
import { RingtailClient } from "../io/ringtail-client.ts";
import { valueBytesMax } from "../wire/limits.ts";
import {
  badArgument,
  exitNotFound,
  type JsonOption,
  print,
  printJson,
  readNamed,
  valueText,
  wholeNumber,
} from "./output.ts";
import { addSeedNodes, type SeedFlags, seedNodesOf } from "./seed-nodes.ts";

interface DataFlags extends JsonOption, SeedFlags {
  readonly timeoutMs?: string;
  readonly context?: string;
  readonly durability?: string;
  readonly strict?: boolean;
  readonly file?: string;
  readonly raw?: boolean;
  readonly n?: string;
  readonly r?: string;
  readonly w?: string;
  readonly pr?: string;
  readonly pw?: string;
  readonly dw?: string;
  readonly hostConfirms?: string;
}

function addCommon(command: Command): Command {
  return addSeedNodes(command)
    .option("--n <count>", "ask only so many of the key's owners")
    .option("--host-confirms <count>", "how many distinct hosts must answer")
    .option("--strict", "count owners only")
    .option("--timeout-ms <ms>", "the deadline of the request, once the cluster is reached (default: 1000)")
    .option("--json", "print JSON");
}

function addWriting(command: Command): Command {
  return addCommon(command)
    .option("--context <text>", "what a get or put returned: exactly what was read is replaced")
    .option("--w <count>", "how many replicas must acknowledge")
    .option("--pw <count>", "how many owners must acknowledge")
    .option("--dw <count>", "how many acknowledgements must come after a sync")
    .option("--durability <mode>", "memory, buffered, one-durable or durable");
}

/** Adds the commands. */
export function addData(program: Command): void {
  addCommon(program.command("get").description("every sibling of a key, and the context for the next put"))
    .argument("<bucket>")
    .argument("<key>")
    .option("--r <count>", "how many replicas must answer")
    .option("--pr <count>", "how many owners must answer")
    .option("--raw", "write the bytes of the only value, and nothing else")
    .addHelpText(
      "after",
      "\nExamples:\n  ringtail get carts alice\n  ringtail get carts alice --json\n  ringtail get files logo --raw > logo.png\n\nEnds with 1 when there is no such key.",
    )
    .action(get);
  addWriting(
    program.command("put").description("store a value; without --context it becomes a sibling of what is there"),
  )
    .argument("<bucket>")
    .argument("<key>")
    .argument("[value]", 'the value; "-", or none with a pipe: standard input')
    .option("--file <path>", "take the value from a file")
    .addHelpText(
      "after",
      "\nExamples:\n  ringtail put carts alice '[\"book\"]'\n  ringtail put carts alice '[]' --context AQB...\n  ringtail put files logo --file logo.png\n  echo hello | ringtail put notes one -",
    )
    .action(put);
  addWriting(program.command("delete").description("delete what --context covers; without one, what is there now"))
    .argument("<bucket>")
    .argument("<key>")
    .addHelpText("after", "\nExamples:\n  ringtail delete carts alice\n  ringtail delete carts alice --context AQB...")
    .action(remove);
}

function optionsOf(flags: DataFlags): WriteOptions {
  const options: Record<string, unknown> = {};
  for (const name of ["n", "r", "w", "pr", "pw", "dw", "hostConfirms"] as const) {
    const text = flags[name];
    const flag = name === "hostConfirms" ? "--host-confirms" : `--${name}`;
    if (text !== undefined) options[name] = wholeNumber(flag, text, 1, 7);
  }
  if (flags.timeoutMs !== undefined) options.timeoutMs = wholeNumber("--timeout-ms", flags.timeoutMs, 1, 600_000);
  if (flags.strict === true) options.strict = true;
  if (flags.durability !== undefined) {
    durabilityOf(flags.durability);
    options.durability = flags.durability;
  }
  return options as WriteOptions;
}

/** A client for the time of one command. */
export async function withClient<T>(flags: SeedFlags, work: (client: RingtailClient) => Promise<T>): Promise<T> {
  const client = await RingtailClient.connect({ seedNodes: seedNodesOf(flags) });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

function contextOf(flags: DataFlags): { readonly context?: Context } {
  return flags.context === undefined ? {} : { context: Context.parse(flags.context) };
}

function ackText({ node, role, durable, times }: Ack): string {
  const after = times === undefined ? "" : `, after ${times.answeredMs.toFixed(1)} ms`;
  return `${node} (${role}${durable ? ", durable" : ""}${after})`;
}

/** Who answered, and the parts of the time that are known and took any. */
function receiptText({ acks, elapsedMs, times, completedBy }: Receipt): string {
  const parts = { coordinator: times.coordinatorMs, wire: times.wireMs, queue: times.queueMs, stood: times.stoodMs };
  const shown = Object.entries(parts).filter(([, ms]) => ms !== undefined && ms >= 0.05);
  const spent = shown.map(([name, ms]) => `${name} ${ms?.toFixed(1)}`).join(", ");
  const by = completedBy === undefined ? "" : `, completed by ${completedBy}`;
  return `${acks.map(ackText).join(", ")} in ${elapsedMs.toFixed(1)} ms${spent === "" ? "" : ` (${spent})`}${by}`;
}

/** Every sibling and tombstone, in the record's order, beside its value. */
export function versionsOf(
  found: GetResult<Uint8Array>,
): readonly { readonly value: Uint8Array; readonly version: SiblingVersion }[] {
  let next = 0;
  return found.versions.map((version) => {
    const value = version.tombstone ? new Uint8Array(0) : (found.siblings[next] as Uint8Array);
    if (!version.tombstone) next += 1;
    return { value, version };
  });
}

/** A version as `get --json` shows it. */
function versionJson({ tombstone, dots, requestId }: SiblingVersion): Readonly<Record<string, unknown>> {
  const actorOf = (high: number, low: number): string =>
    [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
  const texts = dots.map(({ actorHigh, actorLow, counter }) => `${actorOf(actorHigh, actorLow)}:${counter}`);
  return { tombstone, dots: texts, requestId: hexOf(requestId) };
}

async function get(bucket: string, key: string, flags: DataFlags): Promise<void> {
  const options = optionsOf(flags);
  const found = await withClient(flags, (client) => client.bucket(bucket).get(key, options));
  const versions = versionsOf(found);
  if (found.siblings.length === 0) process.exitCode = exitNotFound;
  const context = String(found.context);
  if (flags.json === true) {
    const siblings = versions.map(({ value, version }) => ({ ...valueText(value), ...versionJson(version) }));
    printJson({ bucket, key, found: found.siblings.length > 0, siblings, context, receipt: found.receipt });
    return;
  }
  if (flags.raw === true) {
    if (found.siblings.length > 1)
      throw badArgument(`--raw needs one value, but the key has ${found.siblings.length} siblings`);
    if (found.siblings[0] !== undefined) process.stdout.write(found.siblings[0]);
    return;
  }
  if (versions.length === 0) print(`no such key: ${bucket} ${key}`);
  for (const [i, { value, version }] of versions.entries()) {
    const label = versions.length === 1 ? "value" : `sibling ${i + 1} of ${versions.length}`;
    const text = valueText(value);
    print(
      version.tombstone
        ? `${label}  (deleted)`
        : `${label}  ${text.value}${text.encoding === "base64" ? "  (base64)" : ""}`,
    );
  }
  print(`context  ${context}`, `answered by  ${receiptText(found.receipt)}`);
}

/** All of standard input; not with `readFileSync`, which fails where it is a pipe that has nothing yet. */
async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Uint8Array);
    length += (chunk as Uint8Array).length;
    if (length > valueBytesMax)
      throw new RingtailError("VALUE_TOO_LARGE", `standard input has more than the ${valueBytesMax} bytes of a value`);
  }
  return Buffer.concat(chunks);
}

async function readValue(given: string | undefined, flags: DataFlags): Promise<Uint8Array> {
  if (flags.file !== undefined) {
    if (given !== undefined) throw badArgument("both a value and --file were given; allowed: one of them");
    return readNamed(flags.file);
  }
  if (given !== undefined && given !== "-") return Buffer.from(given, "utf8");
  if (given === undefined && process.stdin.isTTY)
    throw badArgument("no value; allowed: VALUE, --file PATH, or standard input");
  const input = await readInput();
  if (input.length > 0 || given === "-") return input;
  throw badArgument('no value, and nothing on standard input; allowed: VALUE ("" for an empty one), --file PATH, or -');
}

async function put(bucket: string, key: string, given: string | undefined, flags: DataFlags): Promise<void> {
  const options = { ...optionsOf(flags), ...contextOf(flags) };
  const value = await readValue(given, flags);
  const { context, receipt } = await withClient(flags, (client) => client.bucket(bucket).put(key, value, options));
  if (flags.json === true) printJson({ bucket, key, context: String(context), receipt });
  else print(`stored ${value.length} bytes`, `context  ${context}`, `acknowledged by  ${receiptText(receipt)}`);
}

async function remove(bucket: string, key: string, flags: DataFlags): Promise<void> {
  const options = { ...optionsOf(flags), ...contextOf(flags) };
  const { context, receipt } = await withClient(flags, (client) => client.bucket(bucket).delete(key, options));
  if (flags.json === true) printJson({ bucket, key, context: String(context), receipt });
  else print("deleted", `context  ${context}`, `acknowledged by  ${receiptText(receipt)}`);
}
