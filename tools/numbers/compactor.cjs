/**
 * Preloaded into each node of `npm run numbers`: after a SIGUSR2 its RocksDB flushes its memtable and compacts all that it
 * has, again and again, until the next SIGUSR2. Left to itself it would do so once in some 64 MiB of writes, which few
 * windows would see. What it does then is the engine's own flush and compaction, in the engine's own threads.
 */
const RocksDB = require("rocksdb");

const first = Buffer.alloc(0);
const last = Buffer.alloc(32, 0xff);
const open = RocksDB.prototype._open;
let database;
let running = false;

RocksDB.prototype._open = function (options, done) {
  database = this;
  open.call(this, options, done);
};

function compact() {
  if (running)
    database.compactRange(first, last, (error) => {
      if (error) throw error;
      compact();
    });
}

process.on("SIGUSR2", () => {
  running = !running;
  compact();
});
