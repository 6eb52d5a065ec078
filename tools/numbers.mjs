// `npm run numbers`: the figures that Ringtail is held to, beside their targets. Three nodes are loaded in a closed loop and
// at four rates, in each durability; every window once before any is repeated, so that a slow minute of the machine hits
// all alike. What was measured is kept in a file after each window, and a later call goes on where this one ended:
// --within ends it after so many seconds. Prints Markdown tables. docs/NUMBERS.md has them, and says how to read them.
//
//   npm run numbers -- [plain] [compaction] [lww] [node] [options]   all four, if none is named (numbers/windows.mjs)
//
//   --runs N        of each window (5)         --duration S    of a window (20)     --warm-up S   before it (5)
//   --keys N        of 1 KiB each (100000)     --results FILE  kept windows: what it has is not measured again
//   --within S      no window begins that would end later; 0: only the tables of what --results has
//   --only TEXT     windows whose name has it, such as "memory" or "5000/s"
//   --base-port N   --out FILE (the tables)    --quick
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { numberTables } from "./numbers/report.mjs";
import { windowsOf } from "./numbers/windows.mjs";
import { prepare } from "./prepare.mjs";
import { commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { freePorts } from "./shared/processes.mjs";

function options() {
  const texts = ["runs", "duration", "warm-up", "keys", "results", "within", "only", "base-port", "out"];
  const { values, positionals, whole } = commandLine(texts, ["quick"], { allowPositionals: true });
  const { quick, results, out, only = "" } = values;
  return {
    ...{ results, out, windows: windowsOf(positionals, only) },
    runs: whole("runs", quick ? 1 : 5),
    load: {
      keys: whole("keys", quick ? 500 : 100_000),
      duration: whole("duration", quick ? 1 : 20),
      "warm-up": whole("warm-up", quick ? 0 : 5, 0),
    },
    within: whole("within", undefined, 0),
    basePort: whole("base-port", undefined, 1024, 65_000),
  };
}

/** What earlier calls have measured; windows of another length or data set are no repetitions of ours. */
function earlier(path, load) {
  const kept = path !== undefined && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { load, results: [] };
  if (isDeepStrictEqual(kept.load, load)) return kept;
  throw new Error(
    `--results ${path} was measured with ${JSON.stringify(kept.load)}, asked for: ${JSON.stringify(load)}`,
  );
}

async function main() {
  const asked = options();
  const kept = earlier(asked.results, asked.load);
  if (asked.within !== 0) {
    await prepare();
    const { measureWindows } = await import("./numbers/measure.mjs");
    await inScratch("numbers", async (directory, atEnd) => {
      const place = { directory, basePort: asked.basePort ?? (await freePorts(6)) };
      for await (const result of measureWindows({ ...asked, ...place }, kept.results, atEnd)) {
        kept.results.push(result);
        saveJson(asked.results, kept);
      }
    });
  }
  const text = numberTables(kept, asked.windows);
  console.log(text);
  if (asked.out !== undefined) writeFileSync(asked.out, `${text}\n`);
}

runCommand("numbers", main);
