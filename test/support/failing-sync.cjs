// Preloaded into a node: while the file that FAILING_SYNC names is there, syncs fail as on a disk that has lost pages.
// It says which: "log" for those of the write-ahead log, "state" for those of the state files.
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");

const { fdatasync, fsync } = fs;

function fails(part) {
  try {
    return fs.readFileSync(process.env.FAILING_SYNC, "utf8") === part;
  } catch {
    return false;
  }
}

function failure(call) {
  return Object.assign(new Error(`EIO: i/o error, ${call}`), { code: "EIO", syscall: call });
}

/** The part of the node that a file belongs to. */
function partOf(file) {
  return /\/state(\/|$)/.test(fs.readlinkSync(`/proc/self/fd/${file}`)) ? "state" : "log";
}

fs.fdatasync = (file, done) => {
  if (fails("log")) setImmediate(done, failure("fdatasync"));
  else fdatasync(file, done);
};
fs.fsync = (file, done) => {
  if (fails(partOf(file))) setImmediate(done, failure("fsync"));
  else fsync(file, done);
};
syncBuiltinESMExports();
