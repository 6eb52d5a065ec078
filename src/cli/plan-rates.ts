/**
 * What an estimate of a plan is made from: how much the nodes hold now, and how fast their transfers may go at this moment
 * (both from `STATUS`). Partitions are taken to be of one size, which hashing sees to, and a node that is silent to hold as
 * much as the others; the rate follows the foreground, so the time is that of the load of this moment.
 */
import { wholeQuotient } from "../ring/claim-quota.ts";
import type { PlanRates } from "../ring/plan-text.ts";
import type { Ring } from "../ring/ring.ts";
import { askEvery } from "./every-node.ts";
import { statusQuestion } from "./questions.ts";

/** The rates of the ring's owners; undefined if none of them tells. */
export async function planRates(ring: Ring, timeoutMs: number): Promise<PlanRates | undefined> {
  const answers = await askEvery(ring, timeoutMs, statusQuestion());
  const owners = answers.filter(({ member }) => member.status !== "joining");
  let told = 0;
  let bytes = 0;
  let slowest = Number.MAX_SAFE_INTEGER;
  for (const { reply } of owners) {
    const counterOf = (name: string): number => reply?.counters.find((row) => row.name === name)?.value ?? 0;
    const rate = counterOf("transfer_bytes_per_second");
    if (rate === 0) continue;
    told += 1;
    bytes += counterOf("store_data_bytes");
    slowest = Math.min(slowest, rate);
  }
  if (told === 0) return undefined;
  const copies = Math.max(
    1,
    wholeQuotient(ring.partitions * Math.min(ring.replicasMax, owners.length) * told, owners.length),
  );
  const bytesPerCopy = wholeQuotient(bytes + copies - 1, copies);
  return { bytesOf: () => bytesPerCopy, bytesPerSecond: slowest };
}
