/** Forwarding: a put on its one hop to an owner: which one, what becomes of its answer, and when another is tried. */
import { expect, test } from "vitest";
import { codeOf, type Status, statusOk, wireOf } from "../../../src/base/errors.ts";
import { type NodeNumber, nodeNumber, type PartitionId } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { Quorum } from "../../../src/coordinator/quorum.ts";
import { Forwarding } from "../../../src/node/forwarding.ts";
import type { Peers } from "../../../src/node/peers.ts";
import { Request } from "../../../src/node/request.ts";
import type { Routing } from "../../../src/node/routing.ts";
import type { Session } from "../../../src/node/session.ts";
import type { NodeState } from "../../../src/node/state.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { type Asking, Frame } from "../../../src/wire/frame.ts";
import { FrameType, REPLY_BIT } from "../../../src/wire/frame-types.ts";
import { ErrorReply, PutReply, PutRequest } from "../../../src/wire/gen/codecs.ts";
import { defaultPolicy, fieldsOf, membersOn } from "../ring/support.ts";

const timeoutUs = 50_000;
const now = instant(1);
const put = decode(PutRequest, encode(PutRequest, { key: Uint8Array.of(7) }), 0, 3);

function ringOf(epoch: number, owners: readonly number[]): Ring {
  return new Ring({ ...fieldsOf(membersOn(6), owners), epoch });
}

/** Node 6, which owns nothing of partition 0; the others are as cheap as their numbers. */
class Story {
  readonly lines: string[] = [];
  readonly down: Set<number> = new Set();
  readonly forwarding: Forwarding;
  readonly shared: { ring: Ring; epoch: number };
  #frameId = 0;

  constructor() {
    const ring = ringOf(1, [1, 2, 3, 4, 5, 6, 1, 2]);
    this.shared = {
      ...{ ring, epoch: 1, number: nodeNumber(6), config: { inFlightMax: 1 } },
      ...{ metrics: { counter: () => ({ value: 0 }) } },
      onNewerEpoch: (_now: number, from: number, epoch: number) => this.lines.push(`node ${from} has ring ${epoch}`),
    } as never;
    const health = { reachable: () => true, state: () => "ok", cost: (number: number) => number };
    this.forwarding = new Forwarding(
      this.shared as unknown as NodeState,
      { of: (number: NodeNumber) => this.#peer(number) } as unknown as Peers,
      { health } as unknown as Routing,
      { onForwardOver: () => this.lines.push("over") },
    );
  }

  #peer(number: NodeNumber): unknown {
    return {
      send: (_type: number, frameId: number, _codec: unknown, request: PutRequest): boolean => {
        if (this.down.has(number)) return false;
        this.#frameId = frameId;
        this.lines.push(`to node ${number} in ring ${request.epoch}`);
        return true;
      },
    };
  }

  begin(): boolean {
    const session = {
      answer: (_asking: Asking, _codec: unknown, reply: PutReply) =>
        this.lines.push(`answered by ${reply.coordinator}, forwarded by ${reply.forwardedBy}`),
      fail: (_asking: Asking, status: number, _text: string, _after = 0, inDoubt = false) =>
        this.lines.push(`${codeOf(status)}${inDoubt ? ", in doubt" : ""}`),
    };
    const request = new Request(now, session as unknown as Session, { type: FrameType.PUT, frameId: 5 });
    return this.forwarding.forward(now, request, put, 0 as PartitionId, new Quorum(defaultPolicy, {}), timeoutUs);
  }

  answered(coordinator: number): void {
    this.#reply(statusOk, encode(PutReply, { coordinator }));
  }

  refused(code: Parameters<typeof wireOf>[0], told: { epoch?: number; inDoubt?: boolean } = {}): void {
    this.#reply(wireOf(code), encode(ErrorReply, told));
  }

  #reply(status: Status, body: Uint8Array): void {
    this.forwarding.onReply(now, new Frame(FrameType.FORWARD_PUT | REPLY_BIT, status, this.#frameId, body));
  }

  /** What has happened since the last call. */
  get told(): string[] {
    return this.lines.splice(0);
  }
}

test("the best owner is asked, and its answer is the answer", () => {
  const story = new Story();
  story.begin();
  story.answered(1);
  expect(story.told).toEqual(["to node 1 in ring 1", "over", "answered by 1, forwarded by 6"]);
  expect(story.forwarding.inFlight).toBe(0);
});

test("an owner whose link breaks, that stops or has no room is followed by another; a fallback comes last", () => {
  const story = new Story();
  story.down.add(3);
  story.begin();
  story.forwarding.onPeerLost(now, nodeNumber(1));
  story.refused("OVERLOADED");
  expect(story.told).toEqual(["to node 1 in ring 1", "to node 2 in ring 1", "to node 4 in ring 1"]);
  story.forwarding.onPeerLost(now, nodeNumber(4));
  expect(story.told).toEqual(["over", "CONNECTION_LOST"]);
});

test("an owner of old that tells of a newer ring is believed: the put waits for it, once, and goes to the new owners", () => {
  const story = new Story();
  story.begin();
  story.refused("WRONG_OWNER", { epoch: 2 });
  expect(story.told).toEqual(["to node 1 in ring 1", "node 1 has ring 2"]);
  Object.assign(story.shared, { ring: ringOf(2, [4, 2, 3, 1, 5, 6, 1, 2]), epoch: 2 });
  story.down.add(2);
  story.forwarding.onRing(now);
  story.refused("WRONG_OWNER", { epoch: 3 });
  expect(story.told).toEqual(["to node 3 in ring 2", "to node 4 in ring 2"]);
  story.answered(4);
  expect(story.told).toEqual(["over", "answered by 4, forwarded by 6"]);
});

test("a ring that never comes ends in time, and one without a reachable owner with a refusal", () => {
  const silent = new Story();
  silent.begin();
  silent.refused("WRONG_OWNER", { epoch: 2 });
  silent.forwarding.expire(instant(now + timeoutUs));
  expect(silent.told.slice(2)).toEqual(["over", "DEADLINE_EXCEEDED"]);

  const alone = new Story();
  alone.begin();
  alone.refused("WRONG_OWNER", { epoch: 2 });
  alone.shared.epoch = 2;
  for (let number = 1; number <= 5; number += 1) alone.down.add(number);
  alone.forwarding.onRing(now);
  expect(alone.told.slice(2)).toEqual(["over", "QUORUM_NOT_MET"]);
});

test("what may have taken effect at one is never called undone by another", () => {
  const story = new Story();
  story.begin();
  story.refused("OVERLOADED", { inDoubt: true });
  story.refused("STORAGE_FAILED");
  expect(story.told.slice(2)).toEqual(["over", "STORAGE_FAILED, in doubt"]);
});

test("past its places a put is refused, and so is one that nobody can be asked about", () => {
  const full = new Story();
  expect([full.begin(), full.begin()]).toEqual([true, false]);
  expect(full.told.at(-1)).toBe("OVERLOADED");
  const alone = new Story();
  for (let number = 1; number <= 5; number += 1) alone.down.add(number);
  expect(alone.begin()).toBe(false);
  expect(alone.told).toEqual(["QUORUM_NOT_MET"]);
});
