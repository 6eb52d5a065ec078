// Compiles src/ to dist/ and copies of the generated wire code what is JavaScript already. `dist/.built` marks the time.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { root } from "./prepare.mjs";

const started = new Date();
const tsc = `${root}node_modules/typescript/bin/tsc`;
const result = spawnSync(process.execPath, [tsc, "-p", `${root}tools/tsconfig.build.json`], { stdio: "inherit" });
if (result.status !== 0) process.exit(result.status ?? 1);
mkdirSync(`${root}dist/wire/gen`, { recursive: true });
for (const name of ["messages.js", "messages.d.ts"]) {
  copyFileSync(`${root}src/wire/gen/${name}`, `${root}dist/wire/gen/${name}`);
}
const program = `${root}dist/cli/main.js`;
if (existsSync(program)) chmodSync(program, 0o755);
writeFileSync(`${root}dist/.built`, `${started.toISOString()}\n`);
