/**
 * Preloaded into the node that clinic profiles. Clinic's doctor and bubbleprof write their last samples when Node is about
 * to leave because nothing is left to do (`beforeExit`), and then exit themselves; a node that has stopped cleanly calls
 * `process.exit`, where that event does not come. Here the first `process.exit` becomes that event.
 */
const exit = process.exit;
const patienceMs = 15_000;

process.exit = (code) => {
  process.exit = exit;
  if (code !== undefined) process.exitCode = code;
  if (process.listenerCount("beforeExit") === 0) exit();
  setTimeout(exit, patienceMs).unref();
  process.emit("beforeExit", process.exitCode);
};
