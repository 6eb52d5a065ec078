// Membership at large n: the real cores in the simulated network, without the rest of a node. For each n a settled group
// is watched, then members are crashed one after another; then slow members are made to pause again and again, with
// Lifeguard and without. Simulated time is exact; nothing here depends on the machine.
//
//   node tools/bench/members.mjs [--n 8,32,100,256,1000] [--crashes 5] [--seconds 20] [--slow 4,16,32] [--seed 1] [--json]
//
// It runs on what is built: `npm run build` first. n = 1,000 takes some minutes and 1.5 GB. `--smoke` tries n = 8 only, briefly.
import { profiles } from "../../dist/membership/profile.js";
import { suspicionMaxUs, suspicionMinUs, syncIntervalUs } from "../../dist/membership/suspicion.js";
import {
  expectedCrashUs,
  measureCrash,
  measureSlow,
  measureSteady,
  plainSwim,
  settledWorld,
} from "../../dist/sim/member-trials.js";
import { commandLine, wholesOf } from "../shared/command.mjs";

const { values: flags, whole } = commandLine(
  ["n", "crashes", "seconds", "slow", "slow-members", "seed"],
  ["json", "smoke"],
);
const sizes = flags.smoke ? [8] : wholesOf("n", flags.n ?? "8,32,100,256,1000", 3);
const crashes = flags.smoke ? 2 : whole("crashes", 5);
const seconds = flags.smoke ? 5 : whole("seconds", 20);
const slowCounts = flags.smoke ? [1] : wholesOf("slow", flags.slow ?? "1,4,16,32", 0);
const slowMembers = flags.smoke ? 16 : whole("slow-members", 128, 8);
const seed = whole("seed", 1, 0, 0xffff_ffff);

/** Crashed members are as many as leave the group its size, within a few per cent. */
function crashesAt(n) {
  return Math.max(1, Math.min(crashes, Math.floor(n / 4)));
}

function sizeRow(n) {
  const started = process.hrtime.bigint();
  const profile = profiles.lan;
  const world = settledWorld({ seed, members: n, profile });
  const steady = measureSteady(world, Math.max(seconds * 1_000_000, flags.smoke ? 0 : syncIntervalUs(profile, n)));
  const trials = [];
  for (let i = 0; i < crashesAt(n); i += 1) trials.push(measureCrash(world, world.seats[n - 1 - i]));
  const median = (pick) => trials.map(pick).sort((a, b) => a - b)[Math.floor(trials.length / 2)] / 1e6;
  const worst = (pick) => Math.max(...trials.map(pick)) / 1e6;
  return {
    n,
    suspect: median((one) => one.suspectUs),
    first: median((one) => one.firstUs),
    all: median((one) => one.allUs),
    allWorst: worst((one) => one.allUs),
    formula: expectedCrashUs(profile, n) / 1e6,
    memberlist: expectedCrashUs(profiles.memberlistLan, n) / 1e6,
    min: suspicionMinUs(profile, n) / 1e6,
    max: suspicionMaxUs(profile, n) / 1e6,
    ...steady,
    wallSeconds: Number(process.hrtime.bigint() - started) / 1e9,
  };
}

function slowRow(slow, profile, name) {
  const world = settledWorld({ seed, members: slowMembers, profile });
  const options = { slow, pauseUs: 5_000_000, durationUs: (flags.smoke ? 20 : 120) * 1_000_000, seed };
  return { n: slowMembers, slow, profile: name, ...measureSlow(world, options) };
}

const cell = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits) : "-");

function printSize(row) {
  const cells = [row.n, cell(row.suspect), cell(row.first), cell(row.all), cell(row.allWorst), cell(row.formula)];
  cells.push(cell(row.memberlist), `${cell(row.min)} / ${cell(row.max, 0)}`, cell(row.datagrams, 2));
  console.log(`| ${[...cells, cell(row.bytes, 0), cell(row.tcpBytes, 0)].join(" | ")} |`);
}

function printSlow(row) {
  console.log(`| ${[row.n, row.slow, row.profile, row.healthyKilled, row.slowKilled, row.suspicions].join(" | ")} |`);
}

function say(...lines) {
  if (!flags.json) console.log(lines.join("\n"));
}

const results = { sizes: [], slow: [] };
say(
  "A crash, in seconds (medians), beside the sum that the formulas give for this profile and for memberlist's LAN.",
  "Messages and bytes are datagrams sent per member and second while nothing happens; state syncs apart.\n",
  "| n | suspected | first dead | all know | worst | formula | memberlist | min / max | msg/s | B/s | sync B/s |",
  "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
);
for (const n of sizes) {
  const row = sizeRow(n);
  results.sizes.push(row);
  if (!flags.json) printSize(row);
}
say(
  "\nSlow members (blocked 5 s at a time, back for at most 0.3 s), two minutes: deaths of members that lived.\n",
  "| n | slow | detector | healthy killed | slow killed | suspicions |",
  "|--:|--:|---|--:|--:|--:|",
);
for (const slow of slowCounts) {
  for (const [name, profile] of [
    ["lifeguard", profiles.lan],
    ["plain SWIM", plainSwim(profiles.lan)],
  ]) {
    const row = slowRow(slow, profile, name);
    results.slow.push(row);
    if (!flags.json) printSlow(row);
  }
}
if (flags.json) console.log(JSON.stringify(results));
