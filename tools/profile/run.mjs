/**
 * `npm run profile -- flame|doctor|bubbleprof`: a cluster of three nodes, one of them under clinic, loaded by
 * `ringtail bench` and stopped cleanly; the HTML report stays in .clinic/. Clinic is a package of its own in this
 * folder, so that its 700 dependencies weigh on nobody else's install; it is installed on first use.
 *
 * Clinic's command opens no browser here, reports no usage and looks for no updates. It writes what it collects when the
 * profiled process ends by itself; so that process, and not clinic, is sent the signal (clean-stop.cjs).
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installOnce } from "../installed.mjs";
import { prepare, root } from "../prepare.mjs";
import { chosen, commandLine, runCommand } from "../shared/command.mjs";
import { flagsOf, freePorts, program, runForJson } from "../shared/processes.mjs";

const here = import.meta.dirname;
const reports = join(root, ".clinic");
const clinic = join(here, "node_modules/clinic/bin.js");

/** By tool: what it shows, and how much load it bears; bubbleprof keeps a stack for every asynchronous step. */
const tools = {
  flame: { shows: "where the CPU time goes", seconds: 20, rate: 5000 },
  doctor: { shows: "CPU, memory, event loop delay, and what may be wrong", seconds: 20, rate: 5000 },
  bubbleprof: { shows: "where asynchronous steps wait", seconds: 5, rate: 200 },
};

const usage = `npm run profile -- TOOL [options]

${Object.entries(tools)
  .map(([name, { shows }]) => `  ${name.padEnd(12)}${shows}`)
  .join("\n")}

  --seconds N        how long the load lasts (default: 20; bubbleprof: 5)
  --rate N           operations a second (default: 5000; bubbleprof: 200)
  --keys N           how many keys (default: 10000)
  --durability MODE  of the cluster (default: one-durable)

The nodes' data is in a temporary directory, removed afterwards. The report is .clinic/NAME.html: open it in a browser.`;

const readyMs = 60_000;
const reportMs = 600_000;
const abandonMs = 5_000;

function readArguments() {
  const texts = ["seconds", "rate", "keys", "durability"];
  const { values, positionals, whole } = commandLine(texts, ["help"], { allowPositionals: true });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  if (positionals.length !== 1)
    throw new Error(`one tool must be named: ${Object.keys(tools).join(", ")} (--help explains)`);
  const [tool] = chosen("the tool", positionals, Object.keys(tools));
  return {
    tool,
    seconds: whole("seconds", tools[tool].seconds),
    rate: whole("rate", tools[tool].rate),
    keys: whole("keys", 10_000),
    durability: values.durability ?? "one-durable",
  };
}

/** Starts a process whose output is ours; `ended` resolves with its status. */
function start(command, args, options) {
  const child = spawn(command, args, options);
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  return { child, ended };
}

function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The arguments of clinic for one tool; the report is `NAME.clinic-TOOL.html`. */
function clinicArguments(tool, name, serve) {
  const node = [process.execPath, "--require", join(here, "clean-stop.cjs"), program, ...serve];
  return [clinic, tool, "--open=false", "--dest=.", `--name=${name}`, "--", ...node];
}

class ProfiledCluster {
  #directory;
  #settings;
  #name;
  #basePort;
  /** The nodes that are not profiled, and the load. */
  #others = [];
  #profiled;

  constructor(directory, settings, name, basePort) {
    this.#directory = directory;
    this.#settings = settings;
    this.#name = name;
    this.#basePort = basePort;
  }

  get seedNode() {
    return `127.0.0.1:${this.#basePort}`;
  }

  start() {
    for (const index of [0, 2]) {
      this.#others.push(start(process.execPath, [program, ...this.#serve(index)], { stdio: "ignore" }));
    }
    // In a group of its own: Ctrl-C comes to this process alone, which then stops everything in order.
    this.#profiled = start(process.execPath, clinicArguments(this.#settings.tool, this.#name, this.#serve(1)), {
      cwd: reports,
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
      env: { ...process.env, NO_INSIGHT: "1", NO_UPDATE_NOTIFIER: "1", CI: "1" },
    });
  }

  #serve(index) {
    const name = `n${index + 1}`;
    const place = index === 0 ? ["--bootstrap", "--expect", "3"] : ["--seed-node", this.seedNode];
    const settings = {
      ...{ name, listen: `127.0.0.1:${this.#basePort + index}`, directory: join(this.#directory, name) },
      ...{ durability: this.#settings.durability, "log-level": "warn" },
    };
    return ["serve", ...flagsOf(settings), ...place];
  }

  /** Resolves when all nodes serve; returns the process id of the profiled one. */
  async ready() {
    const deadline = Date.now() + readyMs;
    for (;;) {
      const status = runForJson(process.execPath, [program, "status", "--seed-node", this.seedNode], "ignore");
      const { nodes } = await status.catch(() => ({ nodes: [] }));
      if (nodes.length === 3 && nodes.every(({ state }) => state === "alive")) {
        return nodes.find(({ name }) => name === "n2").pid;
      }
      if (hasEnded(this.#profiled.child)) throw new Error("clinic ended before the node was ready");
      if (Date.now() > deadline) throw new Error(`the cluster was not ready after ${readyMs / 1000} s`);
      await sleep(200);
    }
  }

  async load() {
    const { rate, keys, seconds } = this.#settings;
    const flags = flagsOf({ rate, keys, duration: seconds, "warm-up": 2, "seed-node": this.seedNode });
    const stdio = ["ignore", "inherit", "inherit"];
    const bench = start(process.execPath, [program, "bench", ...flags], { stdio });
    this.#others.push(bench);
    const status = await bench.ended;
    if (status !== 0) throw new Error(`the load ended with status ${status}`);
  }

  /** Stops the profiled node and waits until clinic has made its report; returns clinic's status. */
  async report(pid) {
    process.kill(pid, "SIGINT");
    const timer = setTimeout(() => this.#profiled.child.kill("SIGKILL"), reportMs);
    const status = await this.#profiled.ended;
    clearTimeout(timer);
    return status;
  }

  /** Stops whatever still runs; without a report, if there is none yet. */
  async stop() {
    for (const { child } of this.#others) child.kill("SIGTERM");
    await Promise.all([...this.#others.map(({ ended }) => ended), this.#abandon()]);
  }

  async #abandon() {
    if (this.#profiled === undefined || hasEnded(this.#profiled.child)) return;
    const { child, ended } = this.#profiled;
    // To clinic and its node.
    process.kill(-child.pid, "SIGTERM");
    const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), abandonMs);
    await ended;
    clearTimeout(timer);
  }
}

async function profile(settings) {
  const name = new Date().toISOString().replace(/[-:]|\..*/g, "");
  const html = join(reports, `${name}.clinic-${settings.tool}.html`);
  mkdirSync(reports, { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), "ringtail-profile-"));
  const cluster = new ProfiledCluster(directory, settings, name, await freePorts(3));
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      interrupted = true;
      void cluster.stop();
    });
  }
  try {
    console.log(`starting three nodes, one of them under clinic ${settings.tool}`);
    cluster.start();
    const pid = await cluster.ready();
    console.log(`load: ${settings.rate} operations a second for ${settings.seconds} s`);
    await cluster.load();
    console.log("stopping the node; clinic makes its report, which may take a minute");
    const status = await cluster.report(pid);
    if (status !== 0) throw new Error(`clinic ended with status ${status}`);
    if (!existsSync(html)) throw new Error(`clinic left no report at ${html}`);
  } catch (error) {
    console.error(interrupted ? "profile: stopped" : `profile: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  if (process.exitCode === 1) return;
  console.log(`report: ${html} (${(statSync(html).size / 1e6).toFixed(1)} MB)`);
}

async function main() {
  const settings = readArguments();
  await prepare();
  installOnce(here, "clinic, some 150 MB");
  await profile(settings);
}

runCommand("profile", main);
