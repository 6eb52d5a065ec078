// `npm run versus`: Ringtail beside other replicated stores on this machine, under the identical workload: the same
// generator, keys, values and schedule (src/lab), with a small driver per store (tools/versus/systems). Each round starts
// one store after the other on free ports of loopback with its data in a temporary directory, loads it, runs a closed loop
// and open loops, and stops it, so that each has the machine to itself; every second round runs backwards. Prints one table
// of medians and leaves nothing behind.
//
//   npm run versus -- [--systems ringtail-memory,ringtail-buffered,redis,nats,etcd] [--rates 1000,5000] [--clients 64]
//                     [--workload a] [--keys 100000] [--runs 3] [--duration 10] [--warm-up 3] [--riak HOST:PORT]
//                     [--base-port N] [--out FILE] [--quick] [--install]
//
// The stores are Debian's packages: --install gets those that are missing (as root), without leaving a service running.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  cleanOnSignal,
  freePorts,
  inRoundOrder,
  medianRow,
  printTable,
  runForJson,
  runsOf,
  startCluster,
} from "./bench-support.mjs";
import { installOnce } from "./installed.mjs";
import { prepare, root } from "./prepare.mjs";

const here = join(root, "tools/versus");
const nodes = 3;
const portsEach = 20;
const foreign = ["redis", "nats", "etcd"];
const durabilities = ["memory", "buffered", "one-durable", "durable"];
const known = [...durabilities.map((mode) => `ringtail-${mode}`), ...foreign];

const text = { type: "string" };
const flag = { type: "boolean", default: false };

function options() {
  const { values } = parseArgs({
    options: {
      ...{ systems: text, rates: text, clients: text, workload: text, keys: text, runs: text, duration: text },
      ...{ "warm-up": text, riak: text, "base-port": text, out: text, quick: flag, install: flag },
    },
  });
  const { quick } = values;
  const whole = (name, usual, given = values[name] ?? String(usual)) => {
    if (/^\d{1,7}$/.test(given) && Number(given) >= 1) return Number(given);
    throw new Error(`--${name} is ${given}; allowed: a whole number, at least 1`);
  };
  const systems = (values.systems ?? `ringtail-memory,ringtail-buffered,${foreign.join(",")}`).split(",");
  const strange = systems.filter((name) => !known.includes(name));
  if (strange.length > 0) throw new Error(`--systems has ${strange.join(", ")}; allowed: ${known.join(", ")}`);
  if (values.riak !== undefined) {
    if (!/^[\w.-]+:\d{1,5}$/.test(values.riak)) throw new Error(`--riak is ${values.riak}; allowed: HOST:PORT`);
    systems.push("riak");
  }
  if (!["a", "b", "c"].includes(values.workload ?? "a"))
    throw new Error(`--workload is ${values.workload}; allowed: a, b, c`);
  return {
    systems,
    rates: (values.rates ?? (quick ? "300" : "1000,5000")).split(",").map((rate) => whole("rates", 1, rate)),
    clients: whole("clients", quick ? 8 : 64),
    workload: values.workload ?? "a",
    keys: whole("keys", quick ? 2_000 : 100_000),
    runs: runsOf(values.runs, quick ? 1 : 3),
    duration: whole("duration", quick ? 2 : 10),
    warmUp: whole("warm-up", quick ? 1 : 3),
    riak: values.riak,
    basePort: values["base-port"] === undefined ? undefined : whole("base-port", 0),
    out: values.out,
    install: values.install,
  };
}

// What must be there.

/** Debian starts a service as it installs it, unless this file says no. */
function withoutServices(work) {
  const policy = "/usr/sbin/policy-rc.d";
  const own = !existsSync(policy);
  if (own) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    work();
  } finally {
    if (own) rmSync(policy);
  }
}

function requirePackages(modules, install) {
  const works = (command) => spawnSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" }).status === 0;
  const missing = modules.filter(({ command }) => !works(command)).flatMap(({ packages }) => packages);
  if (missing.length === 0) return;
  const remedy = `apt-get install ${missing.join(" ")}`;
  if (!install)
    throw new Error(`not found: ${missing.join(", ")}; on Debian: npm run versus -- --install, or ${remedy}`);
  withoutServices(() => {
    for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...missing]]) {
      console.error(`apt-get ${args.join(" ")} ...`);
      const { status } = spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"] });
      if (status !== 0) throw new Error(`apt-get ${args.join(" ")} ended with status ${status}`);
    }
  });
}

// The systems.

/** A store of Debian's, from its processes' start to their end. */
function startForeign({ processes }, directory, port) {
  const directories = Array.from({ length: nodes }, (_, i) => join(directory, String(i)));
  for (const one of directories) mkdirSync(one, { recursive: true });
  const log = openSync(join(directory, "log"), "a");
  const children = processes(port, directories).map(({ command, args }) => {
    const child = spawn(command, args.map(String), { stdio: ["ignore", log, log] });
    return { child, ended: new Promise((resolve) => child.once("exit", resolve).once("error", resolve)) };
  });
  const stop = async () => {
    for (const { child } of children) child.kill("SIGTERM");
    const late = setTimeout(() => children.map(({ child }) => child.kill("SIGKILL")), 5_000);
    await Promise.all(children.map(({ ended }) => ended));
    clearTimeout(late);
  };
  return { ready: Promise.resolve(), stop };
}

async function loadSystem(name, { riak }) {
  if (name === "riak") {
    const { durability } = await import("./versus/systems/riak.mjs");
    const nothing = () => ({ ready: Promise.resolve(), stop: async () => {} });
    return { name, driver: name, durability, start: nothing, address: () => riak };
  }
  if (foreign.includes(name)) {
    const module = await import(`./versus/systems/${name}.mjs`);
    const [{ command }] = module.processes(0, [""]);
    const start = (directory, port) => startForeign(module, directory, port);
    return {
      name,
      driver: name,
      durability: module.durability,
      command,
      packages: module.packages,
      start,
      address: (port) => port,
    };
  }
  const mode = name.slice("ringtail-".length);
  const start = (directory, port) => startCluster(nodes, directory, port, ["--durability", mode]);
  return { name: "Ringtail", driver: "ringtail", durability: mode, start, address: (port) => `127.0.0.1:${port}` };
}

// Measuring.

function scenariosOf({ rates, clients, duration, warmUp }) {
  const common = { durationSeconds: duration, warmUpSeconds: warmUp, connections: 1, inFlightMax: 16_384 };
  const closed = { ...common, mode: "closed", clients, rate: null, arrivals: null, pacing: null };
  const open = { ...common, mode: "open", clients: null, arrivals: "poisson", pacing: "nap" };
  return [
    { name: `closed loop, ${clients} clients`, plan: closed },
    ...rates.map((rate) => ({ name: `open loop, ${rate}/s`, plan: { ...open, rate } })),
  ];
}

async function measureOne(system, scenarios, seed, asked, workload, running) {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-versus-"));
  const port = await freePorts(portsEach, asked.basePort);
  const store = system.start(directory, port);
  running.add(store);
  try {
    await store.ready;
    const plans = scenarios.map(({ plan }) => ({ ...plan, seed }));
    const order = { system: system.driver, address: system.address(port), workload, plans, timeoutMs: 1_000 };
    return await runForJson(process.execPath, [join(here, "measure.mjs"), JSON.stringify(order)]);
  } finally {
    await store.stop();
    running.delete(store);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measureAll(systems, scenarios, asked, running) {
  const { workloads } = await import("../dist/lab/workloads.js");
  const workload = { ...workloads[asked.workload], keys: asked.keys };
  const rows = scenarios.flatMap((scenario) => systems.map((system) => ({ scenario, system, results: [] })));
  for (let round = 1; round <= asked.runs; round += 1) {
    for (const system of inRoundOrder(systems, round)) {
      console.error(`round ${round} of ${asked.runs}: ${system.name}, ${system.durability} ...`);
      const results = await measureOne(system, scenarios, round, asked, workload, running);
      for (const [i, result] of results.entries()) {
        rows.find((row) => row.system === system && row.scenario === scenarios[i]).results.push(result);
        console.error(
          `  ${scenarios[i].name}: ${result.throughput.toFixed(0)}/s, p99.9 ${result.latencyMs["p99.9"].toFixed(2)} ms${result.voided === null ? "" : `; VOIDED: ${result.voided}`}`,
        );
      }
    }
  }
  return rows;
}

// Telling.

const columns = [
  ["ops/s", ({ throughput }) => throughput, 0],
  ["p50", ({ latencyMs }) => latencyMs.p50, 2],
  ["p99", ({ latencyMs }) => latencyMs.p99, 2],
  ["p99.9", ({ latencyMs }) => latencyMs["p99.9"], 2],
  ["max", ({ latencyMs }) => latencyMs.max, 1],
  ["lateness p99.9", ({ latenessMs }) => latenessMs["p99.9"], 2],
  ["generator us/op", ({ generator }) => generator.cpuUsPerOperation, 0],
  ["errors", ({ errors }) => errors, 0],
];

function report(rows, { runs, duration, keys }) {
  const { environment, workload } = rows[0].results[0];
  const { machine } = environment;
  console.log(
    `three processes of each store and the generator on ${machine.cpus} CPUs (${machine.cpuModel}), ${machine.memoryGiB} GiB, ${machine.platform}, node ${machine.node}; ` +
      `${workload.readPercent} % gets, ${keys} keys of ${workload.keyBytes} bytes, values of ${workload.valueBytes} bytes, ${workload.distribution}; ` +
      `medians of ${runs} run${runs === 1 ? "" : "s"} of ${duration} s; response time in ms`,
  );
  console.log("");
  const named = rows.map(({ scenario, system, results }) =>
    medianRow(`${scenario.name}: ${system.name} (${system.durability})`, results, columns, runs),
  );
  printTable([["", ...columns.map(([name]) => name), "voided"], ...named]);
}

async function main() {
  const asked = options();
  await prepare();
  installOnce(here, "the stores' clients, some 20 MB");
  const systems = await Promise.all(asked.systems.map((name) => loadSystem(name, asked)));
  requirePackages(
    systems.filter(({ command }) => command !== undefined),
    asked.install,
  );
  const running = new Set();
  cleanOnSignal(() => Promise.all([...running].map(({ stop }) => stop())));
  const rows = await measureAll(systems, scenariosOf(asked), asked, running);
  report(rows, asked);
  if (asked.out !== undefined) {
    const flat = rows.map(({ scenario, system, results }) => {
      return { scenario: scenario.name, system: system.name, durability: system.durability, results };
    });
    writeFileSync(asked.out, `${JSON.stringify(flat, null, 1)}\n`);
  }
}

main().catch((error) => {
  console.error(`versus: ${error.message}`);
  process.exit(1);
});
