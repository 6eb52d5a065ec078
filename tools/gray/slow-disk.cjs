// Preloaded into the nodes of a gray run: from SIGUSR2 on, until the next one, the disk of this process takes 20 ms longer
// for each read of the store and each sync. For that alone: nothing else loads it.
const fs = require("node:fs");
const RocksDB = require("rocksdb");

const slowMs = 20;
let isSlow = false;
process.on("SIGUSR2", () => {
  isSlow = !isSlow;
});

/** The callback, late while the disk is slow. */
function late(done) {
  return isSlow ? (...results) => setTimeout(() => done(...results), slowMs) : done;
}

const { _get } = RocksDB.prototype;
RocksDB.prototype._get = function get(key, options, done) {
  return _get.call(this, key, options, late(done));
};
for (const name of ["fsync", "fdatasync"]) {
  const original = fs[name];
  fs[name] = (file, done) => original(file, late(done));
}
require("node:module").syncBuiltinESMExports();
