/**
 * Configuration of one node: one table of settings, from which the configuration file, the `RINGTAIL_...` variables, the
 * command-line flags, `ringtail config` and the README's table all come. Plain data and validation; reading files and
 * variables is the CLI's work.
 *
 * What belongs to the cluster (Q, replication, bucket policies) is a setting only for the node that bootstraps: it
 * goes into the ring, and the ring is what every node obeys from then on.
 */
import { durabilityOf } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { type NodeConfig, type Setting, settings, type Value } from "./settings.ts";

export { type NodeConfig, type Setting, settings } from "./settings.ts";

const logLevels: readonly string[] = ["debug", "info", "warn", "error", "silent"];
/** The other profiles are for one machine, and for comparison. */
const profileNames: readonly string[] = ["lan", "wan"];

const byKey = new Map<string, Setting>(settings.map((setting) => [setting.key, setting]));

function refuse(key: string, text: string, allowed: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", `${key} is ${text === "" ? "empty" : text}; allowed: ${allowed}`);
}

const addressPattern = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/;

/** Splits "host:port"; throws `INVALID_ARGUMENT` naming `what`. Port 0 asks the system for a free one. */
export function parseAddress(what: string, address: string): { readonly host: string; readonly port: number } {
  const match = addressPattern.exec(address);
  const port = Number(match?.[2] ?? -1);
  if (match === null || port < 0 || port > 65535) throw refuse(what, address, "HOST:PORT with a port of 0..65535");
  return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port };
}

/** Whether an address is one of this machine's loopback addresses. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Reads one setting from text (flags, variables) or from a value of the file; throws `INVALID_ARGUMENT`. */
export function readSetting(key: string, value: unknown): Value {
  const setting = byKey.get(key);
  if (setting === undefined) {
    const known = settings.map((one) => one.key).join(", ");
    throw new RingtailError("INVALID_ARGUMENT", `no such setting: ${key} (there are: ${known})`);
  }
  const text = textOf(setting, value);
  switch (setting.kind) {
    case "integer": {
      const number = /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
      const min = setting.min ?? 0;
      const max = setting.max ?? Number.MAX_SAFE_INTEGER;
      if (number >= min && number <= max) return number;
      throw refuse(key, text, `a whole number, ${min} to ${max} ${setting.unit ?? ""}`.trimEnd());
    }
    case "flag":
      if (text !== "true" && text !== "false") throw refuse(key, text, "true or false");
      return text === "true";
    case "list": {
      const list = text.split(",").map((one) => one.trim());
      return list.filter((one) => one !== "");
    }
    case "address":
      if (text !== "" && text !== setting.word) parseAddress(key, text);
      return text;
    case "durability":
      durabilityOf(text);
      return text;
    case "profile":
      if (!profileNames.includes(text)) throw refuse(key, text, profileNames.join(" or "));
      return text;
    case "level":
      if (!logLevels.includes(text)) throw refuse(key, text, logLevels.join(", "));
      return text;
    case "text":
      if (text.length > 255) throw refuse(key, `${text.length} characters long`, "at most 255 characters");
      if (text === "" && setting.value !== "") throw refuse(key, text, "1 to 255 characters");
      return text;
  }
}

/** A value of a file may be a list only where a list is meant, and never an object or null: they would become odd texts. */
function textOf({ key, kind }: Setting, value: unknown): string {
  if (kind === "list" && Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(",");
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  throw refuse(key, JSON.stringify(value), kind === "list" ? "a list of texts" : "a text, a number, true or false");
}

/** A whole configuration from settings that were given; the rest are defaults. Checks what spans several settings. */
export function configOf(given: Readonly<Partial<Record<keyof NodeConfig, unknown>>>): NodeConfig {
  const values: Record<string, Value> = {};
  for (const setting of settings) values[setting.key] = setting.value;
  for (const [key, value] of Object.entries(given)) if (value !== undefined) values[key] = readSetting(key, value);
  const config = values as unknown as { -readonly [K in keyof NodeConfig]: NodeConfig[K] };
  if (config.advertise === "") config.advertise = config.listen;
  if (config.host === "") config.host = config.name;
  checkTogether(config);
  return config;
}

const mebibyte = 1024 * 1024;

/** The size of the object buffer on a machine with so much memory. */
export function objectBufferBytes(config: NodeConfig, memoryBytes: number): number {
  if (config.objectBufferMiB > 0) return config.objectBufferMiB * mebibyte;
  return Math.min(Math.max(Math.floor(memoryBytes / 64), 64 * mebibyte), 1024 * mebibyte);
}

function checkTogether(config: NodeConfig): void {
  if ((config.partitions & (config.partitions - 1)) !== 0) {
    throw refuse("partitions", String(config.partitions), "a power of two, 8 to 16384");
  }
  if (config.n > config.replicasMax) throw refuse("n", String(config.n), `1 to ${config.replicasMax} (replicasMax)`);
  if (config.r > config.n) throw refuse("r", String(config.r), `1 to ${config.n} (n)`);
  if (config.w > config.n) throw refuse("w", String(config.w), `1 to ${config.n} (n)`);
  if (config.reapAgeMs < 2 * config.requestTimeoutMaxMs) {
    const least = 2 * config.requestTimeoutMaxMs;
    const allowed = `${least} or more (twice requestTimeoutMaxMs): writes on their way`;
    throw refuse("reapAgeMs", String(config.reapAgeMs), allowed);
  }
  for (const seedNode of config.seedNodes) parseAddress("seedNodes", seedNode);
  checkListener("listen", config.listen, config.insecure);
  if (config.adminListen !== "" && config.adminListen !== "off") {
    checkListener("adminListen", config.adminListen, config.insecure);
  }
  const { host } = parseAddress("listen", config.listen);
  if (!isLoopback(host) && config.secretFile === "") {
    throw refuse("secretFile", "", "the path of the cluster's secret, where the listen address is not loopback");
  }
  if (!config.bootstrap && config.expect > 1)
    throw refuse("expect", String(config.expect), "more than 1 only with bootstrap");
}

function checkListener(key: string, address: string, insecure: boolean): void {
  if (insecure || isLoopback(parseAddress(key, address).host)) return;
  throw new RingtailError(
    "INVALID_ARGUMENT",
    `${key} is ${address}, which is not a loopback address: nothing is encrypted yet, so this needs --insecure`,
  );
}
