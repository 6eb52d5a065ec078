/**
 * What the end-to-end tests stand on: the built program as real processes, on ports that the system says are free, with
 * data in temporary directories. Whatever a test starts is found again by its directory (which is in its command line)
 * and ended by its pid in `cleanUp`, also after a test has failed half-way. Every wait is for a condition, with a bound.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { type ClientOptions, RingtailClient } from "../../src/index.ts";

// Bounds inside the tests say what was waited for; vitest's own must not come first, however busy the machine is.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The checkout. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));
/** The program as `npm run build` left it. */
export const program: string = join(root, "dist/cli/main.js");

/** How long a cluster may take to be ready here, where other tests use the same cores. */
export const readyMs = 45_000;
/** How long anything else may take that takes milliseconds on a quiet machine. */
export const patienceMs = 15_000;

const pollMs = 20;

/** Resolves with the first value of `condition` that is neither undefined nor false; rejects, saying `what`, after `boundMs`. */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  boundMs: number = patienceMs,
): Promise<T> {
  const deadline = Date.now() + boundMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${boundMs} ms in vain: ${what}`);
    await sleep(pollMs);
  }
}

const directories: string[] = [];

/** A new directory that `cleanUp` removes, with whatever runs on it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-e2e-"));
  directories.push(directory);
  return directory;
}

/** The pids of all processes whose command line names this directory. */
export function processesOn(directory: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => commandLineOf(pid).some((argument) => argument.includes(directory)));
}

/** The arguments of a running process; none once it has ended. */
function commandLineOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

/** The resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) / 1024;
}

/** Sends a signal to a process that may be gone already. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
  for (const directory of directories) {
    for (const pid of processesOn(directory)) signal(pid, "SIGKILL");
  }
}

const children = new Set<ChildProcess>();
process.on("exit", killAll);

/** Ends every process that was started here, and removes the directories. For `afterAll`. */
export async function cleanUp(): Promise<void> {
  killAll();
  await waitFor("processes that were killed are gone", () => directories.every((one) => processesOn(one).length === 0));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

const triedPorts = new Set<number>();

/**
 * The first of `count` ports in a row that nobody listens on. They lie below the range that the system gives to outgoing
 * connections, so that they are still free when a node comes back to its own after a while.
 */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const base = 12_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, index) => base + index);
    if (ports.some((port) => triedPorts.has(port))) continue;
    const free = await Promise.all(ports.map(isFree));
    if (!free.every((one) => one)) continue;
    for (const port of ports) triedPorts.add(port);
    return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}

/** How a process ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a process is started. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's own environment, out of which `RINGTAIL_...` is taken. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; empty if left out. */
  readonly input?: string | Uint8Array;
}

function environment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("RINGTAIL_"));
  // Whoever tests the admin endpoint says so: its usual port may be another test's. Whoever tests the rehearsal, too: it
  // is a second for each start of a node.
  const usual = { RINGTAIL_ADMIN_LISTEN: "off", RINGTAIL_WITHOUT_REHEARSAL: "true" };
  return { ...Object.fromEntries(own), ...usual, ...added };
}

/** A process of node's that runs in the background; `cleanUp` kills it. */
export class Background {
  stdout = "";
  stderr = "";
  /** Resolves when it has ended and all its output is here. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], options: RunOptions = {}) {
    const child = spawn(process.execPath, args, { cwd: options.cwd ?? tmpdir(), env: environment(options.env) });
    this.#child = child;
    children.add(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    // A command that does not read its input may be gone before it is written.
    child.stdin.on("error", () => {}).end(options.input ?? "");
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, endedBy) => {
        children.delete(child);
        resolve({ status, signal: endedBy, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends a signal and waits for the end. */
  async stop(name: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.signal(name);
    await waitFor(`the end of process ${this.pid} after ${name}`, () => this.hasEnded, 30_000);
    return this.ended;
  }

  /** Waits for a line of its standard output; rejects with all output if it ends before. */
  line(pattern: RegExp, boundMs: number = readyMs): Promise<RegExpExecArray> {
    return waitFor(
      `a line like ${pattern}`,
      () => {
        for (const line of this.stdout.split("\n").slice(0, -1)) {
          const match = pattern.exec(line);
          if (match !== null) return match;
        }
        if (this.hasEnded) throw new Error(`it ended before a line like ${pattern}:\n${this.stdout}${this.stderr}`);
        return undefined;
      },
      boundMs,
    );
  }
}

/** Starts a command of the built program. */
export function start(args: readonly string[], options?: RunOptions): Background {
  if (!existsSync(program)) throw new Error(`${program} is not there: build first (npm run build)`);
  return new Background([program, ...args], options);
}

/** Runs a command of the built program to its end. */
export async function ringtail(args: readonly string[], options?: RunOptions): Promise<Ended> {
  const running = start(args, options);
  await waitFor(`the end of: ringtail ${args.join(" ")}`, () => running.hasEnded, 30_000);
  return running.ended;
}

/** One process of a cluster. */
export interface NodeProcess {
  readonly name: string;
  readonly address: string;
  readonly pid: number;
  readonly log: string;
  /** With which it can be started again, as `up` did. */
  readonly arguments: readonly string[];
}

/** How a cluster is started. */
export interface UpOptions {
  readonly directory?: string;
  /** Left out: free ports are found for a new cluster, and an old one has its own. */
  readonly basePort?: number;
  readonly flags?: readonly string[];
  /** Added to the environment, as for every command. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running `ringtail up`. */
export class UpCluster {
  readonly directory: string;
  readonly process: Background;
  readonly nodes: readonly NodeProcess[];
  /** From the start of the process to its line `ready`. */
  readonly readyAfterMs: number;
  readonly #clients: RingtailClient[] = [];

  private constructor(directory: string, running: Background, readyAfterMs: number) {
    this.directory = directory;
    this.process = running;
    this.readyAfterMs = readyAfterMs;
    const lines = running.stdout.matchAll(/^(n\d+) {2}(\S+) {2}pid (\d+) {2}log (.+)$/gm);
    this.nodes = [...lines].map(([, name, address, pid, log]) => {
      const commandLine = commandLineOf(Number(pid));
      const args = commandLine.slice(commandLine.indexOf("serve"));
      return {
        name: name as string,
        address: address as string,
        pid: Number(pid),
        log: log as string,
        arguments: args,
      };
    });
  }

  /** Starts a cluster and waits until it says that it is ready. */
  static async start(options: UpOptions = {}): Promise<UpCluster> {
    const directory = options.directory ?? temporaryDirectory();
    const isNew = !existsSync(join(directory, "cluster.json"));
    for (let attempt = 1; ; attempt += 1) {
      const basePort = options.basePort ?? (isNew ? await freePorts(3) : undefined);
      const port = basePort === undefined ? [] : ["--base-port", String(basePort)];
      const began = Date.now();
      const running = start(["up", "--dir", directory, ...port, ...(options.flags ?? [])], { env: options.env ?? {} });
      try {
        await running.line(/^ready/);
        return new UpCluster(directory, running, Date.now() - began);
      } catch (error) {
        // Somebody took the port in the moment between the question and its use.
        if (!isNew || attempt === 3 || !running.stderr.includes("in use")) throw error;
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }

  get addresses(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  /** The node of that name. */
  node(name: string): NodeProcess {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name} in:\n${this.process.stdout}`);
    return found;
  }

  /** A client of this cluster; `disconnect` closes all of them. */
  async connect(options: Partial<ClientOptions> = {}): Promise<RingtailClient> {
    const client = await RingtailClient.connect({ seedNodes: this.addresses, ...options });
    this.#clients.push(client);
    return client;
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }

  /** Runs a command against this cluster. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended> {
    return ringtail([...args, "--seed-node", this.addresses[0] as string], options);
  }

  /** As Ctrl-C does. */
  stop(): Promise<Ended> {
    return this.process.stop("SIGINT");
  }
}

/** The lines that a node has logged, each as its message and fields; lines that are no JSON are left out. */
export function logOf(node: Pick<NodeProcess, "log">): readonly Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(node.log, "utf8").split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What a command printed with `--json`; throws if that is not one JSON document. */
export function jsonOf(ended: Ended): unknown {
  try {
    return JSON.parse(ended.stdout);
  } catch {
    throw new Error(`no JSON document (status ${ended.status}): ${ended.stdout}\n${ended.stderr}`);
  }
}

/** A value with every leaf replaced by the name of its type: `{a: [1]}` is `{a: ["number"]}`; equal elements of a list once. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    const shapes = new Map(value.map((element) => [JSON.stringify(shapeOf(element)), shapeOf(element)]));
    return [...shapes.values()];
  }
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, shapeOf(element)]));
}
