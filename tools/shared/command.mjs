// What the tools' commands share: reading a command line, one line for what is wrong, a directory for as long as one runs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const wholeMax = 10_000_000;
const signals = ["SIGINT", "SIGTERM"];

/**
 * The command line: `texts` are options with a value, `flags` are given or not. `whole` reads an option as a whole number;
 * without a usual value an option that is not given is undefined.
 */
export function commandLine(texts, flags = [], { allowPositionals = false } = {}) {
  const options = Object.fromEntries([
    ...texts.map((name) => [name, { type: "string" }]),
    ...flags.map((name) => [name, { type: "boolean", default: false }]),
  ]);
  const { values, positionals } = parseArgs({ options, allowPositionals });
  const whole = (name, usual, min = 1, max = wholeMax) => wholeOf(name, values[name] ?? usual, min, max);
  return { values, positionals, whole };
}

function wholeOf(name, value, min, max) {
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw new Error(`--${name} is ${value}; allowed: a whole number from ${min} to ${max}`);
}

/** A list of whole numbers with commas in between. */
export function wholesOf(name, text, min = 1, max = wholeMax) {
  return text.split(",").map((one) => wholeOf(name, one, min, max));
}

/** What was asked for, or everything that there is if nothing was. */
export function chosen(what, asked, all) {
  const unknown = asked.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`${what}: ${unknown.join(", ")}; allowed: ${all.join(", ")}`);
  return asked.length === 0 ? all : asked;
}

/** Runs a command; what it throws is one line and status 1. */
export function runCommand(name, main) {
  main().catch((error) => {
    console.error(`${name}: ${error.message}`);
    process.exit(1);
  });
}

/**
 * Does `work` with a directory that is removed afterwards. What is handed to `atEnd` is called before that, the last first;
 * both happen when a signal ends the process, too, or when nobody reads what it prints any more.
 */
export async function inScratch(name, work) {
  const directory = mkdtempSync(join(tmpdir(), `ringtail-${name}-`));
  const ends = [];
  const endAll = async () => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  let ending;
  const clean = () => {
    ending ??= endAll();
    return ending;
  };
  const onSignal = () => void clean().then(() => process.exit(130));
  for (const signal of signals) process.once(signal, onSignal);
  // What is printed meanwhile fails as well.
  const outputs = [process.stdout, process.stderr];
  const onUnread = () => void clean().then(() => process.exit(1));
  for (const output of outputs) output.on("error", onUnread);
  try {
    return await work(directory, (end) => ends.push(end));
  } finally {
    await clean();
    for (const signal of signals) process.off(signal, onSignal);
    for (const output of outputs) output.off("error", onUnread);
  }
}

/** Writes a value where --out says, if it says so. */
export function saveJson(path, value) {
  if (path !== undefined) writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Says lines with the seconds since now before them. */
export function stopwatch() {
  const began = Date.now();
  return (text) => {
    const line = `${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    console.error(line);
    return line;
  };
}
