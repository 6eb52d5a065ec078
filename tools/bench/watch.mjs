// What the watch over requests costs: everything that one get or put adds for its phase vector, the slowest of the second
// and the hottest keys: at the coordinator, in the bytes of the reply, and in the reply of one replica.
import { Durability } from "../../dist/base/durability.js";
import { GetOp } from "../../dist/coordinator/get.js";
import { resolveQuorum } from "../../dist/coordinator/quorum.js";
import { Pauses } from "../../dist/metrics/pauses.js";
import { TurnKeys } from "../../dist/metrics/turn-keys.js";
import { OpWatch } from "../../dist/node/op-watch.js";
import { decode, encode } from "../../dist/wire/codec.js";
import { GetReply, ReplicaReadReply } from "../../dist/wire/gen/codecs.js";
import { fullKeys, hashesOf, sink } from "./shared.mjs";

const policy = { name: "", n: 3, r: 2, w: 2, durability: Durability.buffered, version: 1 };
const env = { pauses: new Pauses(), loopWaitUs: () => 0 };
const targets = Uint16Array.of(1, 2, 3);
const keys = fullKeys(10_000);
const hashes = hashesOf(keys);

/** A zipfian choice, roughly: the lower, the likelier. */
function draw(i) {
  const spread = ((i * 2_654_435_761) >>> 8) / 0x100_0000;
  return Math.floor(keys.length ** spread) - 1;
}

function watched() {
  const watch = new OpWatch({ env, loopWaitUs: 0, config: { withoutPhases: false }, turnKeys: new TurnKeys() });
  const op = new GetOp(null, keys[0], resolveQuorum(policy, {}));
  Object.assign(op, { id: 7, targets: 3, targetNumbers: targets, localSlot: 0 });
  let now = 1_000_000;
  return (times) => {
    for (let i = 0; i < times; i += 1) {
      const key = draw(i);
      now += 30;
      op.fullKey = keys[key];
      op.hashHigh = hashes[key].high;
      op.hashLow = hashes[key].low;
      op.started = now;
      watch.took(now, op);
      for (let slot = 0; slot < 3; slot += 1) watch.asked(now, op, slot);
      for (let slot = 0; slot < 2; slot += 1) watch.getAnswered(now + 200 + (i % 64), op.id * 8 + slot, 0, 40);
      sink.value = watch.answered(now + 200 + (i % 64), op);
    }
  };
}

const common = { record: new Uint8Array(100), context: new Uint8Array(60), epoch: 1, acks: [1, 2], coordinator: 1 };
const phases = [0x123, 0, 0, 0, 0, 0, 0, 0, 310, 0, 40, 0xffff_ffff, 0, 0];

function reply(message, codec) {
  const bytes = encode(codec, message);
  return (times) => {
    for (let i = 0; i < times; i += 1) {
      encode(codec, message);
      sink.value = decode(codec, bytes, 0, bytes.length);
    }
  };
}

export function watchCases() {
  const replica = { record: new Uint8Array(100), epoch: 1 };
  return [
    { name: "watch a get of three replicas", run: watched() },
    { name: "encode and decode a get's reply without phases", run: reply(common, GetReply) },
    { name: "encode and decode a get's reply with phases", run: reply({ ...common, phases }, GetReply) },
    { name: "encode and decode a replica's reply without times", run: reply(replica, ReplicaReadReply) },
    {
      name: "encode and decode a replica's reply with times",
      run: reply({ ...replica, loopUs: 0, storageUs: 40 }, ReplicaReadReply),
    },
  ];
}
