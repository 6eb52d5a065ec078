/**
 * `ringtail up`: a local cluster in the foreground, one process per node, each under a host label of its own. The same
 * `--dir` brings the data back. A node that dies is reported and started again; Ctrl-C stops all of them cleanly.
 */
import type { Command } from "commander";
import { LocalCluster } from "./local-cluster.ts";
import { badArgument, print, wholeNumber } from "./output.ts";

const examples = `
Examples:
  ringtail up
  ringtail up --nodes 5 --dir ./five --base-port 7501
  ringtail up --durability buffered

DIR holds a directory and a log file per node, and the cluster's secret. How many nodes there are, their ports and the
default durability are settled when the cluster is made; later calls need only --dir.`;

interface UpFlags {
  readonly nodes?: string;
  readonly dir: string;
  readonly basePort?: string;
  readonly durability?: string;
  readonly memory?: boolean;
  readonly restart: boolean;
}

/** Adds the command. */
export function addUp(program: Command): void {
  program
    .command("up")
    .description("a local cluster in the foreground: real processes on RocksDB")
    .option("--nodes <count>", "how many nodes (default: 3)")
    .option("--dir <directory>", "where data and logs are kept", "ringtail-cluster")
    .option("--base-port <port>", "the first node's port; the others count up (default: 7401)")
    .option("--durability <mode>", "default durability of the new cluster (default: one-durable)")
    .option("--memory", "the same as --durability memory")
    .option("--no-restart", "leave a node that dies down")
    .addHelpText("after", examples)
    .action(up);
}

async function up(flags: UpFlags): Promise<void> {
  if (flags.memory === true && (flags.durability ?? "memory") !== "memory")
    throw badArgument(`both --memory and --durability ${flags.durability} were given; allowed: one of them`);
  if (flags.dir === "") throw badArgument("--dir is empty; allowed: a directory");
  const cluster = new LocalCluster({
    directory: flags.dir,
    nodes: flags.nodes === undefined ? undefined : wholeNumber("--nodes", flags.nodes, 1, 64),
    basePort: flags.basePort === undefined ? undefined : wholeNumber("--base-port", flags.basePort, 1, 65_000),
    durability: flags.memory === true ? "memory" : flags.durability,
    restart: flags.restart,
    say: print,
  });
  const stop = (): void => {
    void cluster.stop().then(() => process.exit(0));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  await cluster.start();
}
