/** `ringtail siblings`: the branches of one key, and which node made each of them. */
import type { Command } from "commander";
import { hexOf } from "../base/bytes.ts";
import { versionsOf, withClient } from "./data.ts";
import { nameIn } from "./every-node.ts";
import { dotText, nodeOf } from "./explain.ts";
import { exitNotFound, type JsonOption, print, printJson, printTable, valueText } from "./output.ts";
import { addSeedNodes, type SeedFlags } from "./seed-nodes.ts";

/** Characters of a value that a line has room for. */
const shownMax = 60;

/** Adds the command. */
export function addSiblings(program: Command): void {
  const command = program
    .command("siblings <bucket> <key>")
    .description("the branches of a key: which node made each, with which write, and what it holds");
  const examples = ["ringtail siblings carts alice", "ringtail siblings carts alice --json"];
  addSeedNodes(command)
    .option("--json", "print JSON")
    .addHelpText("after", `\nExamples:\n  ${examples.join("\n  ")}\n\nEnds with 1 when there is no such key.`)
    .action(siblings);
}

async function siblings(bucket: string, key: string, flags: JsonOption & SeedFlags): Promise<void> {
  const branches = await withClient(flags, async (client) => {
    const found = await client.bucket(bucket).get(key);
    return versionsOf(found).map(({ value, version: { tombstone, dots, requestId } }) => {
      const makers = new Set(dots.map(({ actorHigh }) => nameIn(client.ring, nodeOf(actorHigh))));
      const made = { by: [...makers], dots: dots.map(dotText), requestId: hexOf(requestId) };
      return { ...made, tombstone, bytes: value.length, ...valueText(value) };
    });
  });
  if (branches.every(({ tombstone }) => tombstone)) process.exitCode = exitNotFound;
  if (flags.json === true) {
    printJson({ bucket, key, siblings: branches });
    return;
  }
  if (branches.length === 0) print(`no such key: ${bucket} ${key}`);
  else printTable([["MADE BY", "DOTS", "REQUEST", "BYTES", "VALUE"], ...branches.map(rowOf)]);
}

function rowOf(branch: {
  readonly by: readonly string[];
  readonly dots: readonly string[];
  readonly requestId: string;
  readonly tombstone: boolean;
  readonly bytes: number;
  readonly value: string;
}): string[] {
  const { by, dots, requestId, tombstone, bytes, value } = branch;
  const line = value.replace(/\s+/g, " ");
  const shown = line.length > shownMax ? `${line.slice(0, shownMax)} ...` : line;
  return [by.join(" "), dots.join(" "), requestId, tombstone ? "" : String(bytes), tombstone ? "(deleted)" : shown];
}
