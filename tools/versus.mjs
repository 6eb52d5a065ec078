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
import { existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installOnce } from "./installed.mjs";
import { prepare, root } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand, saveJson, wholesOf } from "./shared/command.mjs";
import { inRounds, keep, machineText, mediansText, medianTable, printTable } from "./shared/figures.mjs";
import { freePorts, runForJson, startCluster, stopperOf } from "./shared/processes.mjs";

const here = join(root, "tools/versus");
const nodes = 3;
const portsEach = 20;
const foreign = ["redis", "nats", "etcd"];
const durabilities = ["memory", "buffered", "one-durable", "durable"];
const known = [...durabilities.map((mode) => `ringtail-${mode}`), ...foreign];

const usual = `ringtail-memory,ringtail-buffered,${foreign.join(",")}`;
const columns = ["ops/s", "p50", "p99", "p99.9", "max", "p99.9 lateness", "generator us/op", "errors"];

function options() {
  const texts = [
    "systems",
    "rates",
    "clients",
    "workload",
    "keys",
    "runs",
    "duration",
    "warm-up",
    "riak",
    "base-port",
    "out",
  ];
  const { values, whole } = commandLine(texts, ["quick", "install"]);
  const { quick, riak, out, install, workload = "a" } = values;
  const systems = chosen("--systems", (values.systems ?? usual).split(","), known);
  if (riak !== undefined) {
    if (!/^[\w.-]+:\d{1,5}$/.test(riak)) throw new Error(`--riak is ${riak}; allowed: HOST:PORT`);
    systems.push("riak");
  }
  chosen("--workload", [workload], ["a", "b", "c"]);
  return {
    ...{ systems, workload, riak, out, install },
    rates: wholesOf("rates", values.rates ?? (quick ? "300" : "1000,5000")),
    clients: whole("clients", quick ? 8 : 64),
    keys: whole("keys", quick ? 2_000 : 100_000),
    runs: whole("runs", quick ? 1 : 3),
    duration: whole("duration", quick ? 2 : 10),
    warmUp: whole("warm-up", quick ? 1 : 3),
    basePort: whole("base-port"),
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
  const children = processes(port, directories).map(({ command, args }) =>
    spawn(command, args.map(String), { stdio: ["ignore", log, log] }),
  );
  return { ready: Promise.resolve(), stop: stopperOf(children) };
}

async function loadSystem(asked, { riak }) {
  const system = (store, driver, durability, how) => ({
    name: `${store} (${durability})`,
    store,
    driver,
    durability,
    ...how,
  });
  if (asked === "riak") {
    const { durability } = await import("./versus/systems/riak.mjs");
    const start = () => ({ ready: Promise.resolve(), stop: async () => {} });
    return system(asked, asked, durability, { start, address: () => riak });
  }
  if (foreign.includes(asked)) {
    const module = await import(`./versus/systems/${asked}.mjs`);
    const { durability, packages } = module;
    const [{ command }] = module.processes(0, [""]);
    const start = (directory, port) => startForeign(module, directory, port);
    return system(asked, asked, durability, { command, packages, start, address: (port) => port });
  }
  const mode = asked.slice("ringtail-".length);
  const start = (directory, port) => startCluster(nodes, directory, port, ["--durability", mode]);
  return system("Ringtail", "ringtail", mode, { start, address: (port) => `127.0.0.1:${port}` });
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

function measureOne(system, scenarios, seed, asked, workload) {
  return inScratch("versus", async (directory, atEnd) => {
    const port = await freePorts(portsEach, asked.basePort);
    const store = system.start(directory, port);
    atEnd(store.stop);
    await store.ready;
    const plans = scenarios.map(({ plan }) => ({ ...plan, seed }));
    const order = { system: system.driver, address: system.address(port), workload, plans, timeoutMs: 1_000 };
    return await runForJson(process.execPath, [join(here, "measure.mjs"), JSON.stringify(order)]);
  });
}

async function measureAll(systems, scenarios, asked) {
  const { workloads } = await import("../dist/lab/workloads.js");
  const workload = { ...workloads[asked.workload], keys: asked.keys };
  const rows = scenarios.flatMap((scenario) =>
    systems.map((system) => ({ name: `${scenario.name}: ${system.name}`, scenario, system, results: [] })),
  );
  for (const [system, round] of inRounds(systems, asked.runs)) {
    const results = await measureOne(system, scenarios, round, asked, workload);
    for (const [i, result] of results.entries()) {
      const p999 = result.latencyMs["p99.9"].toFixed(2);
      console.error(`  ${scenarios[i].name}: ${result.throughput.toFixed(0)}/s, p99.9 ${p999} ms`);
      keep(rows.find((row) => row.system === system && row.scenario === scenarios[i]).results, result);
    }
  }
  return rows;
}

// Telling.

function report(rows, { runs, duration, keys }) {
  const { environment, workload } = rows[0].results[0];
  const { machine } = environment;
  console.log(
    `three processes of each store and the generator on ${machineText(machine)}, node ${machine.node}; ` +
      `${workload.readPercent} % gets, ${keys} keys of ${workload.keyBytes} bytes, values of ${workload.valueBytes} bytes, ` +
      `${workload.distribution}; ${mediansText(runs, duration)}; response time in ms\n`,
  );
  printTable(medianTable("", columns, rows));
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
  const rows = await measureAll(systems, scenariosOf(asked), asked);
  report(rows, asked);
  saveJson(
    asked.out,
    rows.map(({ scenario, system, results }) => {
      return { scenario: scenario.name, system: system.store, durability: system.durability, results };
    }),
  );
}

runCommand("versus", main);
