/** `ringtail status` and `config`: who is there, and how a node is set up. */
import type { Command } from "commander";
import { durabilityName } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { ask } from "../io/ask.ts";
import { settings } from "../node/config.ts";
import type { Member } from "../ring/ring.ts";
import { StatusReply, StatusRequest } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import { type AskFlags, askFirst, ringAt, timeoutOf } from "./cluster-view.ts";
import { flagOf, loadConfiguration, settingOptions, variableOf } from "./configuration.ts";
import { print, printJson, printTable } from "./output.ts";
import { addSeedNodes } from "./seed-nodes.ts";

/** Adds the commands. */
export function addInspect(program: Command): void {
  const status = program.command("status").description("the cluster and its nodes, as each node answers for itself");
  addSeedNodes(status)
    .option("--timeout-ms <ms>", "how long a node may take to answer", "1000")
    .option("--json", "print JSON");
  status
    .addHelpText("after", "\nExamples:\n  ringtail status\n  ringtail status --seed-node 127.0.0.1:7402 --json")
    .action(showStatus);

  const config = program.command("config").description("every setting: its value, source, flag, variable and meaning");
  addSeedNodes(config)
    .option("--config <file>", "what a node would run with under this file, the variables and flags")
    .option("--timeout-ms <ms>", "how long a node may take to answer", "1000")
    .option("--json", "print JSON");
  config.addHelpText(
    "after",
    "\nExamples:\n  ringtail config\n  ringtail config --config node.json\n  ringtail config --seed-node 127.0.0.1:7401   (of a running node)",
  );
  for (const option of settingOptions()) if (option.attributeName() !== "seedNodes") config.addOption(option);
  config.action(showConfig);
}

function askStatus(address: string, timeoutMs: number, withConfig: boolean): Promise<StatusReply> {
  return ask({
    address,
    type: FrameType.STATUS,
    codec: StatusRequest,
    message: { withConfig },
    reply: StatusReply,
    timeoutMs,
  });
}

interface NodeRow {
  readonly member: Member;
  readonly status: StatusReply | undefined;
  readonly reason: string;
}

async function statusOf(member: Member, timeoutMs: number): Promise<NodeRow> {
  try {
    return { member, status: await askStatus(member.address, timeoutMs, false), reason: "" };
  } catch (error) {
    if (!(error instanceof RingtailError)) throw error;
    return { member, status: undefined, reason: error.message };
  }
}

function stateOf({ status }: NodeRow): string {
  if (status === undefined) return "down";
  return status.phase === "serving" ? "alive" : status.phase;
}

async function showStatus(flags: AskFlags): Promise<void> {
  const ring = await askFirst(flags, (address) => ringAt(address, timeoutOf(flags)));
  const timeoutMs = timeoutOf(flags);
  const rows = await Promise.all(ring.members.map((member) => statusOf(member, timeoutMs)));
  if (flags.json === true) {
    printJson({
      cluster: { id: ring.clusterId, epoch: ring.epoch, partitions: ring.partitions },
      nodes: rows.map((row) => ({
        id: row.member.id,
        name: row.member.name,
        address: row.member.address,
        host: row.member.host,
        zone: row.member.zone,
        state: stateOf(row),
        pid: row.status?.pid ?? null,
        number: row.member.number,
        uptimeSeconds: row.status?.uptimeSeconds ?? null,
        insecure: row.status?.insecure ?? null,
        reason: row.reason === "" ? null : row.reason,
        peers: Object.fromEntries((row.status?.peers ?? []).map((peer) => [peer.number, peer.state])),
        counters: Object.fromEntries((row.status?.counters ?? []).map(({ name, value }) => [name, value])),
        latenciesUs: Object.fromEntries(
          (row.status?.latencies ?? []).map(({ name, count, p50Us, p99Us, p999Us, maxUs }) => [
            name,
            { count, p50: p50Us, p99: p99Us, "p99.9": p999Us, max: maxUs },
          ]),
        ),
      })),
    });
    return;
  }
  const { n, r, w, durability } = ring.policyOf(new Uint8Array(0));
  print(
    `cluster ${ring.clusterId}  epoch ${ring.epoch}  partitions ${ring.partitions}  N=${n} R=${r} W=${w} ${durabilityName(durability)}`,
  );
  const table = rows.map((row) => {
    const { member, status } = row;
    const latency = (name: string): string => {
      const found = status?.latencies.find((one) => one.name === name && one.count > 0);
      return found === undefined ? "-" : `${(found.p999Us / 1000).toFixed(1)} ms`;
    };
    const pid = status === undefined ? "-" : String(status.pid);
    return [
      member.name,
      member.address,
      member.host,
      member.zone || "-",
      stateOf(row),
      pid,
      latency("get"),
      latency("put"),
      row.reason,
    ];
  });
  printTable([["NODE", "ADDRESS", "HOST", "ZONE", "STATE", "PID", "GET P99.9", "PUT P99.9", ""], ...table]);
  if (rows.some((row) => row.status?.insecure === true))
    print("insecure: nothing is encrypted and nobody is authenticated");
}

async function showConfig(flags: AskFlags & Readonly<Record<string, unknown>>): Promise<void> {
  const running = flags.seedNode?.[0];
  let values: (key: string) => { readonly value: string; readonly source: string };
  if (running === undefined) {
    const { config, sources } = loadConfiguration(flags.config as string | undefined, flags);
    values = (key) => ({
      value: String(config[key as keyof typeof config]),
      source: sources.get(key as never) ?? "default",
    });
  } else {
    const timeoutMs = timeoutOf(flags);
    const entries = new Map((await askStatus(running, timeoutMs, true)).config.map((entry) => [entry.key, entry]));
    values = (key) => entries.get(key) ?? { value: "", source: "unknown" };
  }
  if (flags.json === true) {
    printJson(
      settings.map((setting) => {
        const { value, source } = values(setting.key);
        const { key, kind, min, max, unit, help } = setting;
        return {
          key,
          value,
          source,
          default: String(setting.value),
          kind,
          min,
          max,
          unit,
          flag: flagOf(setting),
          variable: variableOf(setting),
          help,
        };
      }),
    );
    return;
  }
  for (const setting of settings) {
    const { value, source } = values(setting.key);
    const range = setting.min === undefined ? "" : `, ${setting.min} to ${setting.max}`;
    const unit = setting.unit === undefined ? "" : ` ${setting.unit}`;
    print(
      `${setting.key} = ${value === "" ? '""' : value}${unit}  (${source}${range}; ${flagOf(setting)}; ${variableOf(setting)})`,
      `    ${setting.help}`,
    );
  }
}
