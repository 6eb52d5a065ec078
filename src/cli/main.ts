#!/usr/bin/env node
/** The program `ringtail`: its commands, and how each of them ends. */
import { Command, CommanderError } from "commander";
import { softwareName } from "../base/version.ts";
import { addBench } from "./bench.ts";
import { addBucket } from "./bucket.ts";
import { addCheck } from "./check.ts";
import { addCluster } from "./cluster.ts";
import { addData } from "./data.ts";
import { addExplain } from "./explain.ts";
import { addHints } from "./hints.ts";
import { addInspect } from "./inspect.ts";
import { addMembers } from "./members.ts";
import { badArgument, reportError } from "./output.ts";
import { addRepair } from "./repair.ts";
import { addRing } from "./ring.ts";
import { addServe } from "./serve.ts";
import { addSiblings } from "./siblings.ts";
import { addSim } from "./sim.ts";
import { addSyncPoint } from "./sync-point.ts";
import { addTop } from "./top.ts";
import { addTransfers } from "./transfers.ts";
import { addUp } from "./up.ts";
import { addWhy } from "./why.ts";

const examples = `
Examples:
  ringtail up                              a local cluster of three nodes
  ringtail put carts alice '{"items":[]}'  store a value
  ringtail get carts alice                 every sibling, and the context
  ringtail status                          who is there
  ringtail why                             what made the slowest operations slow
  ringtail cluster join d                  let a node in: then cluster plan, cluster commit
  ringtail bench --workload a              load, with a percentile report

Ends with 0 on success, 1 when a key is not there, 2 and above for errors (README.md has the table).`;

function newProgram(): Command {
  const program = new Command("ringtail");
  program
    .description("Ringtail: an always-writable, replicated key-value store")
    .version(softwareName.split("/")[1] as string);
  program.addHelpText("after", examples);
  // What follows a command is the command's, also where one above it has a flag of that name.
  program.enablePositionalOptions();
  for (const add of [
    addUp,
    addServe,
    addData,
    addInspect,
    addRing,
    addMembers,
    addCluster,
    addBucket,
    addTransfers,
    addHints,
    addExplain,
    addSiblings,
    addWhy,
    addTop,
    addRepair,
    addSyncPoint,
    addBench,
    addCheck,
    addSim,
  ])
    add(program);
  const subcommands = program.commands.flatMap((command) => command.commands);
  for (const command of [program, ...program.commands, ...subcommands]) {
    command.exitOverride().showSuggestionAfterError(true);
    // What is wrong is told once, in one line, by `main`.
    command.configureOutput({ outputError: () => {}, writeErr: () => {} });
  }
  return program;
}

/** What was wrong with the arguments, in one line. */
function textOf(error: CommanderError, program: Command, argv: readonly string[]): string {
  if (error.code !== "commander.help") return error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  const group = program.commands.find((command) => command.name() === argv[2]) ?? program;
  const path = group === program ? "ringtail" : `ringtail ${group.name()}`;
  const names = group.commands.map((command) => command.name());
  return `no command; allowed: ${names.join(", ")} (see ${path} --help)`;
}

async function main(argv: readonly string[]): Promise<void> {
  // Whoever reads the output may have read enough (`| head`).
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  const program = newProgram();
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const reported = error instanceof CommanderError ? badArgument(textOf(error, program, argv)) : error;
    process.exitCode = reportError(reported, argv.includes("--json"));
  }
}

await main(process.argv);
