/** `--seed-node`, which every command that talks to a cluster takes, and its variable. */
import type { Command } from "commander";
import { parseAddress } from "../node/config.ts";

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
    `a node to ask first, HOST:PORT; may be repeated (default: RINGTAIL_SEED_NODE, or ${usual})`,
    (value: string, before: string[] | undefined) => [...(before ?? []), value],
  );
}

/** The seed nodes that were given, by flag, by variable, or the usual one; throws `INVALID_ARGUMENT` on a bad address. */
export function seedNodesOf(flags: SeedFlags): readonly string[] {
  if (flags.seedNode !== undefined) return checked("--seed-node", flags.seedNode);
  const variable = "RINGTAIL_SEED_NODE";
  const value = process.env[variable];
  return value === undefined ? [usual] : checked(variable, value.split(","));
}

function checked(what: string, addresses: readonly string[]): readonly string[] {
  for (const address of addresses) parseAddress(what, address);
  return addresses;
}
