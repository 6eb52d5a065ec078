/** EpochGate: older requests are refused, newer ones wait for the ring; SecondAttempts: ops that wait for it, too. */
import { describe, expect, test } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { codeOf } from "../../../src/base/errors.ts";
import { nodeNumber } from "../../../src/base/ids.ts";
import { instant, never } from "../../../src/base/time.ts";
import { GetOp } from "../../../src/coordinator/get.ts";
import { Quorum } from "../../../src/coordinator/quorum.ts";
import { EpochGate } from "../../../src/node/epoch-gate.ts";
import type { GetOrigin } from "../../../src/node/request.ts";
import { SecondAttempts } from "../../../src/node/second-attempts.ts";
import type { Session } from "../../../src/node/session.ts";
import type { NodeState } from "../../../src/node/state.ts";
import { Ticket } from "../../../src/node/ticket.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { defaultPolicy } from "../ring/support.ts";

class World {
  epoch = 5;
  readonly ring = { fences: Uint32Array.from([3, 5]) };
  readonly pulled: string[] = [];
  readonly said: string[] = [];
  readonly gate = new EpochGate(this as unknown as NodeState);
  readonly session = {
    number: nodeNumber(7),
    fail: ({ frameId }: Frame, status: number) => this.said.push(`${frameId}: ${codeOf(status)}`),
    onFrame: (_now: number, { frameId, bytes }: Frame) => this.said.push(`${frameId}: again ${bytes.join(" ")}`),
  } as unknown as Session;

  onNewerEpoch(_now: number, from: number, epoch: number): void {
    this.pulled.push(`${epoch} from ${from}`);
  }

  ask(now: number, frameId: number, epoch: number): boolean {
    const frame = new Frame(0x21, 0, frameId, Uint8Array.from([0, frameId, 9, 0]));
    frame.start = 1;
    frame.end = 3;
    const admitted = this.gate.admits(instant(now), this.session, frame, epoch);
    frame.bytes.fill(255);
    return admitted;
  }
}

describe("the gate", () => {
  test("lets pass what is as old as the last change of its partition, and refuses what is older", () => {
    const { gate, session, said } = new World();
    const asked = (frameId: number): Ticket => new Ticket(session, { type: 0x21, frameId });
    expect(gate.isFenced(asked(1), 3, 0)).toBe(false);
    expect(gate.isFenced(asked(2), 5, 1)).toBe(false);
    expect(said).toEqual([]);
    expect(gate.isFenced(asked(3), 2, 0)).toBe(true);
    expect(gate.isFenced(asked(4), 4, 1)).toBe(true);
    expect(said).toEqual(["3: WRONG_OWNER", "4: WRONG_OWNER"]);
    enableCanaries(["ignore-fence"]);
    expect(gate.isFenced(asked(5), 2, 0)).toBe(false);
    enableCanaries([]);
  });

  test("holds what is newer until its ring is there, in order, and with bytes of its own", () => {
    const world = new World();
    expect([world.ask(0, 1, 5), world.ask(0, 2, 6), world.ask(0, 3, 7), world.ask(0, 4, 6)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(world.pulled).toEqual(["6 from 7", "7 from 7", "6 from 7"]);
    world.epoch = 6;
    world.gate.onRing(instant(10));
    expect(world.said).toEqual(["2: again 2 9", "4: again 4 9"]);
    world.epoch = 7;
    world.gate.onRing(instant(20));
    expect(world.said.slice(2)).toEqual(["3: again 3 9"]);
    expect(world.gate.nextDeadline()).toBe(never);
  });

  test("has the asker go elsewhere when the ring does not come", () => {
    const world = new World();
    world.ask(0, 1, 6);
    world.ask(500_000, 2, 6);
    expect(world.gate.nextDeadline()).toBe(1_000_000);
    world.gate.expire(instant(999_999));
    expect(world.said).toEqual([]);
    world.gate.expire(instant(1_000_000));
    expect(world.said).toEqual(["1: NOT_SYNCED"]);
    expect(world.gate.nextDeadline()).toBe(1_500_000);
  });

  test("holds a bounded number", () => {
    const world = new World();
    for (let i = 0; i < 1024; i += 1) world.ask(0, i & 0xff, 6);
    expect(world.said).toEqual([]);
    world.ask(0, 77, 6);
    expect(world.said).toEqual(["77: OVERLOADED"]);
  });
});

describe("second attempts", () => {
  function refused(staleEpoch: number, deadline: number): GetOp<GetOrigin> {
    const op = new GetOp<GetOrigin>({} as GetOrigin, noBytes, new Quorum(defaultPolicy, {}));
    op.staleEpoch = staleEpoch;
    op.deadline = instant(deadline);
    return op;
  }

  test("begin when the ring is there, or end at their deadline", () => {
    const waiting = new SecondAttempts();
    const [early, late] = [refused(6, 500), refused(8, 200)];
    waiting.add(early);
    waiting.add(late);
    expect([waiting.takeReady(5), waiting.nextDeadline()]).toEqual([undefined, 200]);
    expect(waiting.takeReady(7)).toBe(early);
    expect(waiting.takeReady(7)).toBe(undefined);
    expect(waiting.takeExpired(instant(199))).toBe(undefined);
    expect(waiting.takeExpired(instant(200))).toBe(late);
    expect([waiting.size, waiting.nextDeadline()]).toEqual([0, never]);
  });
});
