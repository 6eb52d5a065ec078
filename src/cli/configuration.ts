/**
 * One node's configuration from its four sources: defaults, the file (JSON), `RINGTAIL_...` variables, flags; the later
 * ones win. Unknown keys are errors, and every error names where the value came from.
 */
import { Option } from "commander";
import { RingtailError } from "../base/errors.ts";
import { configOf, type NodeConfig, readSetting, type Setting, settings } from "../node/config.ts";
import { badArgument, readNamed } from "./output.ts";

/** Where a setting's value came from. */
export type Source = "default" | "file" | "environment" | "flag";

/** A configuration with the source of each value. */
export interface Sourced {
  readonly config: NodeConfig;
  readonly sources: ReadonlyMap<string, Source>;
}

/** `inFlightMiBMax` as `in-flight-mib-max`: a unit is one word. */
function kebab(key: string): string {
  const unitsAsWords = key.replace(/([KM])iB/g, "$1ib");
  return unitsAsWords.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The flag of a setting: `--in-flight-max`; lists are given by repeating it. */
export function flagOf(setting: Setting): string {
  const name = `--${setting.key === "seedNodes" ? "seed-node" : kebab(setting.key)}`;
  return setting.kind === "flag" ? name : `${name} <${setting.kind === "list" ? "address" : setting.kind}>`;
}

/** The variable of a setting: `RINGTAIL_IN_FLIGHT_MAX`. */
export function variableOf(setting: Setting): string {
  return `RINGTAIL_${kebab(setting.key).replaceAll("-", "_").toUpperCase()}`;
}

/** The command-line options of all settings. */
export function settingOptions(): Option[] {
  return settings.map((setting) => {
    const shown = Array.isArray(setting.value) || setting.value === "" ? "none" : String(setting.value);
    const option = new Option(flagOf(setting), `${setting.help} (default: ${shown})`);
    if (setting.kind === "list")
      option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    option.attributeName = (): string => setting.key;
    return option;
  });
}

function fromFile(path: string): Record<string, unknown> {
  const text = readNamed(path, "the configuration file").toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badArgument(`the configuration file ${path} is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badArgument(`the configuration file ${path} does not hold a JSON object`);
  }
  return value as Record<string, unknown>;
}

/** Reads the sources and checks the whole; throws `INVALID_ARGUMENT`. */
export function loadConfiguration(file: string | undefined, flags: Readonly<Record<string, unknown>>): Sourced {
  const given: Record<string, unknown> = {};
  const sources = new Map<string, Source>(settings.map(({ key }) => [key, "default"]));
  const take = (key: string, value: unknown, source: Source, where: string): void => {
    try {
      given[key] = readSetting(key, value);
    } catch (error) {
      if (!(error instanceof RingtailError)) throw error;
      throw badArgument(`${where}: ${error.message}`);
    }
    sources.set(key, source);
  };
  if (file !== undefined) for (const [key, value] of Object.entries(fromFile(file))) take(key, value, "file", file);
  for (const setting of settings) {
    const variable = variableOf(setting);
    const value = process.env[variable];
    if (value !== undefined) take(setting.key, value, "environment", variable);
  }
  for (const { key } of settings) if (flags[key] !== undefined) take(key, flags[key], "flag", "command line");
  return { config: configOf(given), sources };
}
