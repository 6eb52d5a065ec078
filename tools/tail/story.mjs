// What happens in a tail run, and when: the cluster starts, is loaded, and from then on the load goes on by itself while
// the story acts. Marks tell the acts on the wall clock; the report lays them over the seconds of the HDR log.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readHistogramLog } from "../../dist/lab/series.js";
import { generate, generatorOf, loadKeys } from "../shared/generator.mjs";
import { MachineWatch } from "../shared/machine-watch.mjs";
import { reportOf } from "./report.mjs";

const pollMs = 500;

/** Runs the story that was asked for; resolves with its report. The run's HDR log stays in `directory`. */
export async function runStory(asked, cluster, directory, say) {
  const generator = generatorOf(asked.generator);
  say(`${asked.nodes} nodes start; the generator is the ${generator.kind} one`);
  await cluster.start();
  say(`${asked.keys} keys are loaded`);
  const { keys, rate } = asked;
  await loadKeys(generator, cluster.addresses, { keys });
  const story = new Story(asked, cluster, say);
  const down = asked.name === "one-down" ? asked.down : asked.outage;
  const seconds = asked.before + down + asked.within + asked.after;
  const hlog = join(directory, "run.hlog");
  const watch = new MachineWatch();
  watch.start();
  say(`${asked.rate} operations a second for ${seconds} s, after ${asked.warmUp} s of warm-up`);
  const load = { keys, rate, load: "never", "warm-up": asked.warmUp, duration: seconds, hlog };
  let ended = false;
  const running = generate(generator, cluster.addresses, load).finally(() => {
    ended = true;
  });
  const samples = sampleCounters(cluster, () => ended);
  await Promise.race([story.act(), running]);
  const result = await running;
  story.end();
  watch.stop();
  const run = readHistogramLog(readFileSync(hlog, "utf8"));
  const events = await cluster.run("events", "--all");
  return reportOf({ asked, generator, run, watch, events, story, result, samples: await samples });
}

/** The nodes' counters once a second until the run is over. */
async function sampleCounters(cluster, isOver) {
  const samples = [];
  while (!isOver()) {
    samples.push({ at: Date.now(), nodes: await cluster.counters().catch(() => []) });
    await sleep(1000);
  }
  return samples;
}

class Story {
  /** What was done, or seen to be done, and when. */
  marks = [];
  /** The plan of a join, as JSON and as text. */
  plan = null;
  planText = "";
  /** Whether everything had settled before the load ended. */
  settled = false;
  #asked;
  #cluster;
  #say;
  #over = false;

  constructor(asked, cluster, say) {
    this.#asked = asked;
    this.#cluster = cluster;
    this.#say = say;
  }

  #mark(name, text) {
    this.marks.push({ name, text, at: Date.now() });
    this.#say(text);
  }

  /** The load has ended: what has not come true by now is not waited for. */
  end() {
    this.#over = true;
  }

  async #until(holds) {
    while (!(await holds().catch(() => false))) {
      // Polling on would keep this process alive, and the nodes are gone soon.
      if (this.#over) await new Promise(() => {});
      await sleep(pollMs);
    }
  }

  async act() {
    const { warmUp, before } = this.#asked;
    // The newcomers are there from the start: their own start is no part of what is measured.
    const newcomers = Array.from({ length: this.#asked.newcomers }, () => this.#cluster.launch());
    await sleep(1000 * (warmUp + before));
    if (this.#asked.name === "join") await this.#join(newcomers);
    else await this.#oneDown();
    this.settled = true;
  }

  async #join(newcomers) {
    const victim = this.#asked.outage > 0 ? this.#cluster.nodes[2] : undefined;
    if (victim !== undefined) await this.#outage(victim, this.#asked.outage);
    // The operator's commands take CPU of this very machine.
    this.#mark("staging", "the join is staged and planned");
    for (const { name } of newcomers) await this.#cluster.run("cluster", "join", name);
    this.planText = await this.#cluster.text("cluster", "plan");
    this.plan = await this.#cluster.run("cluster", "plan");
    await this.#cluster.run("cluster", "commit", this.plan.plan);
    this.#mark("during", `plan ${this.plan.plan} is committed`);
    await this.#until(async () => !(await this.#cluster.isMoving()));
    this.#mark("cleaning", "every partition is with its new owners");
    await this.#until(async () => (await this.#cluster.transfers()) === 0 && (await this.#cluster.hints()) === 0);
    this.#mark("after", "old copies are deleted");
  }

  async #outage(victim, seconds) {
    this.#mark("one down", `${victim.name} is killed`);
    await victim.kill("SIGKILL");
    await sleep(1000 * seconds);
    this.#mark("it returns", `${victim.name} starts again`);
    victim.start();
    if (!(await victim.ready())) throw new Error(`${victim.name} did not come back: ${victim.lastWords}`);
  }

  async #oneDown() {
    const victim = this.#cluster.nodes.at(-1);
    await this.#outage(victim, this.#asked.down);
    await this.#until(async () => (await this.#cluster.hints()) === 0);
    this.#mark("after", "no hint is left");
  }
}
