/**
 * One system under the workload, in a process of its own, so that each has a heap and compiled code of its own: loads the
 * keys, runs every scenario once, and prints the results as one JSON array. The last argument but `--json` is the order,
 * as JSON: { system, address, workload, plans, timeoutMs }.
 */
import { Bench, connectCluster } from "../../dist/lab/bench.js";
import { DriverSystem } from "../../dist/lab/driver-target.js";

const connectMs = 30_000;
const pollMs = 200;

/** A store that was just started refuses for a while. */
async function connectPatiently(system, address) {
  const { connect } = await import(`./systems/${system}.mjs`);
  const end = Date.now() + connectMs;
  for (;;) {
    try {
      return new DriverSystem(await connect(address));
    } catch (error) {
      if (Date.now() > end) throw new Error(`${system} did not come up: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

const silent = {
  onLoading() {},
  onKeys() {},
  onLoaded() {},
  onRunning() {},
  onSecond() {},
  onRunEnded() {},
};

async function main() {
  const { system, address, workload, plans, timeoutMs } = JSON.parse(process.argv[2]);
  const options = { seedNodes: [address], workload, plan: plans[0], load: "always", timeoutMs };
  const connect = system === "ringtail" ? connectCluster : () => connectPatiently(system, address);
  const rest = { processes: 1, prior: true, keepsIntervals: false, hiccups: false };
  const bench = await Bench.open({ ...options, ...rest }, silent, connect);
  const results = [];
  for (const plan of plans) results.push((await bench.run(plan)).result);
  await bench.close();
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
}

main().catch((error) => {
  process.stderr.write(`versus: ${error.message}\n`);
  process.exit(1);
});
