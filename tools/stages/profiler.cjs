/**
 * Preloaded into each node of `npm run stages`: the first SIGUSR2 begins a CPU profile of the main thread, the next one
 * ends it and writes it to STAGES_PROFILE, and so on. V8's own profiler, asked from inside: no port is opened, and
 * between profiles nothing is sampled. STAGES_PROFILE.threads lists the threads that there are so early: V8's.
 */
const { readdirSync, renameSync, writeFileSync } = require("node:fs");
const { Session } = require("node:inspector");

const path = process.env.STAGES_PROFILE;
const interval = Number(process.env.STAGES_SAMPLING_US);
const session = new Session();
let running = false;

writeFileSync(`${path}.threads`, readdirSync("/proc/self/task").join(" "));

/** Answers of the profiler come before `post` returns. */
function ask(method, params) {
  let result;
  session.post(method, params, (error, answer) => {
    if (error) throw new Error(`${method}: ${error.message}`);
    result = answer;
  });
  return result;
}

session.connect();
ask("Profiler.enable");
ask("Profiler.setSamplingInterval", { interval });

process.on("SIGUSR2", () => {
  running = !running;
  if (running) {
    ask("Profiler.start");
    return;
  }
  const { profile } = ask("Profiler.stop");
  // Whole or not there: whoever waits for the file reads it as soon as it sees it.
  writeFileSync(`${path}.part`, JSON.stringify(profile));
  renameSync(`${path}.part`, path);
});
