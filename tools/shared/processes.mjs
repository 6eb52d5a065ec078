// What `npm run bench` and `npm run native-bench` share: processes that are started for one run, a process that prints
// its result as JSON, and tables of medians.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { root } from "./prepare.mjs";

/** The built program. */
export const program = `${root}dist/cli/main.js`;

/** How often each measurement is repeated, checked; `fallback` if nobody said. */
export function runsOf(asked, fallback) {
  const runs = Number(asked ?? fallback);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is ${asked}; allowed: a whole number from 1`);
  return runs;
}

function listens(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The first of `count` ports in a row, at or above `from`, that nobody uses. */
export async function freePorts(count, from = 20_000 + (process.pid % 20_000)) {
  for (let base = from; base + count < 60_000; base += count) {
    const free = await Promise.all(Array.from({ length: count }, (_, i) => listens(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

/** Starts a process; `ready` resolves when it has printed a line that begins with `sign`, rejects with what it said if it ends before. */
export function start(command, args, sign) {
  const child = spawn(command, args.map(String), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  const ready = new Promise((resolve, reject) => {
    const hear = (text) => {
      said += text;
      if (said.split("\n").some((line) => line.startsWith(sign))) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${command} did not start: ${said.trim()}`)));
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ready, stop };
}

/** Starts a local cluster of `nodes` nodes with its data in `directory`. */
export function startCluster(nodes, directory, basePort, flags = []) {
  const args = [program, "up", "--nodes", nodes, "--dir", directory, "--base-port", basePort, ...flags];
  return start(process.execPath, args, "ready");
}

/** Runs a command that prints one JSON document, to its end. */
export function runForJson(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(`${command} ${args.join(" ")} ended with status ${code}`));
    });
  });
}

/** `clean` is called before the process ends by a signal. */
export function cleanOnSignal(clean) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void clean().then(() => process.exit(130)));
}

/** The entries of a round in its order: every second one backwards, since what a round leaves behind (a fuller store) does not always hit the same ones. */
export function inRoundOrder(set, round) {
  return round % 2 === 1 ? set : [...set].reverse();
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The medians of one entry's results, and how many of the `runs` were voided; a column is its name, its value, its digits. */
export function medianRow(name, results, columns, runs) {
  const cells = columns.map(([, of, digits]) => median(results.map(of)).toFixed(digits));
  const voided = results.filter((result) => result.voided !== null).length;
  return [name, ...cells, voided === 0 ? "-" : `${voided} of ${runs}`];
}

/** Rows of cells, the first column to the left, the others to the right. */
export function printTable(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) {
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
  }
}
