// The README's generated tables, and its list of commands beside the program's.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../prepare.mjs";
import { program } from "../shared/processes.mjs";

function cell(value) {
  return String(value).replaceAll("|", "\\|").replaceAll("\n", " ");
}

function table(heading, rows) {
  const line = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heading), `|${heading.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

async function settingsTable() {
  const { settings } = await import(join(root, "dist/node/config.js"));
  const { flagOf, variableOf } = await import(join(root, "dist/cli/configuration.js"));
  const rows = settings.map((setting) => {
    const { value, min, max, unit, help } = setting;
    const shown = value === "" || (Array.isArray(value) && value.length === 0) ? "none" : `\`${value}\``;
    const range = min === undefined ? "" : `${min} to ${max}`;
    const flag = flagOf(setting).split(" ")[0];
    return [
      `\`${setting.key}\``,
      unit === undefined ? shown : `${shown} ${unit}`,
      range,
      `\`${flag}\`<br>\`${variableOf(setting)}\``,
      help,
    ];
  });
  return table(["setting", "default", "range", "flag, variable", "meaning"], rows);
}

async function errorsTable() {
  const { errorTable } = await import(join(root, "dist/base/errors.js"));
  const rows = Object.entries(errorTable)
    .filter(([, { internal }]) => !internal)
    .map(([code, { exit, retryable, meaning, cure }]) => [
      `\`${code}\``,
      exit,
      retryable ? "yes" : "no",
      `${meaning}`,
      cure,
    ]);
  return table(["code", "exit status", "a retry may help", "meaning", "what to do"], rows);
}

const tables = { settings: settingsTable, errors: errorsTable };

/** The text with its generated tables as the code has them now. */
export async function withTables(text) {
  let made = text;
  for (const [name, make] of Object.entries(tables)) {
    const [open, close] = [`<!-- table:${name} -->`, `<!-- /table:${name} -->`];
    const [from, to] = [made.indexOf(open), made.indexOf(close)];
    if (from < 0 || to < from) throw new Error(`README.md has no markers for the table of ${name}`);
    made = `${made.slice(0, from + open.length)}\n${await make()}\n${made.slice(to)}`;
  }
  return made;
}

/** Every command of the program is in the table under "Command line", and the other way round. */
export function checkCommands(text) {
  const help = spawnSync(process.execPath, [program, "--help"], { encoding: "utf8" }).stdout;
  const list = help.slice(help.indexOf("Commands:"), help.indexOf("Examples:"));
  const inProgram = [...list.matchAll(/^ {2}(\w+)/gm)].map((match) => match[1]).filter((name) => name !== "help");
  const section = text.slice(text.indexOf("\n## Command line")).split(/\n## /)[1];
  const rows = section.split("\n").filter((line) => line.startsWith("| `ringtail "));
  const inTable = rows.flatMap((row) =>
    [...row.split("|")[1].matchAll(/`ringtail ([\w/]+)/g)].map((match) => match[1]),
  );
  const problems = [];
  for (const name of inProgram) if (!inTable.includes(name)) problems.push(`\`ringtail ${name}\` is not in the table`);
  for (const name of inTable) if (!inProgram.includes(name)) problems.push(`\`ringtail ${name}\` does not exist`);
  return problems;
}
