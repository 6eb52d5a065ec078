// A run: the clusters side by side, loaded in turns, so that a slow minute of the machine hits all of them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { inRounds } from "../shared/figures.mjs";
import { generatorOf } from "../shared/generator.mjs";
import { StagesCluster } from "./cluster.mjs";
import { EchoCluster, echoIsBuilt, partFloors } from "./floors.mjs";

/** Of a cluster: `servedNodes` leaves as many to proxies. */
const ports = 6;

function clustersOf(asked, generator) {
  const { programs, directory, basePort, withFloors } = asked;
  const built = Object.entries(programs).filter(([, program]) => program !== undefined);
  const clusters = built.map(([name, program], index) => {
    const own = join(directory, name);
    mkdirSync(own);
    const place = { program, directory: own, basePort: basePort + ports * index };
    return [name, new StagesCluster({ ...asked, ...place, generator })];
  });
  if (withFloors && generator.kind === "native" && echoIsBuilt()) {
    clusters.push(["echo", new EchoCluster({ ...asked, generator, basePort: basePort + 2 * ports })]);
  }
  return Object.fromEntries(clusters);
}

function loopsOf({ clients, rate }) {
  return [
    { name: `${clients} clients`, load: { clients } },
    { name: `${rate}/s`, load: { rate } },
  ];
}

/** Runs it all; `atEnd` is told how to end what was started. What each story's loops had, and what the parts cost alone. */
export async function runStages(asked, atEnd) {
  const { seconds, warmUp, rounds, withFloors } = asked;
  const generator = generatorOf(asked.generator);
  const clusters = clustersOf(asked, generator);
  for (const cluster of Object.values(clusters)) {
    atEnd(() => cluster.stop());
    await cluster.start();
  }
  for (const name of ["before", "now"]) await clusters[name]?.run({ clients: asked.clients }, warmUp);
  const found = asked.stories.map(({ name, reads }) => {
    const loops = loopsOf(asked).map((loop) => ({ ...loop, before: [], now: [], echo: [] }));
    return { name, reads, loops };
  });
  const set = found.flatMap(({ name, reads, loops }) =>
    loops.flatMap((loop) =>
      Object.keys(clusters).map((who) => ({ name: `${name}, ${loop.name}, ${who}`, reads, loop, who })),
    ),
  );
  for (const [{ reads, loop, who }] of inRounds(set, rounds)) {
    loop[who].push(await clusters[who].measure({ ...loop.load, reads }, seconds));
  }
  const parts = withFloors ? await partFloors() : {};
  return { asked, stories: found.map(({ name, loops }) => ({ name, loops, parts: parts[name] ?? {} })) };
}
