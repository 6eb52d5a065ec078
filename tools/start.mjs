// `npm start`: installs, builds, and brings up a local cluster of three nodes on RocksDB with its data under ./data.
// Arguments go to `ringtail up`: `npm start -- --nodes 5`.
import { spawn } from "node:child_process";
import { prepare, root } from "./prepare.mjs";

await prepare();
const child = spawn(
  process.execPath,
  [`${root}dist/cli/main.js`, "up", "--dir", `${root}data`, ...process.argv.slice(2)],
  {
    stdio: "inherit",
  },
);
// Ctrl-C reaches the whole group; a signal sent to this process alone is passed on. Either way the cluster decides
// when it is down.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
// Who ends npm, and not this process, ends the cluster too: npm's own end leaves this process to a new parent.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid !== parent) child.kill("SIGTERM");
}, 250);
child.on("exit", (code, signal) => {
  clearInterval(watch);
  process.exitCode = code ?? (signal === null ? 1 : 130);
});
