/** The processes behind `ringtail up`: starting, watching, restarting and stopping them. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ErrorCode, errorTable, RingtailError } from "../base/errors.ts";
import { ask } from "../io/ask.ts";
import { makeSecret } from "../io/secret.ts";
import { type AskedPlan, addressOf, type Plan, planOf, takenPort } from "./local-plan.ts";
import { statusQuestion } from "./questions.ts";

/** What `up` was asked for. */
export interface LocalClusterOptions extends AskedPlan {
  readonly restart: boolean;
  readonly say: (line: string) => void;
}

/**
 * V8's worker threads compile and collect garbage beside the event loop. Several nodes share this machine's CPUs, and with
 * four workers each (Node's default) a young cluster compiles so much at once that its loops starve.
 *
 * And no collection is made only to give memory back. V8 makes one 100 s after the last, so nodes that were started
 * together come to it at the same instant, and all owners of a key stall at once (it cannot be forbidden later on).
 */
const v8Flags = ["--v8-pool-size=1", "--no-memory-reducer"];

const restartMs = 1_000;
const readyMs = 60_000;
const pollMs = 50;
const statusMs = 1_000;
const killMs = 15_000;
/** How long the dashboard is waited for. */
const dashboardMs = 5_000;

interface Member {
  readonly name: string;
  readonly address: string;
  readonly arguments: readonly string[];
  readonly log: string;
  process: ChildProcess | undefined;
  /** Settles when the process has ended. */
  ended: Promise<void>;
}

/** A local cluster of real processes. */
export class LocalCluster {
  readonly #options: LocalClusterOptions;
  readonly #directory: string;
  readonly #members: Member[] = [];
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.#directory = resolve(options.directory);
  }

  /** Resolves when every node serves and reaches the others; rejects with `RingtailError` if that fails. */
  async start(): Promise<void> {
    const began = Date.now();
    const plan = await planOf(this.#directory, this.#options);
    const { say } = this.#options;
    say(`starting ${plan.nodes} node${plan.nodes === 1 ? "" : "s"}, data under ${this.#directory}`);
    makeSecret(join(this.#directory, "cluster.secret"));
    for (let index = 0; index < plan.nodes; index += 1) this.#members.push(this.#newMember(plan, index));
    for (const member of this.#members) this.#spawn(member);
    try {
      await Promise.all(this.#members.map((member) => this.#untilReady(member)));
    } catch (error) {
      if (this.#stopped !== undefined) return;
      await this.stop();
      throw error;
    }
    this.#started = true;
    for (const { name, address, process: child, log } of this.#members) {
      say(`${name}  ${address}  pid ${child?.pid ?? "?"}  log ${log}`);
    }
    const dashboard = await this.#dashboard();
    if (dashboard !== undefined) say(`dashboard  ${dashboard}`);
    const n = Math.min(3, plan.nodes);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    say(
      `ready after ${seconds} s: N=${n} R=${majority(n)} W=${majority(n)}, ${plan.durability}. Ctrl-C stops the cluster.`,
    );
  }

  /** The first node's, if it is there: nodes do without where the port is taken. */
  async #dashboard(): Promise<string | undefined> {
    const { usualAdminAddress } = await import("../admin/server.ts");
    const address = usualAdminAddress((this.#members[0] as Member).address);
    if (address === undefined || process.env.RINGTAIL_ADMIN_LISTEN === "off") return undefined;
    const healthy = fetch(`http://${address}/healthz`, { signal: AbortSignal.timeout(dashboardMs) });
    return healthy.then(
      ({ ok }) => (ok ? `http://${address}` : undefined),
      () => undefined,
    );
  }

  #newMember(plan: Plan, index: number): Member {
    const name = `n${index + 1}`;
    const address = addressOf(plan, index);
    const n = Math.min(3, plan.nodes);
    const settings: [string, string][] = [
      ["--name", name],
      ["--host", `host-${index + 1}`],
      ["--listen", address],
      ["--directory", join(this.#directory, name)],
      ["--secret-file", join(this.#directory, "cluster.secret")],
      ["--durability", plan.durability],
      ["--n", String(n)],
      ["--r", String(majority(n))],
      ["--w", String(majority(n))],
    ];
    const place = index === 0 ? ["--bootstrap", "--expect", String(plan.nodes)] : ["--seed-node", addressOf(plan, 0)];
    const log = join(this.#directory, `${name}.log`);
    return {
      name,
      address,
      arguments: [...settings.flat(), ...place],
      log,
      process: undefined,
      ended: Promise.resolve(),
    };
  }

  #spawn(member: Member): void {
    const log = openSync(member.log, "a");
    const program = fileURLToPath(new URL("./main.js", import.meta.url));
    const child = spawn(process.execPath, [...v8Flags, program, "serve", ...member.arguments], {
      stdio: ["ignore", log, log, "ipc"],
      // A group of its own: Ctrl-C comes to `up` alone, which then stops the nodes.
      detached: true,
    });
    closeSync(log);
    member.process = child;
    member.ended = new Promise((settle) => {
      child.once("exit", (code, signal) => {
        settle();
        this.#onExit(member, code, signal);
      });
    });
  }

  #onExit(member: Member, code: number | null, signal: NodeJS.Signals | null): void {
    member.process = undefined;
    if (this.#stopped !== undefined || !this.#started) return;
    const how = signal === null ? `ended with status ${code}` : `was killed by ${signal}`;
    const { restart, say } = this.#options;
    say(`${member.name} ${how}${restart ? "; starting it again in 1 s" : "; it stays down"}`);
    if (!restart) return;
    setTimeout(() => {
      if (this.#stopped !== undefined) return;
      this.#spawn(member);
      void this.#untilReady(member).then(
        () => say(`${member.name} is back`),
        (error: Error) => say(`${member.name} did not come back: ${error.message}`),
      );
    }, restartMs);
  }

  async #untilReady(member: Member): Promise<void> {
    const deadline = Date.now() + readyMs;
    while (this.#stopped === undefined) {
      if (member.process === undefined) throw reasonOfEnd(member);
      if (await this.#serves(member)) return;
      if (Date.now() > deadline)
        throw new RingtailError(
          "DEADLINE_EXCEEDED",
          `${member.name} was not ready after ${readyMs / 1000} s; see ${member.log}`,
        );
      await sleep(pollMs);
    }
    throw new RingtailError("NODE_STOPPING", "stopped before it was ready");
  }

  /** Whether the node serves and reaches every other node that runs. */
  async #serves(member: Member): Promise<boolean> {
    try {
      const status = await ask({ address: member.address, timeoutMs: statusMs, ...statusQuestion() });
      if (status.pid !== member.process?.pid) {
        throw takenPort(member.address);
      }
      const running = this.#members.filter((other) => other.process !== undefined).length;
      return status.phase === "serving" && status.peers.filter((peer) => peer.state === "ok").length >= running - 1;
    } catch (error) {
      if (error instanceof RingtailError && error.code === "INVALID_ARGUMENT") throw error;
      return false;
    }
  }

  /** Stops every node cleanly. Calling it again returns the same promise. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#started) this.#options.say("stopping ...");
    const ends = this.#members.map((member) => {
      const child = member.process;
      if (child === undefined) return member.ended;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), killMs);
      return member.ended.then(() => clearTimeout(timer));
    });
    await Promise.all(ends);
    if (this.#started) this.#options.say("stopped");
  }
}

function majority(n: number): number {
  return Math.floor(n / 2) + 1;
}

/** Why a node ended before it was ready: the error on the last line that it wrote. */
function reasonOfEnd({ name, log }: Member): RingtailError {
  const line = readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? "";
  const [, code = "", message = line] = /^ringtail: ([A-Z_]+): (.*)$/.exec(line) ?? [];
  return new RingtailError(code in errorTable ? (code as ErrorCode) : "STORAGE_FAILED", `${name} ended: ${message}`);
}
