/** The ring as bytes: there and back, the fixed form of its owners, and what is refused. */
import { describe, expect, it } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { clusterId, nodeId, nodeNumber, noNode } from "../../../src/base/ids.ts";
import { type Member, type MemberStatus, Ring } from "../../../src/ring/ring.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { RingState } from "../../../src/wire/gen/codecs.ts";
import {
  decodeRing,
  encodeRing,
  type RingStateMessage,
  ringFromMessage,
  ringToMessage,
} from "../../../src/wire/ring-codec.ts";
import { WireError } from "../../../src/wire/wire-error.ts";
import { enumOf, fieldsOf } from "./schema.ts";

const statuses: readonly MemberStatus[] = ["member", "member", "leaving", "left"];

function memberOf(number: number, status: MemberStatus): Member {
  return {
    number: nodeNumber(number),
    id: nodeId(number.toString(16).padStart(32, "0")),
    name: `node-${number}`,
    address: `127.0.0.1:${7400 + (number % 100)}`,
    host: `host-${number}`,
    zone: "",
    weight: 100 + (number % 10),
    status,
  };
}

function ringOf(): Ring {
  const members = [1, 2, 258, 65_535].map((number, i) => memberOf(number, statuses[i] as MemberStatus));
  return new Ring({
    clusterId: clusterId("00112233445566778899aabbccddeeff"),
    epoch: 0xffff_ffff,
    partitions: 8,
    replicasMax: 3,
    members,
    owners: Uint16Array.of(1, 2, 258, 1, 2, 258, 1, 2),
    buckets: [
      { name: "", n: 3, r: 2, w: 2, durability: Durability.oneDurable, resolver: 0, version: 1 },
      { name: "carts", n: 2, r: 1, w: 2, durability: Durability.memory, resolver: 1, version: 4_000_000_000 },
    ],
  });
}

/** Members 1, 2 and 258 hand partition 3 to a newcomer, 7; 300 waits to join, 2 is asked to leave. */
function movingRing(): Ring {
  const ring = ringOf();
  const members = [
    ...ring.members.map((one) => (one.status === "leaving" ? { ...one, status: "member" as const } : one)),
    memberOf(7, "joining"),
    memberOf(300, "joining"),
  ];
  return new Ring({
    ...ring,
    epoch: 900,
    members,
    goal: Uint16Array.of(1, 2, 258, 7, 2, 258, 7, 2),
    active: Uint16Array.of(3),
    activeSince: Uint32Array.of(899),
    staged: [
      { kind: "join", member: nodeNumber(300), by: noNode },
      { kind: "leave", member: nodeNumber(2), by: noNode },
    ],
    fences: Uint32Array.of(1, 2, 3, 900, 70_000, 6, 7, 8).map((fence) => Math.min(fence, 900)),
  });
}

function changed(change: Partial<RingStateMessage>): RingStateMessage {
  return { ...ringToMessage(ringOf()), ...change };
}

describe("the ring's codec", () => {
  it("gives the same ring back", () => {
    const ring = ringOf();
    const again = decodeRing(encodeRing(ring));
    for (const field of ["clusterId", "epoch", "partitions", "replicasMax", "members", "owners", "buckets"] as const) {
      expect(again[field]).toEqual(ring[field]);
    }
    expect(encodeRing(again)).toEqual(encodeRing(ring));
  });

  it("gives back what moves, what is staged and the fences", () => {
    const ring = movingRing();
    const again = decodeRing(encodeRing(ring));
    for (const field of ["goal", "active", "activeSince", "staged", "fences", "nextOwners", "members"] as const) {
      expect(again[field]).toEqual(ring[field]);
    }
    expect(encodeRing(again)).toEqual(encodeRing(ring));
    expect(again.transfers()).toEqual(ring.transfers());
  });

  it("writes a ring in which nothing moves as it was written before anything could", () => {
    const ring = ringOf();
    const message = ringToMessage(ring);
    const { goal, active, activeSince, staged, fences, ...old } = message;
    expect([goal.length, active.length, activeSince.length, staged.length, fences.length]).toEqual([0, 0, 0, 0, 0]);
    expect(encode(RingState, old)).toEqual(encodeRing(ring));
    expect(ringFromMessage(decode(RingState, encodeRing(ring), 0, encodeRing(ring).length)).goal).toEqual(ring.owners);
  });

  it("fills every field of the message, and keeps no view of it", () => {
    const message = ringToMessage(ringOf());
    expect(Object.keys(message)).toEqual(fieldsOf("RingState").map((field) => field.name));
    expect(Object.keys(message.members[0] ?? {})).toEqual(fieldsOf("Member").map((field) => field.name));
    expect([...message.owners.subarray(2, 6)]).toEqual([2, 0, 2, 1]);
    const ring = ringFromMessage(message);
    message.owners.fill(0);
    expect(ring.owners).toEqual(ringOf().owners);
  });

  it("numbers member statuses as the schema does", () => {
    const numbers = enumOf("MemberStatus");
    const message = ringToMessage(ringOf());
    expect(message.members.map((member) => member.status)).toEqual(
      statuses.map((status) => numbers[status.toUpperCase()]),
    );
    expect(Object.keys(numbers)).toEqual(["JOINING", "MEMBER", "LEAVING", "LEFT"]);
  });

  it.each([
    ["another hash function", changed({ hashFunction: 2 }), "hash function 2"],
    ["no cluster id", changed({ clusterId: new Uint8Array(0) }), "cluster id"],
    ["owners that end inside a number", changed({ owners: new Uint8Array(15) }), "owners end inside"],
    ["too few owners", changed({ owners: new Uint8Array(14).fill(1) }), "owners"],
    ["a status from the future", withMember({ status: 4 }), "unknown member status 4"],
    ["a node number of 0", withMember({ number: 0 }), "not a node number: 0"],
    ["a short node id", withMember({ nodeId: new Uint8Array(3) }), "node id"],
    ["a durability from the future", withPolicy({ durability: 9 }), "unknown durability 9"],
    ["a policy that leaves the durability to itself", withPolicy({ durability: 0 }), "durability"],
    ["a goal that ends inside a number", changed({ goal: new Uint8Array(15) }), "goal end inside"],
    ["too short a goal", changed({ goal: new Uint8Array(14).fill(1) }), "goals for 7 partitions of 8"],
    ["active positions that end inside a number", changed({ active: new Uint8Array(3) }), "active positions end"],
    ["epochs for no active position", changed({ activeSince: [1] }), "1 epochs for 0 active positions"],
    ["fences that end inside a number", changed({ fences: new Uint8Array(33) }), "fences end inside"],
    ["a staged change from the future", changed({ staged: [{ kind: 5, number: 1, by: 0 }] }), "staged change 5"],
    ["a staged change of nobody", changed({ staged: [{ kind: 2, number: 0, by: 0 }] }), "not a node number: 0"],
    ["nothing at all", changed({ partitions: 0, members: [], owners: new Uint8Array(0) }), "partitions"],
  ])("refuses %s", (_, message, reason) => {
    expect(() => ringFromMessage(message)).toThrow(RingtailError);
    expect(() => ringFromMessage(message)).toThrow(reason);
    expect(() => decodeRing(encode(RingState, message))).toThrow(reason);
  });

  it("refuses bytes that are no message with WireError", () => {
    const bytes = encodeRing(ringOf());
    expect(() => decodeRing(bytes.subarray(0, bytes.length - 1))).toThrow(WireError);
  });
});

function withMember(change: Partial<RingStateMessage["members"][number]>): RingStateMessage {
  const message = ringToMessage(ringOf());
  return { ...message, members: message.members.map((member, i) => (i === 3 ? { ...member, ...change } : member)) };
}

function withPolicy(change: Partial<RingStateMessage["buckets"][number]>): RingStateMessage {
  const message = ringToMessage(ringOf());
  return { ...message, buckets: message.buckets.map((policy, i) => (i === 1 ? { ...policy, ...change } : policy)) };
}
