// Compiles src/ to dist/ and copies the generated wire code, which is JavaScript already. Fast when nothing changed.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = `${root}node_modules/typescript/bin/tsc`;
const result = spawnSync(process.execPath, [tsc, "-p", `${root}tools/tsconfig.build.json`], { stdio: "inherit" });
if (result.status !== 0) process.exit(result.status ?? 1);
mkdirSync(`${root}dist/wire/gen`, { recursive: true });
for (const name of readdirSync(`${root}src/wire/gen`)) {
  copyFileSync(`${root}src/wire/gen/${name}`, `${root}dist/wire/gen/${name}`);
}
