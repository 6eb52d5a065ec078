/** `ringtail bench --sweep`: runs at rising rates, to the knee. */
import { Bench } from "../lab/bench.ts";
import { sweepPage, sweepRows } from "../lab/page/pages.ts";
import type { NamedSpectrum } from "../lab/page/plots.ts";
import { numberText } from "../lab/page/scale.ts";
import { type BenchResult, merged } from "../lab/result.ts";
import { spectrumOf } from "../lab/spectrum.ts";
import { type Knee, kneeOf, runSweep, type SweepPlan, type SweepPoint } from "../lab/sweep.ts";
import type { BenchFlags } from "./bench-flags.ts";
import { benchOptionsOf, seconds } from "./bench-options.ts";
import { BenchOutput, progressOf } from "./bench-output.ts";
import { badArgument, print, printJson, printTable, wholeNumber } from "./output.ts";

const usualFrom = "1000";
const usualSlo = "10";
const rateMax = 1_000_000;

function sweepPlanOf(flags: BenchFlags, from: number): SweepPlan {
  const to = flags.rateMax === undefined ? rateMax : wholeNumber("--rate-max", flags.rateMax, from, rateMax);
  return { from, to, sloMs: seconds("--slo-ms", flags.sloMs ?? usualSlo, 0.1) };
}

/** Runs it and tells; the results of its runs. */
export async function sweep(flags: BenchFlags): Promise<BenchResult[]> {
  if (flags.clients !== undefined)
    throw badArgument("--sweep raises the rate of an open loop; --clients is for a closed one");
  const output = new BenchOutput(flags);
  const extras = { keepsIntervals: output.wantsIntervals, hiccups: output.wantsHiccups };
  const options = benchOptionsOf({ ...flags, rate: flags.rate ?? usualFrom }, extras);
  const plan = sweepPlanOf(flags, options.plan.rate as number);
  const shown = flags.json !== true;
  const spectra: NamedSpectrum[] = [];
  const bench = await Bench.open(options, progressOf(shown));
  let points: SweepPoint[];
  try {
    points = await runSweep(bench, options.plan, plan, {
      onRate: (rate) => {
        if (shown) process.stderr.write(`${numberText(rate)} operations a second ...\n`);
      },
      onPoint: (point, measured) => {
        const { gets, puts } = measured.recording.recorder;
        spectra.push({ name: `${numberText(point.rate)}/s`, points: spectrumOf(merged(gets.response, puts.response)) });
        output.saveLog(String(point.rate), measured);
        if (shown) process.stderr.write(`  ${point.limit === null ? "held" : `${point.limit}: ${point.why}`}\n`);
      },
    });
  } finally {
    await bench.close();
  }
  const knee = kneeOf(points);
  if (shown) printSweep(points, knee);
  else printJson({ knee, sloMs: plan.sloMs, points });
  await output.savePage(() =>
    sweepPage(points, knee, plan.sloMs, someOf(spectra), { commands: output.commands, happenings: [] }),
  );
  return points.map(({ result }) => result);
}

const spectraMax = 6;

/** A few, from the lowest rate to the highest. */
function someOf(spectra: readonly NamedSpectrum[]): readonly NamedSpectrum[] {
  if (spectra.length <= spectraMax) return spectra;
  const step = (spectra.length - 1) / (spectraMax - 1);
  return Array.from({ length: spectraMax }, (_, i) => spectra[Math.round(i * step)] as NamedSpectrum);
}

function printSweep(points: readonly SweepPoint[], knee: Knee): void {
  print(knee.rate === null ? "knee        none" : `knee        ${numberText(knee.rate)} operations/s`);
  print(`            ${knee.why}`, "", "milliseconds");
  printTable(sweepRows(points));
}
