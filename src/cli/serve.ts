/** `ringtail serve`: one node in this process, as in production. SIGINT and SIGTERM stop it cleanly. */
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import type { AdminServer } from "../admin/server.ts";
import { RingtailError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { readSecret } from "../io/secret.ts";
import type { NodeConfig } from "../node/config.ts";
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
  if (!config.withoutRehearsal) await runRehearsal(log);
  const admin = await openAdmin(config, log);
  const node = await startNode({ config, directory: config.directory, log, secret });
  admin?.serve(node.address);
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

/** A node that cannot rehearse serves all the same, and is slow in the first moments of whatever is new. */
async function runRehearsal(log: Logger): Promise<void> {
  const { rehearse } = await import("../sim/rehearsal.ts");
  const begun = performance.now();
  try {
    const { operations, joined } = rehearse();
    log.info("rehearsed", { ms: Math.round(performance.now() - begun), operations, joined });
  } catch (error) {
    log.warn("the rehearsal failed", { reason: error instanceof Error ? error.message : String(error) });
  }
}

/** The admin endpoint. Without one where it was asked for the node does not start; at its usual place it may be missing. */
async function openAdmin({ adminListen, listen }: NodeConfig, log: Logger): Promise<AdminServer | undefined> {
  if (adminListen === "off") return undefined;
  const { AdminServer, usualAdminAddress } = await import("../admin/server.ts");
  const address = adminListen === "" ? usualAdminAddress(listen) : adminListen;
  try {
    if (address === undefined) throw new RingtailError("INVALID_ARGUMENT", `no port is 80 above that of ${listen}`);
    const admin = await AdminServer.listen(address);
    log.info("dashboard and metrics", { url: `http://${admin.address}` });
    return admin;
  } catch (error) {
    if (adminListen !== "" || !(error instanceof RingtailError)) throw error;
    log.warn("no dashboard and no metrics; adminListen says where, or off", { reason: error.message });
    return undefined;
  }
}
