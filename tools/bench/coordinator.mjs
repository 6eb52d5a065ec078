// One put and one get through their coordinators, with effects that do nothing: the cost of coordination alone.
import { Durability } from "../../dist/base/durability.js";
import { GetCoordinator, GetOp } from "../../dist/coordinator/get.js";
import { PutCoordinator, PutOp } from "../../dist/coordinator/put.js";
import { resolveQuorum } from "../../dist/coordinator/quorum.js";
import { fullKeys, sealed, seasonedSet, sink } from "./shared.mjs";

const policy = { name: "", n: 3, r: 2, w: 2, durability: Durability.buffered, resolver: 0, version: 1 };
const targets = Uint16Array.of(1, 2, 3);
const nothing = () => {};
const effects = {
  putLocal: nothing,
  writeReplica: nothing,
  readReplica: nothing,
  repairReplica: nothing,
  keepHint: nothing,
  askHead: nothing,
  heard: nothing,
  silent: nothing,
  staleRing: nothing,
  reply: nothing,
  forget: nothing,
};
const opsMax = 1024;
const timeoutUs = 1_000_000;

function fill(op) {
  op.targetNumbers = targets;
  op.localSlot = 0;
  op.epoch = 1;
  op.timeoutUs = timeoutUs;
  return op;
}

export function coordinatorCases() {
  const [fullKey] = fullKeys(1);
  const set = seasonedSet();
  const record = sealed(set);
  let now = 0;
  const options = { opsMax, replicaMarginUs: 20_000, silenceUs: 200_000 };
  const puts = new PutCoordinator(effects, options);
  const put = (times) => {
    for (let i = 0; i < times; i += 1) {
      now += 10;
      const op = fill(new PutOp(null, fullKey, resolveQuorum(policy, {})));
      puts.begin(now, op);
      puts.onPrepared(now, op.id, record, set.version);
      for (let slot = 0; slot < 3; slot += 1) puts.onAck(now, op.id, slot, false);
      puts.expire(now);
    }
    sink.value = puts.inFlight;
  };
  const gets = new GetCoordinator(effects, { ...options, repairsMax: 64 });
  const get = (times) => {
    for (let i = 0; i < times; i += 1) {
      now += 10;
      const op = fill(new GetOp(null, fullKey, resolveQuorum(policy, {})));
      gets.begin(now, op);
      for (let slot = 0; slot < 3; slot += 1) gets.onRecord(now, op.id, slot, record);
      gets.expire(now);
    }
    sink.value = gets.inFlight;
  };
  return [
    { name: "coordinate a put", run: put },
    { name: "coordinate a get of three equal records", run: get },
  ];
}
