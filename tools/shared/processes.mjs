// Processes that are started for one run: free ports, a cluster of `ringtail up`, a command that prints its result as JSON.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { root } from "../prepare.mjs";

/** The built program. */
export const program = `${root}dist/cli/main.js`;

const killMs = 20_000;

function listens(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The first of `count` ports in a row, at or above `from`, that nobody uses. */
export async function freePorts(count, from = 20_000 + (process.pid % 12_000)) {
  // Below 32,768: from there on the system gives ports to connections, between the look and the use.
  for (let base = from; base + count < 32_768; base += count) {
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
  return { ready, pid: child.pid, stop: stopperOf([child]) };
}

/** Ends processes: resolves when all have ended, those that do not obey by force. */
export function stopperOf(children) {
  const ends = children.map((child) => new Promise((resolve) => child.once("exit", resolve).once("error", resolve)));
  return async () => {
    for (const child of children) child.kill("SIGTERM");
    const late = setTimeout(() => children.map((child) => child.kill("SIGKILL")), killMs);
    await Promise.all(ends);
    clearTimeout(late);
  };
}

/** Starts a local cluster of `nodes` nodes with its data in `directory`. */
export function startCluster(nodes, directory, basePort, flags = []) {
  const args = [program, "up", "--nodes", nodes, "--dir", directory, "--base-port", basePort, ...flags];
  return start(process.execPath, args, "ready");
}

/** Runs a command to its end; what it printed. `complaints`: what becomes of what it says on stderr. */
export function runForText(command, args, complaints = "inherit") {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args.map(String), { stdio: ["ignore", "pipe", complaints] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${command} ${args.join(" ")} ended with status ${code}`));
    });
  });
}

/** The same of a command that prints one JSON document. */
export async function runForJson(command, args, complaints) {
  return JSON.parse(await runForText(command, [...args, "--json"], complaints));
}

/** Options by name, as flags. */
export function flagsOf(options) {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** A command of `ringtail`, asked of a cluster, and the JSON that it printed. */
export function ringtail(addresses, ...words) {
  return runForJson(process.execPath, [program, ...words, ...seedNodes(addresses)]);
}

/** Addresses as flags. */
export function seedNodes(addresses) {
  return addresses.flatMap((address) => ["--seed-node", address]);
}
