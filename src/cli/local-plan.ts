/** What a local cluster is made with: settled when it is made, kept beside its data, and held to afterwards. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { durabilityOf } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import { systemClock } from "../io/clock.ts";
import { makeDirectory } from "../io/make-directory.ts";
import { listen } from "../io/tcp.ts";
import { badArgument } from "./output.ts";

/** What a cluster is made with; kept in DIR/cluster.json. */
export interface Plan {
  readonly nodes: number;
  readonly basePort: number;
  readonly durability: string;
}

/** What was asked for; undefined: as it was made, or the default. */
export interface AskedPlan {
  readonly directory: string;
  readonly nodes: number | undefined;
  readonly basePort: number | undefined;
  readonly durability: string | undefined;
}

/**
 * The plan of the cluster in a directory, or a new one, settled once its ports are known to be free; rejects if the
 * cluster there was made otherwise.
 */
export async function planOf(directory: string, asked: AskedPlan): Promise<Plan> {
  const { nodes, basePort, durability } = asked;
  if (durability !== undefined) durabilityOf(durability);
  makeDirectory(directory);
  const file = join(directory, "cluster.json");
  if (existsSync(file)) return checkedPlan(file, asked);
  const plan: Plan = { nodes: nodes ?? 3, basePort: basePort ?? 7401, durability: durability ?? "one-durable" };
  if (plan.basePort + plan.nodes > 65_536)
    throw badArgument(`--base-port is ${plan.basePort}; ${plan.nodes} ports from there end beyond 65535`);
  for (let i = 0; i < plan.nodes; i += 1) await checkIsFree(addressOf(plan, i));
  writeFileSync(`${file}.new`, `${JSON.stringify({ format: 1, ...plan }, null, 2)}\n`);
  renameSync(`${file}.new`, file);
  return plan;
}

/** Where a node of the cluster listens. */
export function addressOf(plan: Plan, index: number): string {
  return `127.0.0.1:${plan.basePort + index}`;
}

async function checkIsFree(address: string): Promise<void> {
  const listener = await listen({ address, clock: systemClock, accept: () => undefined }).catch(() => undefined);
  if (listener === undefined) throw takenPort(address);
  await listener.close();
}

/** What is told where a node cannot listen. */
export function takenPort(address: string): RingtailError {
  return badArgument(
    `${address} is in use: by another program, or this cluster is up already; stop that, or choose another --dir and --base-port`,
  );
}

type PlanFile = Partial<Plan & { readonly format: number }> | null;

function parsedPlan(file: string): PlanFile {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as PlanFile;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function readPlan(file: string): Plan {
  const plan = parsedPlan(file);
  const { format = 0, nodes, basePort, durability } = plan ?? {};
  if (format > 1)
    throw new RingtailError("STORAGE_FAILED", `${file} has format ${format}; this version reads format 1`);
  const isWhole = format === 1 && Number.isInteger(nodes) && Number.isInteger(basePort);
  if (!isWhole || typeof durability !== "string")
    throw new RingtailError("STORAGE_FAILED", `${file} is damaged: it does not say how the cluster was made`);
  return plan as Plan;
}

function checkedPlan(file: string, asked: AskedPlan): Plan {
  const plan = readPlan(file);
  for (const key of ["nodes", "basePort", "durability"] as const) {
    if (asked[key] !== undefined && asked[key] !== plan[key]) {
      throw badArgument(
        `the cluster in ${asked.directory} was made with ${key} ${plan[key]}, not ${asked[key]}: leave it out, or choose another --dir`,
      );
    }
  }
  return plan;
}
