// What the commands over real processes share (chaos, torture, power-cut): a directory for logs, history and data, the
// report on standard output, and the status.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare } from "../prepare.mjs";
import { commandLine, runCommand, saveJson, stopwatch } from "../shared/command.mjs";

/** `numbers`: by name of the option, its default, least and most; `texts`: by name, its default. */
function optionsOf(command, { numbers, texts = {}, flags = [] }) {
  const names = [...Object.keys(numbers), ...Object.keys(texts), "dir"];
  const { values, whole } = commandLine(names, [...flags, "keep"]);
  const wholes = Object.entries(numbers).map(([name, [usual, min, max]]) => [name, whole(name, usual, min, max)]);
  const directory = values.dir ?? mkdtempSync(join(tmpdir(), `ringtail-${command}-`));
  return { ...texts, ...values, ...Object.fromEntries(wholes), directory };
}

/**
 * Builds what is not built, and runs: `run` is given the options and told how to say something, and resolves with the
 * report. The status is 1 when a promise was broken, a read had no answer or the run failed, and then everything stays where
 * the last line says.
 */
export function runJudged(command, options, run) {
  runCommand(command, async () => {
    const asked = optionsOf(command, options);
    const { directory, keep } = asked;
    await prepare();
    mkdirSync(directory, { recursive: true });
    const tell = stopwatch();
    const say = (text) => appendFileSync(join(directory, "run.log"), `${tell(text)}\n`);
    let good = false;
    try {
      const report = await run(asked, say);
      good = report.violations.length === 0 && report.readsMissed === 0 && (report.notConverged ?? "") === "";
      console.log(JSON.stringify({ good, ...report, violations: report.violations.slice(0, 20) }, null, 2));
      saveJson(join(directory, "report.json"), report);
    } catch (error) {
      say(`the run failed: ${error.stack}`);
    }
    if (good && !keep) rmSync(directory, { recursive: true, force: true });
    else console.error(`log, history and data: ${directory}`);
    process.exitCode = good ? 0 : 1;
  });
}
