// What is measured, and what it must reach: loads with their targets, by durability, in four variants.
import { chosen } from "../shared/command.mjs";

/** By name: how the loads differ. `generator` undefined: the native one where it is built. */
export const variants = {
  plain: { title: "One bucket that keeps siblings, everything on", bucket: "bench" },
  compaction: { title: "While one node flushes and compacts, all the time", bucket: "bench", compacts: true },
  lww: { title: "A bucket where the last write wins", bucket: "bench-lww" },
  node: { title: "With a client in Node, as the other stores were measured", bucket: "bench", generator: "node" },
};

export const durabilities = ["memory", "buffered", "one-durable", "durable"];

const perSecond = { unit: "operations/s", of: ({ throughput }) => throughput, digits: 0, isRate: true };
const tail = { unit: "p99.9 in ms", of: ({ latencyMs }) => latencyMs["p99.9"], digits: 1, isRate: false };

/** `must` and `aim` are of `memory`; `buffered` may be worse by half, and need not hold the highest rate. */
export const loads = [
  {
    name: "closed loop, 64 clients, 50/50",
    flags: { clients: 64, reads: 50 },
    figure: perSecond,
    must: 20_000,
    aim: 30_000,
  },
  {
    name: "closed loop, 64 clients, 95/5",
    flags: { clients: 64, reads: 95 },
    figure: perSecond,
    must: 28_000,
    aim: 45_000,
  },
  { name: "open loop, 1000/s, 50/50", flags: { rate: 1_000, reads: 50 }, figure: tail, must: 2, aim: 1 },
  { name: "open loop, 5000/s, 50/50", flags: { rate: 5_000, reads: 50 }, figure: tail, must: 2.5, aim: 1.2 },
  { name: "open loop, 10000/s, 50/50", flags: { rate: 10_000, reads: 50 }, figure: tail, must: 4, aim: 2 },
  {
    name: "open loop, 20000/s, 50/50",
    flags: { rate: 20_000, reads: 50 },
    figure: tail,
    must: 8,
    aim: 4,
    isForMemoryOnly: true,
  },
];

/** The windows of variants (all, if none is named) whose name contains a text. */
export function windowsOf(asked, only) {
  const names = chosen("variants", asked, Object.keys(variants));
  const all = names.flatMap((variant) =>
    loads.flatMap((load) =>
      durabilities.map((durability) => ({
        ...{ variant, load, durability },
        name: `${variant}, ${load.name}, ${durability}`,
      })),
    ),
  );
  const windows = all.filter(({ name }) => name.includes(only));
  if (windows.length === 0) throw new Error(`--only ${only} leaves no window; one is called "${all[0].name}"`);
  return windows;
}

/** What a durability must reach under a load; undefined: nothing is asked of it. */
export function targetOf({ must, figure, isForMemoryOnly }, durability) {
  if (durability === "memory") return must;
  if (durability !== "buffered" || isForMemoryOnly) return undefined;
  return figure.isRate ? must / 1.5 : must * 1.5;
}
