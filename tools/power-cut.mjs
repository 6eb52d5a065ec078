// `npm run power-cut`: real `ringtail serve` processes on disks that lose their power: each node has an ext4 file system
// on a loop device, and starts again on what its image held at a random moment under load. What was acknowledged as
// `durable` must be there. Judged by the same rules as `ringtail check`; ends with 1 when one is broken. Needs root.
//
//   npm run power-cut -- [--cuts 20] [--nodes 3] [--seed 1] [--rate 300] [--port 22700] [--durability durable] [--dir DIR] [--keep]
import { runJudged } from "./chaos/command.mjs";

const options = {
  numbers: {
    cuts: [20, 1, 1_000_000],
    nodes: [3, 3, 5],
    seed: [1, 0, 0xffff_ffff],
    rate: [300, 1, 100_000],
    port: [22_700, 1024, 65_000],
  },
  texts: { durability: "durable" },
};

runJudged("power-cut", options, async (asked, say) => {
  // After the build: it stands on what was built.
  const { runPowerCut } = await import("./chaos/power-cut-run.mjs");
  return runPowerCut(asked, say);
});
