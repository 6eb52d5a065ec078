// Installs and builds when needed, and says so: what `npm start` and `npm test` do first. Does nothing, quickly, when
// all is current: dependencies are compared by the lock file that npm left behind, the build by file times.
import { spawn } from "node:child_process";
import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, with a slash at its end. */
export const root = fileURLToPath(new URL("..", import.meta.url));

const major = Number(process.versions.node.split(".")[0]);

/** Runs a step, saying what it does, how long it has been at it, and how long it took. */
function run(what, command, args) {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(0);
  console.log(`${what} ...`);
  const child = spawn(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  const terminal = process.stdout.isTTY === true;
  const tell = () => process.stdout.write(terminal ? `\r${what} ... ${seconds()} s` : `${what} ... ${seconds()} s\n`);
  const timer = setInterval(tell, terminal ? 1_000 : 10_000);
  return new Promise((resolve) => {
    child.on("error", (error) => fail(what, error.message));
    child.on("exit", (code) => {
      clearInterval(timer);
      if (code !== 0) fail(what, `${command} ${args.join(" ")} ended with status ${code}`);
      console.log(`${terminal ? "\r" : ""}${what}: done in ${seconds()} s`);
      resolve();
    });
  });
}

function fail(what, why) {
  console.error(`${what} failed: ${why}`);
  process.exit(1);
}

function newest(directory) {
  let time = statSync(directory).mtimeMs;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}

function installed() {
  const mark = join(root, "node_modules/.package-lock.json");
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

/** `npm ci` first empties node_modules, and would empty what a link leads to: somebody else's. */
function refuseLink() {
  const modules = join(root, "node_modules");
  if (!lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const remedy = "remove the link, and run this again";
  fail(
    "installing dependencies",
    `${modules} is a symbolic link, and npm would empty the directory behind it: ${remedy}`,
  );
}

function built() {
  const mark = join(root, "dist/.built");
  if (!existsSync(mark)) return false;
  const sources = Math.max(newest(join(root, "src")), statSync(join(root, "tools/tsconfig.build.json")).mtimeMs);
  return statSync(mark).mtimeMs >= sources;
}

/** Makes sure that dependencies are installed and `dist` is current. Exits with status 1 if that cannot be done. */
export async function prepare() {
  if (major < 20) {
    console.error(`Ringtail needs Node 20 or newer; this is ${process.version}`);
    process.exit(1);
  }
  if (!installed()) {
    refuseLink();
    await run("installing dependencies", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    await run("checking the storage engine", process.execPath, ["tools/check-engine.mjs"]);
  }
  if (!built()) await run("building", process.execPath, ["tools/build.mjs"]);
}
