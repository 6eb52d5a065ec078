/** The small parts of membership: precedence, table, update queue, health, flap damping, packets, the members' file. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idBytes, type NodeId, nodeId } from "../../../src/base/ids.ts";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { FlapScore, flapHalfLifeUs, flapPenalty, flapReuse, flapSuppress } from "../../../src/membership/flap.ts";
import { LocalHealth } from "../../../src/membership/local-health.ts";
import {
  Member,
  MemberState,
  noProgress,
  type Standing,
  supersedes,
  type Update,
} from "../../../src/membership/member.ts";
import { MemberTable } from "../../../src/membership/member-table.ts";
import { decodeMembers, encodeMembers } from "../../../src/membership/members-file.ts";
import { incarnationLease, OwnMember } from "../../../src/membership/own-member.ts";
import {
  checkDatagram,
  DatagramType,
  DatagramWriter,
  datagramHeaderBytes,
  messageOf,
  updateBytes,
  updateOf,
} from "../../../src/membership/packets.ts";
import { UpdateQueue } from "../../../src/membership/updates.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { Gossip, MemberUpdate, Ping } from "../../../src/wire/gen/codecs.ts";
import { datagramBytesMax } from "../../../src/wire/limits.ts";

const { alive, suspect, dead, left } = MemberState;

function id(n: number): NodeId {
  return nodeId(n.toString(16).padStart(32, "0"));
}

function update(n: number, fields: Partial<Update> = {}): Update {
  return {
    id: id(n),
    number: n,
    address: `10.0.0.1:${7_000 + n}`,
    incarnation: 1,
    state: alive,
    accuser: "",
    versionMin: 1,
    versionMax: 1,
    flags: 0,
    ...fields,
  };
}

function member(n: number, fields: Partial<Update> = {}): Member {
  return new Member(instant(0), update(n, fields));
}

const standing: fc.Arbitrary<Standing> = fc.record({
  incarnation: fc.nat(4),
  state: fc.constantFrom(alive, suspect, dead, left),
});

describe("precedence", () => {
  it("is SWIM's table", () => {
    // Rows: the claim; columns: what is held, at the same incarnation.
    const states = [alive, suspect, dead, left];
    const table = states.map((claim) =>
      states.map((held) => supersedes({ incarnation: 5, state: claim }, { incarnation: 5, state: held })),
    );
    expect(table).toEqual([
      [false, false, false, false],
      [true, false, false, false],
      [true, true, false, false],
      [true, true, true, false],
    ]);
    for (const claim of states) {
      for (const held of states) {
        expect(supersedes({ incarnation: 6, state: claim }, { incarnation: 5, state: held })).toBe(true);
        expect(supersedes({ incarnation: 4, state: claim }, { incarnation: 5, state: held })).toBe(false);
      }
    }
  });

  it("is a strict total order, so the order of hearing makes no difference", () => {
    fc.assert(
      fc.property(standing, standing, standing, (a, b, c) => {
        const same = a.incarnation === b.incarnation && a.state === b.state;
        expect(Number(supersedes(a, b)) + Number(supersedes(b, a))).toBe(same ? 0 : 1);
        if (supersedes(a, b) && supersedes(b, c)) expect(supersedes(a, c)).toBe(true);
        const last = (heard: Standing[]): Standing =>
          heard.reduce((held, claim) => (supersedes(claim, held) ? claim : held));
        expect(last([a, b, c])).toEqual(last([c, a, b]));
      }),
    );
  });
});

describe("MemberTable", () => {
  function tableOf(count: number, seed = 1): MemberTable {
    const table = new MemberTable(new Rng(seed));
    for (let n = 1; n <= count; n += 1) table.add(member(n));
    return table;
  }

  it("probes everybody once in a pass, in another order each pass, whoever comes and goes", () => {
    const table = tableOf(20);
    const pass = (): NodeId[] => Array.from({ length: table.reachable }, () => table.nextTarget()?.id as NodeId);
    // The newcomers of the construction stand anywhere: the first full pass begins at the first wrap.
    pass();
    const first = pass();
    const second = pass();
    expect(new Set([...first, ...second]).size).toBe(20);
    for (let rounds = 0; rounds < 5; rounds += 1) pass();
    expect(first).not.toEqual(second);
  });

  it("waits at most 2n - 1 probes between two of one member", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), (count, seed) => {
        const table = tableOf(count, seed);
        const lastAt = new Map<NodeId, number>();
        for (let at = 0; at < 6 * count; at += 1) {
          const target = (table.nextTarget() as Member).id;
          const before = lastAt.get(target);
          if (before !== undefined) expect(at - before).toBeLessThanOrEqual(2 * count - 1);
          lastAt.set(target, at);
        }
        expect(lastAt.size).toBe(count);
      }),
    );
  });

  it("passes the dead over, keeps counts, and forgets", () => {
    const table = tableOf(4);
    const [first] = table.members as [Member];
    table.setState(first, dead);
    expect([table.reachable, table.count(dead)]).toEqual([3, 1]);
    for (let i = 0; i < 20; i += 1) expect(table.nextTarget()).not.toBe(first);
    table.remove(first);
    expect([table.members.length, table.count(dead)]).toEqual([3, 0]);
    for (const one of [...table.members]) table.setState(one, left);
    expect(table.nextTarget()).toBeUndefined();
    expect(() => table.remove(first)).toThrow();
  });

  it("picks different ones that fit, as many as there are", () => {
    const table = tableOf(50);
    const even = (one: Member): boolean => one.number % 2 === 0;
    const picked = table.pick(10, even);
    expect(new Set(picked).size).toBe(10);
    expect(picked.every(even)).toBe(true);
    expect(table.pick(3, (one) => one.number === 17).map((one) => one.number)).toEqual([17]);
    expect(table.pick(3, () => false)).toEqual([]);
    expect(new MemberTable(new Rng(1)).pick(3, () => true)).toEqual([]);
  });
});

describe("UpdateQueue", () => {
  function take(
    queue: UpdateQueue,
    room: number,
    options: { limit?: number; countMax?: number; first?: NodeId } = {},
  ): number[] {
    const target = new Uint8Array(room);
    const end = queue.take(target, 0, {
      limit: options.limit ?? 4,
      countMax: options.countMax ?? 64,
      first: options.first,
    });
    const found: number[] = [];
    // Each update's bytes are its length, repeated.
    for (let at = 0; at < end; at += target[at] as number) found.push(target[at] as number);
    return found;
  }

  function put(queue: UpdateQueue, n: number, length: number): void {
    queue.put(id(n), new Uint8Array(length).fill(length));
  }

  it("sends the least sent first, then the longest, then the newest", () => {
    const queue = new UpdateQueue();
    put(queue, 1, 10);
    put(queue, 2, 30);
    put(queue, 3, 20);
    expect(take(queue, 60)).toEqual([30, 20, 10]);
    put(queue, 4, 11);
    expect(take(queue, 60)).toEqual([11, 30, 10]);
    expect(take(queue, 25)).toEqual([20]);
    expect(queue.bytes).toBe(71);
  });

  it("drops what was sent often enough, and what was superseded", () => {
    const queue = new UpdateQueue();
    put(queue, 1, 10);
    for (let i = 0; i < 3; i += 1) expect(take(queue, 60, { limit: 3 })).toEqual([10]);
    expect(queue.size).toBe(0);
    put(queue, 1, 10);
    take(queue, 60);
    put(queue, 1, 12);
    expect([queue.size, queue.bytes, queue.has(id(1)), queue.has(id(2))]).toEqual([1, 12, true, false]);
    for (let i = 0; i < 4; i += 1) expect(take(queue, 60)).toEqual([12]);
    expect(take(queue, 60)).toEqual([]);
    queue.drop(id(7));
  });

  it("lets one go before all others, and counts no more than it may", () => {
    const queue = new UpdateQueue();
    for (let n = 1; n <= 9; n += 1) put(queue, n, 10 + n);
    take(queue, 1_000, { countMax: 8 });
    expect(take(queue, 1_000, { first: id(4), countMax: 2 })).toEqual([14, 11]);
    expect(take(queue, 1_000, { first: id(99), countMax: 1 })).toEqual([19]);
  });

  it("sends each exactly limit times in the end, whatever the room", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 5, max: 60 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 60, max: 300 }),
        fc.integer({ min: 1, max: 6 }),
        (lengths, room, limit) => {
          const queue = new UpdateQueue();
          for (const [n, length] of lengths.entries()) put(queue, n + 1, length);
          const sent: number[] = [];
          for (let i = 0; i < 10_000 && queue.size > 0; i += 1) sent.push(...take(queue, room, { limit }));
          const expected = lengths.flatMap((length) => Array.from({ length: limit }, () => length));
          expect(sent.sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
          expect(queue.bytes).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("LocalHealth", () => {
  it("rises by what accuses this node and falls by answers, within its levels", () => {
    const health = new LocalHealth(8);
    expect(health.factor).toBe(1);
    health.probeAnswered();
    expect(health.score).toBe(0);
    health.probeFailed(0, 0);
    expect(health.score).toBe(1);
    health.probeFailed(3, 3);
    expect(health.score).toBe(1);
    health.probeFailed(3, 1);
    expect(health.score).toBe(3);
    health.refuted();
    health.stalled();
    expect([health.score, health.factor]).toEqual([5, 6]);
    health.probeFailed(3, 0);
    health.probeFailed(3, 0);
    expect([health.score, health.factor]).toEqual([7, 8]);
    health.probeAnswered();
    expect(health.score).toBe(6);
    const plain = new LocalHealth(1);
    plain.probeFailed(3, 0);
    expect(plain.factor).toBe(1);
  });
});

describe("FlapScore", () => {
  it("halves in every half-life, however often it is looked at", () => {
    const looked = new FlapScore();
    const alone = new FlapScore();
    for (const score of [looked, alone]) for (let i = 0; i < 8; i += 1) score.penalise(instant(0));
    expect(looked.score(instant(0))).toBe(8 * flapPenalty);
    for (let at = 0; at <= flapHalfLifeUs; at += 1_234_567) looked.score(instant(at));
    const after = instant(flapHalfLifeUs);
    expect(Math.abs(looked.score(after) - 4 * flapPenalty)).toBeLessThan(20);
    expect(Math.abs(alone.score(after) - 4 * flapPenalty)).toBeLessThan(20);
    expect(alone.score(instant(100 * flapHalfLifeUs))).toBe(0);
  });

  it("damps from 5,000, and until 2,500", () => {
    const score = new FlapScore();
    let flaps = 0;
    while (!score.verdict(instant(flaps * 1_000_000), false)) {
      flaps += 1;
      score.penalise(instant(flaps * 1_000_000));
    }
    expect(flaps).toBeGreaterThanOrEqual(flapSuppress / flapPenalty);
    expect(flaps).toBeLessThan(13);
    const quarter = instant(flapHalfLifeUs / 2);
    expect(score.score(quarter)).toBeLessThan(flapSuppress);
    expect(score.verdict(quarter, true)).toBe(true);
    expect(score.verdict(quarter, false)).toBe(false);
    const late = instant(flapHalfLifeUs * 1.2);
    expect(score.score(late)).toBeLessThan(flapReuse);
    expect(score.verdict(late, true)).toBe(false);
  });

  it("a member that dies once an hour never flaps", () => {
    const score = new FlapScore();
    for (let hour = 0; hour < 100; hour += 1) {
      score.penalise(instant(hour * 3_600_000_000));
      expect(score.verdict(instant(hour * 3_600_000_000), false)).toBe(false);
    }
  });
});

describe("packets", () => {
  const cluster = new Rng(3).fill(new Uint8Array(16));

  it("a datagram is a header with the cluster's id, a message, and updates to its end", () => {
    const writer = new DatagramWriter(cluster);
    const first = updateBytes(update(1));
    const second = updateBytes(update(2, { state: suspect, accuser: id(9), address: "x".repeat(200) }));
    const bytes = writer.write(DatagramType.ping, Ping, { sequence: 77 }, (target, start) => {
      target.set(first, start);
      target.set(second, start + first.length);
      return start + first.length + second.length;
    });
    expect([...bytes.subarray(0, 4)]).toEqual([1, 1, 0, 0]);
    expect(bytes.subarray(4, 20)).toEqual(cluster);
    expect(checkDatagram(bytes, cluster)).toBeNull();
    const ping = decode(Ping, bytes, datagramHeaderBytes, bytes.length);
    expect(ping.sequence).toBe(77);
    expect(ping.updates.map((message) => updateOf(message))).toEqual([
      update(1),
      // What everybody knows of a suspect is left out.
      update(2, { state: suspect, accuser: id(9), address: "", versionMin: 0, versionMax: 0 }),
    ]);
  });

  it("updates of every length survive", () => {
    for (const length of [1, 60, 80, 84, 85, 86, 90, 255]) {
      const claim = update(3, { address: "h".repeat(length) });
      const bytes = updateBytes(claim);
      const [message] = decode(Gossip, bytes, 0, bytes.length).updates;
      expect(updateOf(message as never)).toEqual(claim);
    }
  });

  it("tells other formats and other clusters apart before it parses anything", () => {
    const good = new DatagramWriter(cluster).write(DatagramType.gossip, Gossip, {}).slice();
    const other = good.slice();
    other[19] = (other[19] as number) ^ 1;
    expect(checkDatagram(other, cluster)).toBe("wrongCluster");
    const later = good.slice();
    later[0] = 2;
    expect(checkDatagram(later, cluster)).toBe("malformed");
    expect(checkDatagram(good.subarray(0, 19), cluster)).toBe("malformed");
    expect(checkDatagram(new Uint8Array(datagramBytesMax + 1).fill(1), cluster)).toBe("malformed");
  });

  it("refuses claims that make no sense", () => {
    const message = (fields: object): Parameters<typeof updateOf>[0] => {
      const bytes = encode(MemberUpdate, { ...messageOf(update(1), false), ...fields });
      return decode(MemberUpdate, bytes, 0, bytes.length);
    };
    expect(updateOf(message({}))).toEqual(update(1));
    const bad = [
      { nodeId: new Uint8Array(15) },
      { state: 0 },
      { state: 5 },
      { number: 65_536 },
      { address: "" },
      { address: "x".repeat(300) },
      { state: suspect },
      { state: dead, accuser: new Uint8Array(3) },
    ];
    for (const fields of bad) expect(updateOf(message(fields))).toBeUndefined();
    expect(updateOf(message({ state: left, accuser: idBytes(id(4)) }))?.accuser).toBe("");
  });
});

describe("the members' file", () => {
  it("keeps every member, dead and left ones included", () => {
    const rows = [
      update(1),
      update(2, { state: dead, accuser: id(1) }),
      update(3, { state: left, incarnation: 9, flags: 1 }),
    ];
    const stored = decodeMembers(encodeMembers(130, rows));
    expect(stored).toEqual({ incarnationTop: 130, members: rows });
    expect(() => decodeMembers(Uint8Array.of(0xff))).toThrow();
  });
});

describe("OwnMember", () => {
  function own(storedTop: number): OwnMember {
    return new OwnMember({ id: id(1), boot: 1, meta: update(1), storedTop, progress: () => noProgress });
  }

  it("shows no incarnation that is not leased on disk, and begins above the old lease", () => {
    const first = own(0);
    expect([first.incarnation, first.wantsLease, first.topToSave]).toEqual([0, true, 1 + incarnationLease]);
    expect(first.leased(first.topToSave)).toBe(true);
    expect(first.incarnation).toBe(1);
    expect(first.raise(0)).toBe(true);
    expect(first.incarnation).toBe(2);
    expect(first.raise(1_000)).toBe(false);
    expect(first.incarnation).toBe(2);
    const top = first.topToSave;
    expect(first.leased(top)).toBe(true);
    expect(first.incarnation).toBe(1_000);
    const second = own(top);
    second.leased(second.topToSave);
    expect(second.incarnation).toBe(top + 1);
  });

  it("asks for a new lease before the old one is used up", () => {
    const node = own(0);
    node.leased(node.topToSave);
    let steps = 0;
    while (!node.wantsLease) {
      expect(node.raise(0)).toBe(true);
      steps += 1;
    }
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(incarnationLease);
  });
});
