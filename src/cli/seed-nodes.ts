/**
 * `--seed-node`, which every command that talks to a cluster takes, and its variable: that of `ringtail serve`, which is
 * named after its setting. `RINGTAIL_SEED_NODE` is what it was called first, and goes on working.
 */
import type { Command } from "commander";
import { parseAddress, readSetting } from "../node/config.ts";

/** Where a local cluster's first node listens. */
const usual = "127.0.0.1:7401";

/** What the option leaves. */
export interface SeedFlags {
  readonly seedNode?: readonly string[];
}

/** Adds the option to a command; it may be given several times. */
export function addSeedNodes(command: Command): Command {
  return command.option(
    "--seed-node <address>",
    `a node to ask first, HOST:PORT; may be repeated (default: RINGTAIL_SEED_NODES, or ${usual})`,
    (value: string, before: string[] | undefined) => [...(before ?? []), value],
  );
}

/** The seed nodes that were given, by flag, by variable, or the usual one; throws `INVALID_ARGUMENT` on a bad address. */
export function seedNodesOf(flags: SeedFlags): readonly string[] {
  if (flags.seedNode !== undefined) return checked("--seed-node", flags.seedNode);
  for (const variable of ["RINGTAIL_SEED_NODES", "RINGTAIL_SEED_NODE"]) {
    const listed = readSetting("seedNodes", process.env[variable] ?? "") as readonly string[];
    if (listed.length > 0) return checked(variable, listed);
  }
  return [usual];
}

function checked(what: string, addresses: readonly string[]): readonly string[] {
  for (const address of addresses) parseAddress(what, address);
  return addresses;
}
