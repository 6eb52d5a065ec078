// The stories of an overload run. Goodput is what is answered, well, within its time; its measure is the peak, what the
// cluster answers when nobody asks for more than it can do (a closed loop). Rounds are interleaved, so that a slow minute
// of the machine hits all of a round.
import { pointOf, stretchOf } from "../../dist/lab/series.js";

const hotBucket = "hot";
const restBucket = "rest";
/** p99.9 of the seconds after a burst is normal when it is no more than so often that of the seconds before. */
const normalTimes = 1.2;

export async function runStories(asked, load) {
  const run = { goodput, recovery, hot };
  console.error(`${asked.keys} keys are loaded; the generator is the ${load.generator.kind} one`);
  await load.load("bench", asked.keys);
  if (asked.stories.includes("hot")) {
    await load.load(hotBucket, 1);
    await load.load(restBucket, asked.keys);
  }
  await load.measure({ seconds: asked.seconds });
  const report = { asked, generator: load.generator.kind };
  for (const name of asked.stories) report[name] = [];
  for (let round = 1; round <= asked.rounds; round += 1) {
    for (const name of asked.stories) {
      console.error(`round ${round} of ${asked.rounds}: ${name}`);
      report[name].push(await run[name](asked, load, round));
    }
  }
  return report;
}

async function peakOf(asked, load) {
  const { runs, cpu } = await load.measure({ seconds: asked.seconds });
  const { throughput, latencyMs } = runs[0].result;
  return { perSecond: throughput, p999: latencyMs["p99.9"], cpu };
}

async function goodput(asked, load) {
  const peak = await peakOf(asked, load);
  const rate = Math.round(asked.times * peak.perSecond);
  const { runs, cpu } = await load.measure({ rate, seconds: asked.seconds, warmUp: 2 });
  const { throughput, errors, errorsByCode, latencyMs } = runs[0].result;
  const perNodeCpu = (row) => row.perSecond / row.cpu.nodes;
  const over = { rate, perSecond: throughput, errors, errorsByCode, p50: latencyMs.p50, p999: latencyMs["p99.9"], cpu };
  return { peak, over, share: over.perSecond / peak.perSecond, sharePerNodeCpu: perNodeCpu(over) / perNodeCpu(peak) };
}

async function recovery(asked, load) {
  const peak = await peakOf(asked, load);
  const { seconds } = asked;
  const quiet = {
    bucket: "bench",
    rate: Math.round(asked.quietShare * peak.perSecond),
    seconds: 3 * seconds,
    warmUp: 1,
  };
  const burst = { rate: Math.round(asked.times * peak.perSecond), seconds, warmUp: 0, after: 1 + seconds };
  const { runs, cpu } = await load.measure(quiet, burst);
  const [{ run, result }, { run: over, result: overResult }] = runs;
  const begins = (over.startedMs - run.startedMs) / 1000;
  const ends = begins + seconds;
  const stretch = (from, to) => stretchOf(run.intervals, from, to)["p99.9"];
  const before = run.intervals.map(pointOf).filter(({ to }) => to <= begins);
  const normal = normalTimes * Math.max(...before.map((point) => point["p99.9"]));
  // What began before the end of the burst may be answered in the second in which it ends.
  const after = run.intervals.map(pointOf).filter(({ from }) => from >= ends);
  const late = after.findIndex((point) => point["p99.9"] <= normal);
  return {
    ...{ peak: peak.perSecond, rate: quiet.rate, burst: burst.rate, burstAnswered: overResult.throughput },
    ...{ before: stretch(0, begins), during: stretch(begins, ends), errors: result.errors, normal, cpu },
    after: after.map((point) => point["p99.9"]),
    /** Whole seconds until one was normal; null: none was. */
    recoveredAfter: late < 0 ? null : late,
  };
}

/** What comes first has what the peak left to bear: the two change places from round to round. */
async function hot(asked, load, round) {
  const peak = await peakOf(asked, load);
  const rate = Math.round((asked.quietShare * peak.perSecond) / 2);
  const rest = { bucket: restBucket, rate, seconds: asked.seconds, distribution: "uniform" };
  const others = [
    { rate, seconds: asked.seconds, distribution: "uniform" },
    { bucket: hotBucket, keys: 1, rate, seconds: asked.seconds },
  ];
  const order = round % 2 === 1 ? [0, 1] : [1, 0];
  const runs = [];
  for (const which of order) runs[which] = await load.measure(rest, others[which]);
  const [spread, beside] = runs;
  const row = ({ runs, cpu }) => {
    const [{ result }, { result: other }] = runs;
    const { p50, p99, "p99.9": p999 } = result.latencyMs;
    return { p50, p99, p999, errors: result.errors, other: other.latencyMs["p99.9"], otherErrors: other.errors, cpu };
  };
  return { rate, spread: row(spread), beside: row(beside) };
}
