/**
 * Holds README.md to the program. Its generated tables must be what the code says (`--write` rewrites them and does
 * nothing else), its list of commands must be the program's, and its examples are executed: blocks marked `sh run` in a
 * shell, blocks marked `ts run` after a type check, all against one throw-away cluster of `ringtail up`. A block marked
 * `ts run more` continues the program above it. What follows an executed block as ```text output must be its output, where
 * `...` stands for anything: within a line for some characters, alone on a line for some lines.
 *
 * The README says 127.0.0.1:7401 where the cluster is; the addresses are replaced by the cluster's before and after.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import ts from "typescript";
import { prepare, root } from "./prepare.mjs";

const file = join(root, "README.md");
const program = join(root, "dist/cli/main.js");
const usualPort = 7401;
const nodes = 3;
const blockTimeoutMs = 20_000;
const startTimeoutMs = 30_000;

// Tables.

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

async function withTables(text) {
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
function checkCommands(text) {
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

// Blocks.

/** All fenced blocks: language and marks, text, line number of the fence; `output` joins the executed block above it. */
function blocksOf(text) {
  const found = [];
  const pattern = /^```([^\n]*)\n([\s\S]*?)^```$/gm;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [language, ...marks] = match[1].trim().split(/\s+/);
    const line = text.slice(0, match.index).split("\n").length;
    const adjacent = text.slice(end, match.index).trim() === "";
    end = match.index + match[0].length;
    const last = found.at(-1);
    if (language === "text" && marks[0] === "output" && adjacent && last !== undefined) last.output = match[2];
    else found.push({ language, marks, line, text: match[2], output: undefined });
  }
  return found;
}

/** Executed in this order: each shell block alone, each chain of TypeScript blocks as one program. */
function programsOf(blocks) {
  const programs = [];
  for (const block of blocks.filter(({ marks }) => marks[0] === "run")) {
    const last = programs.at(-1);
    if (block.language === "ts" && block.marks[1] === "more" && last?.language === "ts") last.blocks.push(block);
    else programs.push({ language: block.language, blocks: [block] });
  }
  return programs;
}

function outputPattern(expected) {
  const lines = expected.trim().split("\n");
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const parts = lines.map((line) => {
    if (line.trim() === "...") return "(?:[^\\n]*\\n)*?";
    return `${line.split("...").map(escaped).join("[^\\n]*")}\\n`;
  });
  return new RegExp(`^${parts.join("")}$`);
}

function checkOutput(block, output, where) {
  if (block.output === undefined) return undefined;
  const tidy = `${output
    .trim()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
  if (outputPattern(where.real(block.output)).test(tidy)) return undefined;
  return `its output is not what the README shows:\n${where.documented(tidy)}`;
}

/** Runs a command to its end; stdout and stderr come as one text. */
function execute(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, blockTimeoutMs);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ output, problem: late ? `not done after ${blockTimeoutMs / 1000} s` : problemOf(code) });
    });
  });
}

function problemOf(code) {
  return code === 0 ? undefined : `ended with status ${code}`;
}

// The throw-away cluster.

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A port of four digits, so that tables keep their columns, with enough free ones behind it. */
async function freePorts() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = 7500 + Math.floor(Math.random() * 2400);
    const ports = Array.from({ length: nodes }, (_, i) => base + i);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

async function startCluster(directory, basePort) {
  const args = [program, "up", "--nodes", String(nodes), "--dir", directory, "--base-port", String(basePort)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  };
  const deadline = Date.now() + startTimeoutMs;
  while (!/^ready/m.test(said)) {
    if (child.exitCode !== null) throw new Error(`\`ringtail up\` ended with status ${child.exitCode}`);
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`\`ringtail up\` was not ready after ${startTimeoutMs / 1000} s`);
    }
    await sleep(50);
  }
  return stop;
}

/** The addresses that the README uses, and those of the cluster. */
function addresses(basePort) {
  const replaced = (text, from, to) => {
    let made = text;
    for (let i = 0; i < nodes; i += 1) made = made.replaceAll(`127.0.0.1:${from + i}`, `127.0.0.1:${to + i}`);
    return made;
  };
  return {
    real: (text) => replaced(text, usualPort, basePort),
    documented: (text) => replaced(text, basePort, usualPort),
  };
}

// Running the examples.

class Examples {
  #directory;
  #where;
  #environment;
  #failed = 0;
  #programs = 0;

  constructor(directory, basePort) {
    this.#directory = directory;
    this.#where = addresses(basePort);
    const bin = join(directory, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "ringtail"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, { mode: 0o755 });
    // The package under its own name, as an application finds it, and the types that it builds on.
    mkdirSync(join(directory, "node_modules/@types"), { recursive: true });
    symlinkSync(root.replace(/\/$/, ""), join(directory, "node_modules/ringtail"));
    symlinkSync(join(root, "node_modules/@types/node"), join(directory, "node_modules/@types/node"));
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    this.#environment = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      RINGTAIL_SEED_NODE: `127.0.0.1:${basePort}`,
    };
  }

  get failed() {
    return this.#failed;
  }

  async run(one) {
    const started = Date.now();
    const problems =
      one.language === "ts" ? await this.#runTypeScript(one.blocks) : await this.#runShell(one.blocks[0]);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    for (const [i, block] of one.blocks.entries()) {
      const name = `README.md:${block.line} ${block.language}`;
      if (problems[i] === undefined) console.log(`ok      ${name}${i === 0 ? ` (${seconds} s)` : ""}`);
      else {
        this.#failed += 1;
        console.error(`failed  ${name}: ${problems[i]}`);
      }
    }
  }

  async #runShell(block) {
    const script = `set -eu\n${this.#where.real(block.text)}`;
    const { output, problem } = await execute("sh", ["-c", script], { cwd: this.#directory, env: this.#environment });
    if (problem !== undefined) return [`${problem}\n${output}`];
    return [checkOutput(block, output, this.#where)];
  }

  async #runTypeScript(blocks) {
    this.#programs += 1;
    const mark = "--- end of a block ---";
    const text = blocks.map((block) => `${this.#where.real(block.text)}\nconsole.log("${mark}");\n`).join("");
    const source = join(this.#directory, `example-${this.#programs}.ts`);
    writeFileSync(source, text);
    const wrong = typeErrors(source);
    if (wrong !== "") return blocks.map((_, i) => (i === 0 ? wrong : "not run: see above"));
    const target = source.replace(/\.ts$/, ".js");
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    writeFileSync(target, ts.transpileModule(text, { compilerOptions }).outputText);
    const options = { cwd: this.#directory, env: this.#environment };
    const { output, problem } = await execute(process.execPath, [target], options);
    const outputs = output.split(`${mark}\n`);
    return blocks.map((block, i) => {
      const complete = i < outputs.length - 1;
      if (!complete) return `${problem ?? "did not come to its end"}\n${outputs[i] ?? ""}`;
      const last = i === blocks.length - 1;
      if (last && problem !== undefined) return `${problem}\n${outputs[i + 1]}`;
      return checkOutput(block, outputs[i], this.#where);
    });
  }
}

function typeErrors(source) {
  const built = ts.createProgram([source], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  });
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => "", getNewLine: () => "\n" };
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(built), host).trim();
}

async function runExamples(text) {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-docs-"));
  let stop = async () => {};
  const end = async () => {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(130)));
  try {
    const basePort = await freePorts();
    stop = await startCluster(join(directory, "cluster"), basePort);
    const examples = new Examples(directory, basePort);
    for (const one of programsOf(blocksOf(text))) await examples.run(one);
    return examples.failed;
  } finally {
    await end();
  }
}

async function main() {
  prepare();
  const text = readFileSync(file, "utf8");
  const current = await withTables(text);
  if (process.argv.includes("--write")) {
    writeFileSync(file, current);
    return;
  }
  let failed = 0;
  if (current !== text) {
    failed += 1;
    console.error("failed  README.md: a generated table is stale: run `node tools/check-docs.mjs --write`");
  } else console.log("ok      README.md: generated tables");
  const wrong = checkCommands(text);
  for (const problem of wrong) console.error(`failed  README.md, "Command line": ${problem}`);
  if (wrong.length === 0) console.log("ok      README.md: list of commands");
  failed += wrong.length + (await runExamples(text));
  if (failed > 0) process.exitCode = 1;
}

await main();
