/** Gets of one key that stand in line together are read once; nobody boards a flight that has left. */
import { afterEach, expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { fullKeyOf } from "../../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../../src/base/hash.ts";
import { instant } from "../../../src/base/time.ts";
import { GetOp } from "../../../src/coordinator/get.ts";
import { Quorum } from "../../../src/coordinator/quorum.ts";
import { Flights } from "../../../src/node/flights.ts";
import { type GetOrigin, Request } from "../../../src/node/request.ts";
import type { Session } from "../../../src/node/session.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { defaultPolicy } from "../ring/support.ts";

afterEach(() => enableCanaries([]));

const quorum = new Quorum(defaultPolicy, {});
const session = {} as Session;
const now = instant(1_000);

function get(key: string, frameId: number, asked: Quorum = quorum, timeoutUs = 1_000): GetOp<GetOrigin> {
  const request = new Request(now, session, { type: FrameType.GET, frameId });
  const op = new GetOp<GetOrigin>(request, fullKeyOf(utf8("b"), utf8(key)), asked);
  const hash = new Hash64();
  hashKey(op.fullKey, hash);
  op.hashHigh = hash.high;
  op.hashLow = hash.low;
  op.timeoutUs = timeoutUs;
  return op;
}

/** Has all flights leave: for each the key's last letter and the frames that it answers. */
function leave(flights: Flights): string[] {
  const left: string[] = [];
  flights.leave(now, (_now, op) => {
    const frames: number[] = [];
    for (let one: GetOrigin | null = op.origin; one !== null; one = one.companion)
      frames.push((one as Request).frameId);
    left.push(`${op.fullKey.at(-1)}: ${frames.sort((a, b) => a - b).join(" ")}`);
  });
  return left;
}

const [a, b] = [utf8("a")[0], utf8("b")[0]];

test("gets of one key share a read, others do not", () => {
  const flights = new Flights();
  expect([get("a", 1), get("b", 2), get("a", 3), get("a", 4)].map((op) => flights.board(op))).toEqual([
    ...[false, false, true, true],
  ]);
  expect(leave(flights)).toEqual([`${a}: 1 3 4`, `${b}: 2`]);
});

test("a flight that has left takes nobody", () => {
  const flights = new Flights();
  flights.board(get("a", 1));
  leave(flights);
  expect(flights.board(get("a", 2))).toBe(false);
  expect(leave(flights)).toEqual([`${a}: 2`]);
  expect(leave(flights)).toEqual([]);
});

test("the planted bug lets it", () => {
  enableCanaries(["boards-a-flight-that-left"]);
  const flights = new Flights();
  flights.board(get("a", 1));
  leave(flights);
  expect(flights.board(get("a", 2))).toBe(true);
});

test("whoever asks for another quorum reads alone", () => {
  const flights = new Flights();
  flights.board(get("a", 1));
  expect(flights.board(get("a", 2, new Quorum(defaultPolicy, { r: 3 })))).toBe(false);
});

test("two keys of one hash are two flights", () => {
  const flights = new Flights();
  const one = get("a", 1);
  const other = get("b", 2);
  other.hashHigh = one.hashHigh;
  other.hashLow = one.hashLow;
  flights.board(one);
  expect(flights.board(other)).toBe(false);
});

test("a flight has as much time as the most patient get on it", () => {
  const flights = new Flights();
  const first = get("a", 1, quorum, 5_000);
  flights.board(first);
  flights.board(get("a", 2, quorum, 9_000));
  flights.board(get("a", 3, quorum, 1_000));
  expect(first.timeoutUs).toBe(9_000);
});
