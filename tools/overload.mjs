// `npm run overload`: what a cluster does with more work than it can do. Starts a throw-away cluster of three `ringtail
// serve` processes on free ports, finds its peak in a closed loop, and then asks for more; leaves nothing behind but what
// --out asks for.
//
//   npm run overload -- [goodput] [recovery] [hot] [options]   all three, if none is named
//
//   goodput    so many times the peak, in an open loop: how much is answered within its time, and whose the CPUs were
//   recovery   a quiet load, and a burst of so many times the peak beside it: when p99.9 is normal again
//   hot        half of the load on one key, against the same load spread: what the other keys see of it
//
//   --times N           the peak so often (2)
//   --rounds N          rounds; figures are medians (3)
//   --seconds S         of each measured stretch (8)
//   --keys N            of 1 KiB each (20000)          --clients N        of the closed loop (64)
//   --quiet-percent N   of the peak: the quiet load of `recovery`, and both loads of `hot` together (40)
//   --timeout-ms MS     the deadline of an operation (1000)
//   --durability MODE   of the cluster (buffered)      --generator KIND   native or node (native if it is built)
//   --base-port N       --out FILE (all figures, as JSON)                 --quick
import { prepare } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { freePorts } from "./shared/processes.mjs";

const stories = ["goodput", "recovery", "hot"];
const nodes = 3;

function options() {
  const texts = [
    "times",
    "rounds",
    "seconds",
    "keys",
    "clients",
    "timeout-ms",
    "quiet-percent",
    "durability",
    "generator",
    "base-port",
    "out",
  ];
  const { values, positionals, whole } = commandLine(texts, ["quick"], { allowPositionals: true });
  const { quick, generator, out, durability = "buffered" } = values;
  return {
    ...{ nodes, generator, out, durability, partitions: 256 },
    stories: chosen("stories", positionals, stories),
    times: whole("times", 2),
    rounds: whole("rounds", quick ? 1 : 3),
    seconds: whole("seconds", quick ? 2 : 8, 2),
    keys: whole("keys", quick ? 1_000 : 20_000),
    clients: whole("clients", 64),
    timeoutMs: whole("timeout-ms", 1_000),
    quietShare: whole("quiet-percent", 40, 1, 100) / 100,
    basePort: whole("base-port", undefined, 1024, 65_000),
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: they stand on what was built.
  const { ServedCluster } = await import("./shared/served-cluster.mjs");
  const { Load } = await import("./overload/load.mjs");
  const { runStories } = await import("./overload/stories.mjs");
  const { tell } = await import("./overload/report.mjs");
  const report = await inScratch("overload", async (directory, atEnd) => {
    const basePort = asked.basePort ?? (await freePorts(nodes));
    const cluster = new ServedCluster({ ...asked, directory, basePort });
    atEnd(() => cluster.stop());
    await cluster.start();
    return await runStories(asked, new Load(asked, cluster, directory));
  });
  tell(report);
  saveJson(asked.out, report);
}

runCommand("overload", main);
