/** The ring as a value: what it refuses, what it copies, and how keys, members and policies are found. */
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { Durability } from "../../../src/base/durability.ts";
import type { ClusterId, NodeId, NodeNumber, PartitionId } from "../../../src/base/ids.ts";
import { partitionOf, partitionShift } from "../../../src/ring/partition.ts";
import { type Member, Ring, type RingFields } from "../../../src/ring/ring.ts";
import { defaultPolicy, fieldsOf, memberOf, membersOn } from "./support.ts";

const members = membersOn(4);
const owners = [1, 2, 3, 4, 1, 2, 3, 4];
const good = fieldsOf(members, owners);

function ringWith(fields: Partial<RingFields>): Ring {
  return new Ring({ ...good, ...fields });
}

function withMember(number: number, fields: Partial<Member>): readonly Member[] {
  return members.map((member) => (member.number === number ? { ...member, ...fields } : member));
}

describe("what a ring refuses, saying why", () => {
  const invalid: readonly [string, Partial<RingFields>, RegExp][] = [
    ["a cluster id that is none", { clusterId: "c0ffee" as ClusterId }, /not a cluster id/],
    ["epoch 0", { epoch: 0 }, /epoch is 0 \(1\.\.4294967295/],
    ["a broken epoch", { epoch: 1.5 }, /epoch is 1.5/],
    ["an epoch beyond u32", { epoch: 2 ** 32 }, /epoch is 4294967296/],
    ["Q that is no power of two", { partitions: 12 }, /12 \(a power of two, 8\.\.16384\)/],
    ["too few partitions", { partitions: 4 }, /4 \(a power of two/],
    ["too many partitions", { partitions: 32_768 }, /32768 \(a power of two/],
    ["no replica", { replicasMax: 0 }, /replicasMax is 0 \(1\.\.7/],
    ["too many replicas", { replicasMax: 8 }, /replicasMax is 8 \(1\.\.7/],
    ["too few owners", { owners: Uint16Array.from([1, 2, 3, 4]) }, /4 owners for 8 partitions/],
    [
      "an unknown owner",
      { owners: Uint16Array.from([1, 2, 3, 9, 1, 2, 3, 4]) },
      /partition 3 is owned by 9, who is no/,
    ],
    ["nobody as owner", { owners: new Uint16Array(8) }, /partition 0 is owned by 0/],
    ["an owner that left", { members: withMember(2, { status: "left" }) }, /partition 1 is owned by 2, who is left/],
    ["an owner that only joins", { members: withMember(3, { status: "joining" }) }, /owned by 3, who is joining/],
    ["node number 0", { members: withMember(2, { number: 0 as NodeNumber }) }, /not a node number: 0/],
    ["two of one number", { members: [...members, memberOf(4, { address: "x:1" })] }, /two members have the number 4/],
    ["two of one id", { members: [...members, memberOf(5, { id: memberOf(1).id })] }, /two members have the id/],
    ["an id that is none", { members: withMember(1, { id: "xyz" as NodeId }) }, /not a node id: xyz/],
    [
      "two of one address",
      { members: withMember(2, { address: memberOf(1).address }) },
      /two members have the address/,
    ],
    ["no address", { members: withMember(2, { address: "" }) }, /address of member 2 has 0 bytes/],
    ["no host", { members: withMember(2, { host: "" }) }, /host of member 2 has 0 bytes/],
    ["a long zone", { members: withMember(2, { zone: "z".repeat(256) }) }, /zone of member 2 has 256 bytes/],
    [
      "a host in two zones",
      { members: [...members, memberOf(5, { host: "host-1", zone: "b" })] },
      /host-1 is in two zones: "" and "b"/,
    ],
    ["weight 0", { members: withMember(2, { weight: 0 }) }, /weight of member 2 is 0 \(1\.\.1000/],
    ["weight 1001", { members: withMember(2, { weight: 1001 }) }, /weight of member 2 is 1001/],
    ["an unknown status", { members: withMember(2, { status: "gone" as "left" }) }, /status of member 2 is gone/],
    ["no default policy", { buckets: [{ ...defaultPolicy, name: "b" }] }, /no default policy/],
    ["two default policies", { buckets: [defaultPolicy, defaultPolicy] }, /two policies for bucket ""/],
    [
      "two policies of one bucket",
      { buckets: [defaultPolicy, { ...defaultPolicy, name: "b" }, { ...defaultPolicy, name: "b" }] },
      /two policies for bucket "b"/,
    ],
    ["n above replicasMax", { buckets: [{ ...defaultPolicy, n: 4 }] }, /n of the default policy is 4 \(1\.\.3/],
    ["r above n", { buckets: [{ ...defaultPolicy, n: 2, r: 3 }] }, /r of the default policy is 3 \(1\.\.2/],
    ["w of 0", { buckets: [{ ...defaultPolicy, w: 0 }] }, /w of the default policy is 0 \(1\.\.3/],
    ["a negative version", { buckets: [{ ...defaultPolicy, version: -1 }] }, /version of the default policy is -1/],
    [
      "no durability",
      { buckets: [{ ...defaultPolicy, durability: Durability.bucket }] },
      /durability .* is 0 \(1\.\.4/,
    ],
    [
      "a long bucket name",
      { buckets: [defaultPolicy, { ...defaultPolicy, name: "b".repeat(256) }] },
      /name has 256 bytes/,
    ],
  ];
  for (const [what, fields, message] of invalid) {
    it(what, () => {
      expect(() => ringWith(fields)).toThrow(message);
      expect(() => ringWith(fields)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    });
  }
});

describe("a ring is a value", () => {
  it("keeps members by number and policies by name, whatever order they came in", () => {
    const named = { ...defaultPolicy, name: "carts" };
    const ring = ringWith({ members: members.toReversed(), buckets: [named, defaultPolicy] });
    expect(ring.members.map((member) => member.number)).toEqual([1, 2, 3, 4]);
    expect(ring.buckets.map((bucket) => bucket.name)).toEqual(["", "carts"]);
  });

  it("does not change when what it was made from does", () => {
    const mine = Uint16Array.from(owners);
    const list = [...members];
    const ring = ringWith({ owners: mine, members: list });
    mine[0] = 4;
    list.length = 0;
    expect(ring.owners[0]).toBe(1);
    expect(ring.members.length).toBe(4);
    expect([...ring.preferenceList(0 as PartitionId, 3)]).toEqual([1, 2, 3, 4]);
  });

  it("lets a new node have the address, host and another zone of one that left, and a leaving one own", () => {
    const gone = memberOf(5, { address: memberOf(1).address, host: "host-1", zone: "old", status: "left" });
    const ring = ringWith({ members: [gone, ...withMember(2, { status: "leaving" })] });
    expect(ring.member(5 as NodeNumber)?.status).toBe("left");
    expect(ring.isOwner(1 as PartitionId, 1, 2 as NodeNumber)).toBe(true);
  });

  it("lets a newcomer have the address of one that is still there, until both are to stay", () => {
    const newcomer = memberOf(5, { address: memberOf(1).address, host: "host-1", status: "joining" });
    expect(ringWith({ members: [...members, newcomer] }).member(5 as NodeNumber)?.status).toBe("joining");
    const settled = { ...newcomer, status: "member" as const };
    const leaving = withMember(1, { status: "leaving" });
    expect(ringWith({ members: [...leaving, settled] }).member(1 as NodeNumber)?.status).toBe("leaving");
    expect(() => ringWith({ members: [...members, settled] })).toThrow(/two members have the address/);
  });

  it("finds members by number", () => {
    const ring = ringWith({});
    expect(ring.member(3 as NodeNumber)?.name).toBe("node-3");
    expect(ring.member(9 as NodeNumber)).toBeUndefined();
    expect(ring.hosts).toBe(4);
  });
});

describe("partitions", () => {
  it("are the top log2 Q bits of the hash, up to the last", () => {
    for (let q = 8; q <= 16_384; q *= 2) {
      const shift = partitionShift(q);
      const width = 2 ** 32 / q;
      for (const p of [0, 1, q / 2, q - 1]) {
        expect(partitionOf(p * width, shift)).toBe(p);
        expect(partitionOf((p + 1) * width - 1, shift)).toBe(p);
      }
    }
    const ring = ringWith({});
    expect(ring.partitionOf(0xffff_ffff)).toBe(7);
    expect(ring.partitionOf(0x1fff_ffff)).toBe(0);
    expect(ring.partitionOf(0x2000_0000)).toBe(1);
  });
});

describe("owners", () => {
  it("are the first n of the list and nobody else", () => {
    const ring = ringWith({});
    for (let p = 0; p < 8; p += 1) {
      for (const n of [1, 2, 3]) {
        const list = ring.preferenceList(p as PartitionId, n);
        for (const number of [1, 2, 3, 4] as NodeNumber[]) {
          expect(ring.isOwner(p as PartitionId, n, number)).toBe(list.indexOf(number) < n);
        }
      }
    }
    expect(ring.isOwner(0 as PartitionId, 3, 9 as NodeNumber)).toBe(false);
  });

  it("are as many as there are hosts if n is more", () => {
    const two = new Ring(fieldsOf(membersOn(2), [1, 2, 1, 2, 1, 2, 1, 2]));
    expect([...two.preferenceList(3 as PartitionId, 3)]).toEqual([2, 1]);
    expect(two.isOwner(3 as PartitionId, 3, 1 as NodeNumber)).toBe(true);
  });

  it("come as one shared list, and an n or partition out of range is our bug", () => {
    const ring = ringWith({});
    expect(ring.preferenceList(2 as PartitionId, 3)).toBe(ring.preferenceList(2 as PartitionId, 3));
    expect(() => ring.preferenceList(0 as PartitionId, 0)).toThrow("n is out of range");
    expect(() => ring.preferenceList(0 as PartitionId, 8)).toThrow("n is out of range");
    expect(() => ring.preferenceList(8 as PartitionId, 3)).toThrow("no such partition");
  });
});

describe("policies", () => {
  it("are the bucket's own or the default, compared byte by byte", () => {
    const carts = { ...defaultPolicy, name: "carts", n: 2 };
    const coffee = { ...defaultPolicy, name: "café", r: 1 };
    const ring = ringWith({ buckets: [defaultPolicy, carts, coffee] });
    expect(ring.policyOf(utf8("carts"))).toBe(carts);
    expect(ring.policyOf(utf8("café"))).toBe(coffee);
    expect(ring.policyOf(utf8("cart"))).toBe(defaultPolicy);
    expect(ring.policyOf(utf8("cartz"))).toBe(defaultPolicy);
    expect(ringWith({}).policyOf(utf8("carts"))).toBe(defaultPolicy);
  });

  it("are told apart among many", () => {
    const many = Array.from({ length: 2000 }, (_, i) => ({ ...defaultPolicy, name: `bucket-${i}`, version: i }));
    const ring = ringWith({ buckets: [defaultPolicy, ...many] });
    for (const policy of many) expect(ring.policyOf(utf8(policy.name))).toBe(policy);
  });
});
