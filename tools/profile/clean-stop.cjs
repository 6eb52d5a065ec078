/**
 * Preloaded into the node that clinic profiles, so that it stops as it does in production and clinic still has its data.
 *
 * Flame's own preload ends the process at the first SIGINT or SIGTERM, before the node could flush and close: its listeners
 * go, the node's come later. Doctor and bubbleprof write their last samples when Node is about to leave because nothing
 * is left to do (`beforeExit`), and then exit themselves; a node that has stopped calls `process.exit`, where that event
 * does not come. So the first `process.exit` becomes that event.
 */
const patienceMs = 15_000;
const exit = process.exit;

for (const signal of ["SIGINT", "SIGTERM"]) process.removeAllListeners(signal);

process.exit = (code) => {
  process.exit = exit;
  if (code !== undefined) process.exitCode = code;
  if (process.listenerCount("beforeExit") === 0) exit();
  setTimeout(exit, patienceMs).unref();
  process.emit("beforeExit", process.exitCode);
};
