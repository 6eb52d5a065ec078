// Packages that only one tool needs have a package.json of their own in the tool's folder, so that they weigh on nobody
// else's install; they are installed, by their lock file and without install scripts, when the tool is first used.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Installs the packages of `folder` unless they are there; `what` names them and how large they are. Throws on failure. */
export function installOnce(folder, what) {
  if (existsSync(join(folder, "node_modules/.package-lock.json"))) return;
  console.error(`installing ${what} (once, into ${join(folder, "node_modules")}) ...`);
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`installing ${what} failed: npm ended with status ${status}`);
}
