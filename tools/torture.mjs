// `npm run torture`: one node's storage under kill -9. Every cycle kills `ringtail serve` at a random moment under load,
// sometimes again while it starts, starts it on the same directory with options drawn from the seed, and reads back. With
// one replica nothing hides what a disk lost: every acknowledged write must be there after the next start. Judged by the
// same rules as `ringtail check`; ends with 1 when one is broken.
//
//   npm run torture -- [--cycles 50] [--seed 1] [--port 22500] [--dir DIR] [--keep]
import { runJudged } from "./chaos/command.mjs";

const options = { numbers: { cycles: [50, 1, 1_000_000], seed: [1, 0, 0xffff_ffff], port: [22_500, 1024, 65_535] } };

runJudged("torture", options, async (asked, say) => {
  // After the build: it stands on what was built.
  const { runTorture } = await import("./chaos/torture-run.mjs");
  return runTorture(asked, say);
});
