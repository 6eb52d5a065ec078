// A process with one RocksDB of small tables, watched as a node watches its own: `node stuck-engine.mjs DIR BATCHES`. Writes so many
// batches of random keys and closes, or says why it cannot and ends as a node does. Runs what was built.
import { randomBytes } from "node:crypto";
import { systemClock } from "../../dist/io/clock.js";
import { EngineWatch } from "../../dist/io/engine-watch.js";
import { RocksEngine } from "../../dist/io/rocks-store.js";

const [directory, batches] = process.argv.slice(2);
const engine = await RocksEngine.open(directory, { clock: systemClock, memtableBytes: 64 * 1024 });
let written = 0;

function write() {
  if (written === Number(batches)) {
    engine.close();
    return;
  }
  written += 1;
  const batch = engine.batch();
  for (let i = 0; i < 32; i += 1) batch.put(randomBytes(9), randomBytes(2_000));
  engine.write(batch, written);
}

const watch = new EngineWatch(engine, { error: (text) => console.log(text) }, (reason) => {
  console.log(reason);
  process.kill(process.pid, "SIGKILL");
});
setInterval(() => watch.look(), 100).unref();
engine.attach({
  onGot() {},
  onWritten: write,
  onSynced() {},
  onScanned() {},
  onClosed: () => process.exit(0),
});
write();
