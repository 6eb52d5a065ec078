// The object buffer, and the store over an engine that answers at the end of the turn and keeps nothing: what our own
// code costs per read and write, group commit and Merkle leaves included, without RocksDB.
import { mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hash64 } from "../../dist/base/hash.js";
import { ObjectBuffer } from "../../dist/storage/object-buffer.js";
import { Store, StoreWrite } from "../../dist/storage/store.js";
import { causalHash, SiblingSet } from "../../dist/version/sibling-set.js";
import { fullKeys, hashesOf, sealed, seasonedSet, sink } from "./shared.mjs";

const partitionShift = 22;
const keysMask = 4095;
const perTurn = 16;

/** Answers what was asked when `turn` is called. */
class HollowEngine {
  #events;
  #answers = [];

  attach(events) {
    this.#events = events;
  }

  get(_key, token) {
    this.#answers.push(() => this.#events.onGot(0, token, null, null));
  }

  batch() {
    return {
      bytes: 0,
      put(key, value) {
        this.bytes += key.length + value.length;
      },
      del(key) {
        this.bytes += key.length;
      },
    };
  }

  write(_batch, token) {
    this.#answers.push(() => this.#events.onWritten(0, token, null));
  }

  sync(token) {
    this.#answers.push(() => this.#events.onSynced(0, token, null));
  }

  scan(_range, token) {
    this.#answers.push(() => this.#events.onScanned(0, token, { keys: [], values: [], done: true }, null));
  }

  close() {
    this.#answers.push(() => this.#events.onClosed(0));
  }

  turn() {
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) answer();
    return answers.length > 0;
  }
}

function startedStore() {
  const engine = new HollowEngine();
  let started = false;
  let turnWanted = false;
  const events = {
    onStoreStarted() {
      started = true;
    },
    onStoreRead(_now, _token, record) {
      sink.value = record;
    },
    onStoreWritten() {},
    onStoreSynced() {},
    onStoreFailed(_now, reason) {
      throw new Error(reason);
    },
    onStoreClosed() {},
  };
  const wantTurnEnd = () => {
    turnWanted = true;
  };
  const store = new Store({ engine, events, partitions: 1024, bufferBytes: 64 << 20, wantTurnEnd });
  const turn = () => {
    do {
      turnWanted = false;
      store.endTurn(0);
    } while (engine.turn() || turnWanted);
  };
  store.start(0);
  while (!started) turn();
  return { store, turn };
}

function newWrite(keys, hashes, record, delta, i, memory) {
  const write = new StoreWrite();
  write.fullKey = keys[i & keysMask];
  write.hashHigh = hashes[i & keysMask].high;
  write.hashLow = hashes[i & keysMask].low;
  write.n = 3;
  write.partition = write.hashHigh >>> partitionShift;
  write.sealed = record;
  write.deltaHigh = delta.high;
  write.deltaLow = delta.low;
  write.memory = memory;
  write.token = i & 0xffff;
  return write;
}

/** What the log costs at least: a synchronous append to the page cache. */
function appending() {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-append-"));
  const file = openSync(join(directory, "log"), "w");
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const bytes = new Uint8Array(1200);
  const run = (times) => {
    for (let i = 0; i < times; i += 1) writeSync(file, bytes, 0, bytes.length, (i & keysMask) * bytes.length);
  };
  return { name: "append 1,200 bytes to a file", run };
}

export function storeCases() {
  const keys = fullKeys(keysMask + 1);
  const hashes = hashesOf(keys);
  const set = seasonedSet();
  const record = sealed(set);
  const delta = new Hash64();
  causalHash(set, keys[0], delta);
  sink.value = SiblingSet.empty;

  const buffer = new ObjectBuffer(64 << 20);
  const { store, turn } = startedStore();
  const bufferPut = (times) => {
    for (let i = 0; i < times; i += 1) {
      const { high, low } = hashes[i & keysMask];
      buffer.put(keys[i & keysMask], high, low, record, 0);
    }
  };
  bufferPut(keysMask + 1);
  const bufferGet = (times) => {
    for (let i = 0; i < times; i += 1) {
      const { high, low } = hashes[i & keysMask];
      sink.value = buffer.get(keys[i & keysMask], high, low);
    }
  };
  const writing = (memory) => (times) => {
    for (let i = 0; i < times; i += 1) {
      store.write(0, newWrite(keys, hashes, record, delta, i, memory));
      if (i % perTurn === perTurn - 1) turn();
    }
    turn();
  };
  return [
    appending(),
    { name: "object buffer: get 1 KiB", run: bufferGet },
    { name: "object buffer: put 1 KiB in place", run: bufferPut },
    { name: "store: write 1 KiB, 16 a batch, no engine", run: writing(false) },
    { name: "store: memory write 1 KiB, 16 a turn, no engine", run: writing(true) },
  ];
}
