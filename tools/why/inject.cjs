// Preloaded into a node of a why run. SIGUSR2 begins what WHY_INJECT names, and ends it again:
//
//   disk:MS   every fdatasync takes MS longer, as on a slow disk
//   loop:MS   the event loop is blocked for MS, twice a second
//   gc        a full garbage collection of a large heap, twice a second
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");
const v8 = require("node:v8");
const vm = require("node:vm");

const [kind, text] = (process.env.WHY_INJECT ?? "").split(":");
const ms = Number(text ?? 0);
const everyMs = 500;
const objects = 800_000;
let on = false;
let timer;

if (kind === "disk") {
  const { fdatasync } = fs;
  fs.fdatasync = (file, done) => fdatasync(file, on ? (error) => setTimeout(done, ms, error) : done);
  syncBuiltinESMExports();
}

function block() {
  for (const end = performance.now() + ms; performance.now() < end; );
}

function collector() {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  const kept = Array.from({ length: objects }, (_, i) => ({ i, text: `object ${i}` }));
  return () => collect(kept.length > 0 ? undefined : kept);
}

const acts = { loop: () => block, gc: collector };

process.on("SIGUSR2", () => {
  on = !on;
  clearInterval(timer);
  const act = acts[kind];
  if (on && act !== undefined) timer = setInterval(act(), everyMs);
});
