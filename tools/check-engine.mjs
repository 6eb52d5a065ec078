// Loads RocksDB's binding. Its package carries binaries for common platforms; on others it is compiled here, once.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { root } from "./prepare.mjs";

function loads() {
  // In a process of its own: a binding that does not fit may abort instead of throwing.
  return spawnSync(process.execPath, ["-e", "require('rocksdb')"], { cwd: root, stdio: "ignore" }).status === 0;
}

if (!loads()) {
  console.log(
    "no ready-made binary of RocksDB fits this machine: compiling it (this takes minutes and needs a C++ compiler)",
  );
  const directory = dirname(createRequire(import.meta.url).resolve("rocksdb/package.json"));
  const result = spawnSync("npx", ["--yes", "node-gyp", "rebuild"], { cwd: directory, stdio: "inherit" });
  if (result.status !== 0 || !loads()) {
    console.error("RocksDB could not be loaded or compiled: see above");
    process.exit(1);
  }
}
