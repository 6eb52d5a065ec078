/** Which puts share a frame, and whose answer an answer is. */
import { expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { Durability } from "../../../src/base/durability.ts";
import { PutOp } from "../../../src/coordinator/put.ts";
import { Quorum } from "../../../src/coordinator/quorum.ts";
import { SharedWrites } from "../../../src/node/shared-writes.ts";
import { slotFrameId } from "../../../src/node/slot-frame-id.ts";
import { defaultPolicy } from "../ring/support.ts";

const { buffered, durable } = Durability;
const shared = utf8("the record of several puts");

/** A put on nodes 1, 2 and 3, of which 1 is the own one. */
function put(id: number, sealed: Uint8Array = shared, epoch = 4): PutOp<string> {
  const op = new PutOp("put", utf8("key"), new Quorum(defaultPolicy, {}));
  Object.assign(op, { id, sealed, epoch, targets: 3 });
  op.targetNumbers = Uint16Array.of(1, 2, 3);
  return op;
}

/** Sends a put to a slot, as coordination-requests.ts does: whether it took a frame of its own. */
function send(shares: SharedWrites, op: PutOp<string>, slot: number, durability: Durability = buffered): boolean {
  if (shares.join(op, slot, durability)) return false;
  shares.sent(op, slot, durability);
  return true;
}

function begun(): SharedWrites {
  const shares = new SharedWrites();
  shares.begin(shared);
  return shares;
}

test("the first put to each peer takes a frame, and its answer is everybody's, once", () => {
  const shares = begun();
  const frames = [10, 11, 12].map((id) => [1, 2].map((slot) => send(shares, put(id), slot)));
  expect(frames).toEqual([
    [true, true],
    [false, false],
    [false, false],
  ]);
  expect(shares.take(slotFrameId(10, 2))).toEqual([11, 12].map((id) => slotFrameId(id, 2)));
  expect(shares.take(slotFrameId(10, 2))).toEqual([]);
  expect(shares.take(slotFrameId(10, 1))).toEqual([11, 12].map((id) => slotFrameId(id, 1)));
});

test("the slots of puts that share may be in another order", () => {
  const shares = begun();
  const other = put(11);
  other.targetNumbers = Uint16Array.of(1, 3, 2);
  expect([send(shares, put(10), 1), send(shares, other, 1), send(shares, other, 2)]).toEqual([true, true, false]);
  expect(shares.take(slotFrameId(10, 1))).toEqual([slotFrameId(11, 2)]);
});

test.each<[string, PutOp<string>, Durability]>([
  ["another record", put(11, shared.slice()), buffered],
  ["another durability", put(11), durable],
  ["another epoch", put(11, shared, 5), buffered],
  ["the same put, for the second time", put(10), buffered],
])("%s takes a frame of its own", (_name, op, durability) => {
  const shares = begun();
  send(shares, put(10), 1);
  expect(send(shares, op, 1, durability)).toBe(true);
  expect(shares.take(slotFrameId(10, 1))).toEqual([]);
});

test("nobody joins a frame that is answered, or whose answer will not come, or of another turn", () => {
  const ends: ((shares: SharedWrites) => void)[] = [
    (shares) => shares.take(slotFrameId(10, 1)),
    (shares) => shares.onPeerLost(2),
    (shares) => shares.endTurn(),
    (shares) => shares.begin(utf8("the next record")),
  ];
  for (const end of ends) {
    const shares = begun();
    send(shares, put(10), 1);
    end(shares);
    expect(send(shares, put(11), 1)).toBe(true);
  }
});

test("announcing the record again, put by put, changes nothing", () => {
  const shares = begun();
  send(shares, put(10), 1);
  shares.begin(shared);
  expect(send(shares, put(11), 1)).toBe(false);
});

test("with the put that took the frame goes what is known of those who share it", () => {
  const shares = begun();
  for (const id of [10, 11]) for (const slot of [1, 2]) send(shares, put(id), slot);
  shares.forget(put(11));
  expect(shares.take(slotFrameId(10, 1))).toEqual([slotFrameId(11, 1)]);
  shares.forget(put(10));
  expect(shares.take(slotFrameId(10, 2))).toEqual([]);
});
