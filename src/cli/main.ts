#!/usr/bin/env node
/** The program `ringtail`: its commands, and how each of them ends. */
import { Command, CommanderError } from "commander";
import { softwareName } from "../base/version.ts";
import { badArgument, reportError } from "./output.ts";

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

interface CommandFile {
  readonly names: readonly string[];
  readonly load: () => Promise<(program: Command) => void>;
}

/** In the order in which help shows them. */
const commandFiles: readonly CommandFile[] = [
  { names: ["up"], load: async () => (await import("./up.ts")).addUp },
  { names: ["serve"], load: async () => (await import("./serve.ts")).addServe },
  { names: ["get", "put", "delete"], load: async () => (await import("./data.ts")).addData },
  { names: ["status", "config"], load: async () => (await import("./inspect.ts")).addInspect },
  { names: ["ring"], load: async () => (await import("./ring.ts")).addRing },
  { names: ["members", "events"], load: async () => (await import("./members.ts")).addMembers },
  { names: ["cluster"], load: async () => (await import("./cluster.ts")).addCluster },
  { names: ["bucket"], load: async () => (await import("./bucket.ts")).addBucket },
  { names: ["transfers"], load: async () => (await import("./transfers.ts")).addTransfers },
  { names: ["hints"], load: async () => (await import("./hints.ts")).addHints },
  { names: ["explain"], load: async () => (await import("./explain.ts")).addExplain },
  { names: ["siblings"], load: async () => (await import("./siblings.ts")).addSiblings },
  { names: ["why"], load: async () => (await import("./why.ts")).addWhy },
  { names: ["top"], load: async () => (await import("./top.ts")).addTop },
  { names: ["repair"], load: async () => (await import("./repair.ts")).addRepair },
  { names: ["sync-point"], load: async () => (await import("./sync-point.ts")).addSyncPoint },
  { names: ["bench"], load: async () => (await import("./bench.ts")).addBench },
  { names: ["check"], load: async () => (await import("./check.ts")).addCheck },
  { names: ["sim"], load: async () => (await import("./sim.ts")).addSim },
];

/** The file of the command that is named; all of them where none is. Loading all takes longer than most commands do. */
function filesFor(name: string | undefined): readonly CommandFile[] {
  const named = commandFiles.filter(({ names }) => name !== undefined && names.includes(name));
  return named.length > 0 ? named : commandFiles;
}

async function newProgram(name: string | undefined): Promise<Command> {
  const program = new Command("ringtail");
  program
    .description("Ringtail: an always-writable, replicated key-value store")
    .version(softwareName.split("/")[1] as string);
  program.addHelpText("after", examples);
  // What follows a command is the command's, also where one above it has a flag of that name.
  program.enablePositionalOptions();
  const adders = await Promise.all(filesFor(name).map(({ load }) => load()));
  for (const add of adders) add(program);
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
  const program = await newProgram(argv[2]);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    const reported = error instanceof CommanderError ? badArgument(textOf(error, program, argv)) : error;
    process.exitCode = reportError(reported, argv.includes("--json"));
  }
}

await main(process.argv);
