/** `ringtail status` and `config`: who is there, and how a node is set up. */
import type { Command } from "commander";
import { type NodeStatus, stateOf, statusDocument, statusOfAll } from "../admin/cluster-status.ts";
import { durabilityName } from "../base/durability.ts";
import { ask } from "../io/ask.ts";
import { type Setting, settings } from "../node/config.ts";
import { type AskFlags, addAskOptions, timeoutOf } from "./cluster-view.ts";
import { flagOf, loadConfiguration, settingOptions, variableOf } from "./configuration.ts";
import { clusterRing } from "./every-node.ts";
import { print, printJson, printTable } from "./output.ts";
import { statusQuestion } from "./questions.ts";

/** Adds the commands. */
export function addInspect(program: Command): void {
  const status = program.command("status").description("the cluster and its nodes, as each node answers for itself");
  addAskOptions(status, 1000, ["status", "status --seed-node 127.0.0.1:7402 --json"]).action(showStatus);

  const config = program
    .command("config")
    .description("every setting: its value, source, flag, variable and meaning")
    .option("--config <file>", "what a node would run with under this file, the variables and flags");
  addAskOptions(config, 1000, [
    "config",
    "config --config node.json",
    "config --seed-node 127.0.0.1:7401   (of a running node)",
  ]);
  for (const option of settingOptions()) if (option.attributeName() !== "seedNodes") config.addOption(option);
  config.action(showConfig);
}

async function showStatus(flags: AskFlags): Promise<void> {
  const ring = await clusterRing(flags);
  const answers = await statusOfAll(ring, timeoutOf(flags));
  if (flags.json === true) {
    printJson(statusDocument(ring, answers));
    return;
  }
  const { n, r, w, durability } = ring.policyOf(new Uint8Array(0));
  print(
    `cluster ${ring.clusterId}  epoch ${ring.epoch}  partitions ${ring.partitions}  N=${n} R=${r} W=${w} ${durabilityName(durability)}`,
  );
  const heads = ["NODE", "ADDRESS", "HOST", "ZONE", "STATE", "PID", "GET P99.9", "PUT P99.9", ""];
  printTable([heads, ...answers.map(statusRow)]);
  if (answers.some(({ reply }) => reply?.insecure === true))
    print("insecure: nothing is encrypted and nobody is authenticated");
}

function statusRow(answer: NodeStatus): string[] {
  const { member, reply, reason } = answer;
  const latency = (name: string): string => {
    const found = reply?.latencies.find((one) => one.name === name && one.count > 0);
    return found === undefined ? "-" : `${(found.p999Us / 1000).toFixed(1)} ms`;
  };
  const pid = reply === undefined ? "-" : String(reply.pid);
  const { name, address, host, zone } = member;
  return [name, address, host, zone || "-", stateOf(answer), pid, latency("get"), latency("put"), reason];
}

/** A setting's value, and where it is from. */
type ValueOf = (key: string) => { readonly value: string; readonly source: string };

async function showConfig(flags: AskFlags & Readonly<Record<string, unknown>>): Promise<void> {
  const running = flags.seedNode?.[0];
  const lookUp = running === undefined ? ownConfig(flags) : await configAt(running, timeoutOf(flags));
  if (flags.json === true) {
    printJson(settings.map((setting) => settingJson(setting, lookUp)));
    return;
  }
  for (const setting of settings) {
    const { value, source } = lookUp(setting.key);
    const range = setting.min === undefined ? "" : `, ${setting.min} to ${setting.max}`;
    const unit = setting.unit === undefined ? "" : ` ${setting.unit}`;
    print(
      `${setting.key} = ${value === "" ? '""' : value}${unit}  (${source}${range}; ${flagOf(setting)}; ${variableOf(setting)})`,
      `    ${setting.help}`,
    );
  }
}

/** What a node would run with. */
function ownConfig(flags: Readonly<Record<string, unknown>>): ValueOf {
  const { config, sources } = loadConfiguration(flags.config as string | undefined, flags);
  return (key) => ({ value: String(config[key as keyof typeof config]), source: sources.get(key) ?? "default" });
}

async function configAt(address: string, timeoutMs: number): Promise<ValueOf> {
  const { config } = await ask({ address, timeoutMs, ...statusQuestion(true) });
  const entries = new Map(config.map((entry) => [entry.key, entry]));
  return (key) => entries.get(key) ?? { value: "", source: "unknown" };
}

function settingJson(setting: Setting, lookUp: ValueOf): unknown {
  const { key, kind, min, max, unit, help } = setting;
  const names = { flag: flagOf(setting), variable: variableOf(setting) };
  return { key, ...lookUp(key), default: String(setting.value), kind, min, max, unit, ...names, help };
}
