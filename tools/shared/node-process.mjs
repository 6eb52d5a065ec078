// One `ringtail serve` process: started, killed, stopped for a while and started again, on the same directory and ports. Its
// log is appended to a file beside the directory. It is ended by its own pid alone.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { statusQuestion } from "../../dist/cli/questions.js";
import { ask } from "../../dist/io/ask.js";
import { program as built } from "./processes.mjs";

const clock = fileURLToPath(new URL("./clock-offset.cjs", import.meta.url));

export class NodeProcess {
  #child = null;
  #isWanted = true;
  #ended = Promise.resolve();
  /** Milliseconds that its wall clock is wrong by, from the next start on. */
  clockOffsetMs = 0;
  isPaused = false;
  /** How often it ended although nobody asked it to, with its last words. */
  lastWords = [];

  /**
   * `settings`: flags of `ringtail serve`; `address`: where it can be asked; `preload`: modules, which are told `env`;
   * `program`: another build of Ringtail.
   */
  constructor({ name, settings, address, log, preload = [], env = {}, program = built }) {
    Object.assign(this, { name, settings, address, log, preload, env, program });
  }

  get pid() {
    return this.#child?.pid ?? 0;
  }

  get isRunning() {
    return this.#child !== null;
  }

  start(extra = []) {
    if (this.isRunning) return;
    const log = openSync(this.log, "a");
    const modules = this.clockOffsetMs === 0 ? this.preload : [...this.preload, clock];
    const preload = modules.flatMap((path) => ["--require", path]);
    // As `ringtail up` starts them.
    const args = [
      "--v8-pool-size=1",
      "--no-memory-reducer",
      ...preload,
      this.program,
      "serve",
      ...this.settings,
      ...extra,
    ];
    const own = { RINGTAIL_ADMIN_LISTEN: "off", CHAOS_CLOCK_OFFSET_MS: String(this.clockOffsetMs) };
    const env = { ...process.env, ...own, ...this.env };
    const child = spawn(process.execPath, args, { stdio: ["ignore", log, log], env });
    closeSync(log);
    this.#child = child;
    this.#isWanted = true;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (status, signal) => {
        this.#child = null;
        this.isPaused = false;
        if (this.#isWanted && status !== 0) this.lastWords.push(`${signal ?? `status ${status}`}: ${this.#lastLine()}`);
        resolve();
      });
    });
  }

  #lastLine() {
    return readFileSync(this.log, "utf8").trimEnd().split("\n").at(-1) ?? "";
  }

  signal(name) {
    this.#child?.kill(name);
  }

  pause() {
    this.isPaused = this.isRunning;
    this.signal("SIGSTOP");
  }

  resume() {
    this.isPaused = false;
    this.signal("SIGCONT");
  }

  /** Resolves when the process has ended. */
  async kill(name = "SIGKILL") {
    this.#isWanted = false;
    this.signal(name);
    if (this.isPaused) this.signal("SIGCONT");
    await this.#ended;
  }

  /** Resolves with true when it serves; with false when it ended, or did not within the time. */
  async ready(withinMs = 60_000) {
    // Counted in waits: a machine that stood still meanwhile is no reason to give up.
    for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 50) {
      await sleep(50);
      if (!this.isRunning) return false;
      if ((await this.status())?.phase === "serving") return true;
    }
    return false;
  }

  async status() {
    try {
      const status = await ask({ address: this.address, timeoutMs: 1000, ...statusQuestion() });
      return status.pid === this.pid ? status : undefined;
    } catch {
      return undefined;
    }
  }
}
