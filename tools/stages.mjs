// `npm run stages`: where the CPU time of a get and of a put goes, stage by stage, at the coordinator and at the replicas,
// and what each stage costs at least. Starts a throw-away cluster of three `ringtail serve` processes on free ports (and,
// with --before, one of another build beside it; and the three echo nodes of native-bench, if it is built), loads them in
// turns, and samples the nodes' main threads with V8's profiler. docs/STAGES.md has the tables and says how to read them.
//
//   npm run stages -- [gets] [puts] [options]   both, if none is named
//
//   --before DIR        another checkout, built: its column stands before ours
//   --rate N            of the open loop (5000)     --clients N       of the closed one (64)
//   --seconds S         of each stretch (5): one without the profiler and one with it for each loop and cluster
//   --warm-up S         of each cluster, before all (10)
//   --rounds N          every second one backwards; figures are medians (1)
//   --keys N            of 1 KiB each (20000)       --durability MODE of the cluster (buffered)
//   --sampling-us N     between two samples (500)   --without-floors  neither echo nodes nor parts alone
//   --functions N       the functions that took most, too (0)
//   --generator KIND    native or node (native if it is built: npm run native-bench -- --build-only)
//   --base-port N       --out FILE (all figures, as JSON)                 --quick
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { prepare, root } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { freePorts } from "./shared/processes.mjs";

const stories = { gets: 100, puts: 0 };

function options() {
  const numbers = ["rate", "clients", "seconds", "warm-up", "rounds", "keys", "sampling-us", "functions", "base-port"];
  const texts = [...numbers, "before", "durability", "generator", "out"];
  const { values, positionals, whole } = commandLine(texts, ["without-floors", "quick"], { allowPositionals: true });
  const { quick, generator, out, before, durability = "buffered" } = values;
  return {
    ...{ generator, out, durability, withFloors: !values["without-floors"] },
    stories: chosen("stories", positionals, Object.keys(stories)).map((name) => ({ name, reads: stories[name] })),
    programs: { before: before && builtIn(resolve(before)), now: builtIn(root) },
    rate: whole("rate", quick ? 500 : 5_000),
    clients: whole("clients", quick ? 8 : 64),
    seconds: whole("seconds", quick ? 1 : 5),
    warmUp: whole("warm-up", quick ? 1 : 10),
    rounds: whole("rounds", 1),
    keys: whole("keys", quick ? 200 : 20_000),
    samplingUs: whole("sampling-us", 500, 50, 100_000),
    functions: whole("functions", 0, 0),
    basePort: whole("base-port", undefined, 1024, 65_000),
  };
}

function builtIn(directory) {
  return join(directory, "dist/cli/main.js");
}

async function main() {
  const asked = options();
  await prepare();
  if (asked.programs.before !== undefined && !existsSync(asked.programs.before))
    throw new Error(`--before: ${asked.programs.before} is not there; build that checkout first`);
  // After `prepare`: they stand on what was built.
  const { runStages } = await import("./stages/run.mjs");
  const { functionTable, stageTable, threadTable } = await import("./stages/report.mjs");
  const report = await inScratch("stages", async (directory, atEnd) =>
    runStages({ ...asked, directory, basePort: asked.basePort ?? (await freePorts(15)) }, atEnd),
  );
  for (const story of report.stories) {
    const hottest = asked.functions === 0 ? [] : story.loops.map((loop) => functionTable(loop, asked.functions));
    const tables = [...story.loops.map((loop) => stageTable(loop, story.parts)), threadTable(story), ...hottest];
    console.log([`\n### ${story.name}`, ...tables].join("\n\n"));
  }
  saveJson(asked.out, report);
}

runCommand("stages", main);
