// Preloaded into a node whose machine loses its power in a run: the machine's boot id is the one that it is told, because
// the machine that this runs on was never down.
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");
const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) =>
  path === "/proc/sys/kernel/random/boot_id" ? process.env.CHAOS_BOOT_ID : readFileSync(path, ...rest);
syncBuiltinESMExports();
