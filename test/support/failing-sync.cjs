// Preloaded into a node: while the file that FAILING_SYNC names is there, syncs fail as on a disk that has lost pages.
// It says which: "log" for those of the write-ahead log, "state" for those of the state files.
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");

const { fdatasync, fsync, promises } = fs;

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

fs.fdatasync = (file, done) => {
  if (fails("log")) setImmediate(done, failure("fdatasync"));
  else fdatasync(file, done);
};
fs.fsync = (file, done) => {
  if (fails("log")) setImmediate(done, failure("fsync"));
  else fsync(file, done);
};
syncBuiltinESMExports();

promises.open(__filename, "r").then(async (handle) => {
  const { prototype } = handle.constructor;
  const { sync } = prototype;
  prototype.sync = async function () {
    if (fails("state")) throw failure("fsync");
    return sync.call(this);
  };
  await handle.close();
});
