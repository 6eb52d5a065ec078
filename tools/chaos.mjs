// `npm run chaos`: real `ringtail serve` processes on loopback behind a proxy, hurt in every way that a seed draws, under
// load; then healed, and held to what was promised by the same checker as `ringtail check`. Ends with 1 when a promise
// was broken or the cluster did not come back, and then leaves logs, history and data where it says.
//
//   npm run chaos -- [--seed 1] [--duration 60] [--nodes 5] [--rate 300] [--every-ms 4000] [--base-port 22000]
//                    [--durability one-durable] [--settle-seconds 180] [--dir DIR] [--corruption] [--keep]
import { runJudged } from "./chaos/command.mjs";

const options = {
  numbers: {
    seed: [1, 0, 0xffff_ffff],
    duration: [60, 1, 86_400],
    nodes: [5, 3, 9],
    rate: [300, 1, 100_000],
    "every-ms": [4000, 100, 600_000],
    "base-port": [22_000, 1024, 65_000],
    "settle-seconds": [180, 1, 3600],
  },
  texts: { durability: "one-durable" },
  flags: ["corruption"],
};

runJudged("chaos", options, async (asked, say) => {
  // After the build: it stands on what was built.
  const { runChaos } = await import("./chaos/run.mjs");
  return runChaos(asked, say);
});
