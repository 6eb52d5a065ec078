/** `ringtail serve`: one node in this process, as in production. SIGINT and SIGTERM stop it cleanly. */
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { readSecret } from "../io/secret.ts";
import { loadConfiguration, settingOptions } from "./configuration.ts";
import { print } from "./output.ts";

const examples = `
Examples:
  ringtail serve --config /etc/ringtail/node.json
  ringtail serve --name a --directory /var/lib/ringtail --bootstrap
  RINGTAIL_LISTEN=127.0.0.1:7402 ringtail serve --name b --directory ./b --seed-node 127.0.0.1:7401`;

/**
 * Lets the old generation grow tenfold between two full collections. V8 starts one for every 8 MiB of bytes outside its
 * heap (records on their way to the engine) while the heap itself is small: without this twice a second, 5 to 10 ms each.
 */
const heapGrowth = "--heap-growing-percent=1000";

/** Adds the command. */
export function addServe(program: Command): void {
  const command = program.command("serve").description("run one node; every setting is also a variable, RINGTAIL_...");
  command.option("--config <file>", "a JSON file of settings; see `ringtail config`");
  for (const option of settingOptions()) command.addOption(option);
  command.addHelpText("after", examples).action(serve);
}

async function serve(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { config } = loadConfiguration(flags.config as string | undefined, flags);
  setFlagsFromString(heapGrowth);
  // The node's code is loaded when there will be a node: every other command starts in half the time without it.
  const [{ pinoLog }, { startNode }] = await Promise.all([import("../io/pino-log.ts"), import("../io/run-node.ts")]);
  const log = pinoLog(config.name, config.logLevel, 2);
  if (config.insecure) log.warn("insecure: nothing is encrypted and nobody is authenticated");
  const secret = readSecret(config.secretFile);
  const node = await startNode({ config, directory: config.directory, log, secret });
  let stopping = false;
  const stop = (why: string): void => {
    if (stopping) return;
    stopping = true;
    log.info("stopping", { why });
    void node.stop().then(() => process.exit(0));
  };
  process.on("SIGINT", () => stop("SIGINT"));
  process.on("SIGTERM", () => stop("SIGTERM"));
  // Under `ringtail up`: do not outlive it.
  if (process.send !== undefined) process.on("disconnect", () => stop("the supervisor is gone"));
  // Whoever reads it may send a signal at once.
  print(`${config.name} listens on ${node.address}, data in ${config.directory}`);
  node.ready.then(
    () => print(`${config.name} is ready`),
    () => {},
  );
}
