/** What the core does with single messages and calls; what whole groups do is in the stories and the harness's runs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idBytes } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { Alarm } from "../../../src/membership/effects.ts";
import { MemberState } from "../../../src/membership/member.ts";
import { messageOf, updateOf } from "../../../src/membership/packets.ts";
import { profiles } from "../../../src/membership/profile.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { type Ack, Ping, StateSync } from "../../../src/wire/gen/codecs.ts";
import { datagramBytesMax } from "../../../src/wire/limits.ts";
import { claim, MemberRig, rigAddress, rigCluster, rigId } from "../../support/member-rig.ts";

const { alive, suspect, dead, left } = MemberState;

function target(n: number): { target: Uint8Array } {
  return { target: idBytes(rigId(n)) };
}

function stateSync(rig: MemberRig, n: number, members: readonly object[], cluster: string = rigCluster): StateSync {
  const clusterId = idBytes(cluster as typeof rigCluster);
  const bytes = encode(StateSync, { clusterId, head: rig.head(n), members });
  return decode(StateSync, bytes, 0, bytes.length);
}

describe("starting", () => {
  it("says nothing before its first lease is on disk", () => {
    const rig = new MemberRig({ slowDisk: true, seeds: [rigAddress(2)] });
    rig.add(2);
    rig.run(5_000_000);
    rig.receive(2, "ping", { sequence: 5, ...target(1) });
    expect([rig.sent.length, rig.syncs.length, rig.membership.incarnation]).toEqual([0, 0, 0]);
    rig.flush();
    rig.run(5_000_000);
    expect(rig.membership.incarnation).toBe(1);
    expect(rig.sent.length).toBeGreaterThan(0);
    expect(rig.syncs[0]?.address).toBe(rigAddress(2));
  });

  it("remembers members, dead ones too, and begins above its old incarnations", () => {
    const first = new MemberRig();
    for (const n of [2, 3, 4]) first.add(n);
    first.receive(2, "gossip", {}, [
      claim(3, { state: dead, accuser: rigId(2) }),
      claim(4, { state: suspect, accuser: rigId(2) }),
    ]);
    first.run(1_500_000);
    const second = new MemberRig({ stored: first.saved });
    const states = second.membership.members.map((member) => [member.number, member.state]).sort();
    // A suspicion does not survive: nobody has asked its member since.
    expect(states).toEqual([
      [2, alive],
      [3, dead],
      [4, alive],
    ]);
    expect(second.membership.incarnation).toBeGreaterThan(first.membership.incarnation);
  });

  it("asks its seed nodes again and again until one answers, and passes itself over", () => {
    const rig = new MemberRig({ seeds: [rigAddress(1), rigAddress(2), rigAddress(3)] });
    rig.run(3_500_000);
    expect(new Set(rig.syncs.map(({ address }) => address))).toEqual(new Set([rigAddress(2), rigAddress(3)]));
    for (const { token } of rig.syncs) rig.membership.onStateSyncFailed(rig.now, token);
    const before = rig.syncs.length;
    rig.run(3_000_000);
    expect(rig.syncs.length).toBeGreaterThan(before);
    const { token } = rig.syncs.at(-1) as { token: number };
    rig.membership.onStateSync(
      rig.now,
      token,
      stateSync(rig, 2, [messageOf(claim(2), false), messageOf(claim(5), false)]),
    );
    expect(rig.membership.joined).toBe(true);
    expect(rig.membership.member(rigId(5))?.address).toBe(rigAddress(5));
    // An answer that nobody waits for any more is none.
    rig.membership.onStateSync(rig.now, token, stateSync(rig, 2, [messageOf(claim(6), false)]));
    expect(rig.membership.member(rigId(6))).toBeUndefined();
  });
});

describe("datagrams", () => {
  it("a ping is answered with its number, where it came from", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "ping", { sequence: 0xffff_ffff, ...target(1) }, [], "192.168.0.9:999");
    const [ack] = rig.take("ack");
    expect(ack?.to).toBe("192.168.0.9:999");
    expect(ack?.message.sequence).toBe(0xffff_ffff);
    expect(ack?.message.target).toEqual(idBytes(rigId(1)));
  });

  it("a ping that means another node is not answered: addresses are reused", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "ping", { sequence: 1, ...target(7) });
    rig.receive(2, "ping", { sequence: 1, target: new Uint8Array(0) });
    expect(rig.sent).toEqual([]);
  });

  it("a stranger gets an ack and nothing else, is not believed about others, and gets no help", () => {
    const rig = new MemberRig();
    for (let n = 10; n < 40; n += 1) rig.add(n);
    rig.receive(10, "gossip", {}, [claim(11, { incarnation: 2 }), claim(12, { incarnation: 2 })]);
    rig.take("gossip");
    rig.receive(99, "ping", { sequence: 1, ...target(1) }, [claim(13, { state: dead, accuser: rigId(99) })]);
    const [ack] = rig.take("ack");
    expect(ack?.message.updates).toEqual([]);
    expect(ack?.size).toBeLessThan(120);
    expect(rig.membership.member(rigId(13))?.state).toBe(alive);
    rig.receive(99, "pingReq", { sequence: 2, ...target(14) });
    expect(rig.sent).toEqual([]);
    // It may introduce itself.
    rig.receive(99, "ping", { sequence: 3, ...target(1) }, [claim(99)]);
    expect(rig.membership.member(rigId(99))?.state).toBe(alive);
  });

  it("a datagram of another cluster is dropped and counted before it is parsed", () => {
    const rig = new MemberRig({ cluster: "d".repeat(32) });
    rig.add(2);
    rig.receive(2, "ping", { sequence: 1, ...target(1) }, [claim(3)]);
    expect(rig.sent).toEqual([]);
    expect(rig.membership.member(rigId(3))).toBeUndefined();
    expect(rig.membership.counters).toMatchObject({ wrongCluster: 1, malformed: 0 });
  });

  it("any bytes at all are used, answered or dropped", () => {
    const rig = new MemberRig();
    rig.add(2);
    const header = Uint8Array.of(1, 0, 0, 0, ...idBytes(rigCluster));
    const claimBytes = encode(Ping, {
      head: rig.head(2),
      sequence: 9,
      ...target(1),
      updates: [messageOf(claim(3), false)],
    });
    fc.assert(
      fc.property(
        fc.nat(7),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(claimBytes.length),
        fc.nat(255),
        fc.boolean(),
        (type, noise, at, byte, mutate) => {
          const body = mutate ? claimBytes.slice() : noise;
          if (mutate && at < body.length) body[at] = byte;
          const bytes = new Uint8Array([...header, ...body]);
          bytes[1] = type;
          rig.membership.onDatagram(rig.now, rigAddress(2), bytes);
          rig.membership.onDatagram(rig.now, rigAddress(2), noise);
          for (const { size } of rig.sent) expect(size).toBeLessThanOrEqual(datagramBytesMax);
          rig.sent.length = 0;
        },
      ),
      { numRuns: 2_000 },
    );
    expect(rig.membership.counters.malformed).toBeGreaterThan(1_000);
  });

  it("never grows beyond 1,400 bytes, however much there is to tell", () => {
    const rig = new MemberRig();
    rig.add(2);
    for (let n = 10; n < 210; n += 1) rig.receive(2, "gossip", {}, [claim(n, { address: `${"h".repeat(n)}:7401` })]);
    rig.take("gossip");
    rig.run(2_000_000);
    const gossip = rig.take("gossip");
    expect(gossip.length).toBeGreaterThan(10);
    for (const { size } of gossip) expect(size).toBeLessThanOrEqual(datagramBytesMax);
    expect(Math.max(...gossip.map(({ size }) => size))).toBeGreaterThan(1_000);
  });
});

describe("probes", () => {
  function probing(members: number): { rig: MemberRig; probed: number; sequence: number } {
    const rig = new MemberRig();
    for (let n = 2; n < 2 + members; n += 1) rig.add(n);
    rig.sent.length = 0;
    let pings = rig.take("ping");
    while (pings.length === 0) {
      rig.run(10_000);
      pings = rig.take("ping");
    }
    const [ping] = pings;
    const probed = Number((ping as { to: string }).to.split(/[.:]/)[3]);
    return { rig, probed, sequence: (ping as { message: { sequence: number } }).message.sequence };
  }

  it("a late answer is asked for through three helpers and over TCP, and a nack is none", () => {
    const { rig, probed, sequence } = probing(6);
    rig.run(200_000);
    const requests = rig.take("pingReq");
    expect(requests).toHaveLength(3);
    expect(requests.every(({ to, message }) => to !== rigAddress(probed) && message.sequence === sequence)).toBe(true);
    expect(rig.tcpPings.map(({ address }) => address)).toEqual([rigAddress(probed)]);
    for (const { to } of requests) rig.receive(Number(to.split(/[.:]/)[3]), "nack", { sequence });
    rig.run(400_000);
    expect(rig.membership.member(rigId(probed))?.state).toBe(suspect);
    // All helpers were heard: the fault is not here.
    expect(rig.membership.health.score).toBe(0);
  });

  it("helpers that keep silent too make this node doubt itself", () => {
    const { rig, probed } = probing(6);
    rig.run(600_000);
    expect(rig.membership.member(rigId(probed))?.state).toBe(suspect);
    expect(rig.membership.health.score).toBe(3);
  });

  it("an answer through a helper counts, one of another node at the address does not", () => {
    const { rig, probed, sequence } = probing(4);
    rig.run(250_000);
    rig.receive(9, "ack", { sequence, ...target(9) }, [], rigAddress(probed));
    rig.receive(probed === 2 ? 3 : 2, "ack", { sequence, ...target(probed) });
    rig.run(400_000);
    expect(rig.membership.member(rigId(probed))?.state).toBe(alive);
  });

  it("an answer over TCP keeps a member alive, and raises an alarm once a minute", () => {
    const { rig, probed } = probing(1);
    for (let i = 0; i < 200; i += 1) {
      rig.run(300_000);
      for (const { ping } of rig.tcpPings.splice(0)) {
        const ack = {
          head: rig.head(probed),
          sequence: ping.sequence,
          ...target(probed),
          updates: [],
        } as unknown as Ack;
        rig.membership.onTcpAck(rig.now, ack);
      }
    }
    expect(rig.membership.member(rigId(probed))?.state).toBe(alive);
    expect(rig.log.filter((line) => line.startsWith(`alarm ${Alarm.udpBlocked}`))).toHaveLength(1);
  });

  it("a probe during which the own loop stalled proves nothing", () => {
    const { rig, probed } = probing(6);
    rig.membership.onLoopDelay(rig.now, 150_000);
    rig.run(600_000);
    expect(rig.membership.member(rigId(probed))?.state).toBe(alive);
    expect(rig.membership.health.score).toBe(1);
  });

  it("a late tick judges nobody before what waited has been heard", () => {
    const { rig, probed, sequence } = probing(6);
    const late = instant(rig.now + 3_000_000);
    rig.now = late;
    rig.membership.tick(late);
    expect(rig.membership.member(rigId(probed))?.state).toBe(alive);
    expect(rig.membership.counters.stalls).toBe(1);
    expect(rig.membership.nextTick()).toBeGreaterThan(late);
    rig.receive(probed, "ack", { sequence, ...target(probed) });
    rig.run(100_000);
    expect(rig.membership.member(rigId(probed))?.state).toBe(alive);
  });

  it("doubt of the data path is followed up at once", () => {
    const { rig, probed, sequence } = probing(6);
    rig.receive(probed, "ack", { sequence, ...target(probed) });
    rig.sent.length = 0;
    rig.membership.probeNow(rig.now, rigId(5));
    rig.membership.probeNow(rig.now, rigId(5));
    expect(rig.take("ping").map(({ to }) => to)).toEqual([rigAddress(5)]);
  });

  it("as a helper it pings, passes the answer on, and says at 80 % of the timeout that it has none", () => {
    const rig = new MemberRig();
    for (const n of [2, 3]) rig.add(n);
    rig.receive(2, "pingReq", { sequence: 7, ...target(3) });
    const [ping] = rig.take("ping");
    expect(ping?.to).toBe(rigAddress(3));
    rig.run(159_000);
    expect(rig.take("nack")).toEqual([]);
    rig.run(2_000);
    expect(rig.take("nack").map(({ to, message }) => [to, message.sequence])).toEqual([[rigAddress(2), 7]]);
    rig.receive(3, "ack", { sequence: ping?.message.sequence, ...target(3) });
    const [ack] = rig.take("ack");
    expect([ack?.to, ack?.message.sequence]).toEqual([rigAddress(2), 7]);
    expect(ack?.message.target).toEqual(idBytes(rigId(3)));
    rig.receive(2, "pingReq", { sequence: 8, ...target(77) });
    expect(rig.take("nack").map(({ message }) => message.sequence)).toEqual([8]);
  });
});

describe("claims", () => {
  it("a claim against this node is refuted above it, in the very answer", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "ping", { sequence: 1, ...target(1) }, [
      claim(1, { incarnation: 9, state: suspect, accuser: rigId(2) }),
    ]);
    expect(rig.membership.incarnation).toBe(10);
    const [ack] = rig.take("ack");
    expect(ack?.message.head?.incarnation).toBe(10);
    expect(ack?.message.updates.map((message) => updateOf(message))).toEqual([claim(1, { incarnation: 10 })]);
    expect(rig.membership.health.score).toBe(1);
    rig.receive(2, "gossip", {}, [claim(1, { incarnation: 9, state: dead, accuser: rigId(2) })]);
    expect([rig.membership.incarnation, rig.membership.counters.refuted]).toEqual([10, 1]);
  });

  it("a member that speaks below the incarnation it is known by is told so, again and again: it may be a copy of it", () => {
    const rig = new MemberRig();
    rig.add(2);
    const known = claim(2, { incarnation: 67 });
    rig.receive(2, "gossip", {}, [known]);
    const copy = { head: rig.head(2, { incarnation: 66, boot: 9 }), sequence: 1, ...target(1) };
    for (let i = 0; i < 20; i += 1) rig.receive(2, "ping", copy, [], "10.0.1.2:7401");
    const acks = rig.take("ack");
    const told = ({ message }: (typeof acks)[number]): boolean =>
      message.updates.some((update) => updateOf(update)?.id === known.id && updateOf(update)?.incarnation === 67);
    expect(acks).toHaveLength(20);
    expect(acks.every(told)).toBe(true);
    expect(acks.every(({ to }) => to === "10.0.1.2:7401")).toBe(true);
    // To itself it is no news.
    for (let i = 0; i < 20; i += 1) rig.receive(2, "ping", { ...copy, head: rig.head(2, { incarnation: 67 }) });
    expect(rig.take("ack").some(told)).toBe(false);
  });

  it("a refutation waits for its lease", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.slowDisk = true;
    rig.receive(2, "gossip", {}, [claim(1, { incarnation: 5_000, state: dead, accuser: rigId(2) })]);
    expect(rig.membership.incarnation).toBe(1);
    rig.flush();
    expect(rig.membership.incarnation).toBe(5_001);
  });

  it("an incarnation that nobody could refute is not believed", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "gossip", {}, [
      claim(1, { incarnation: 0xffff_ffff, state: dead, accuser: rigId(2) }),
      claim(3, { incarnation: 0xffff_ffff }),
    ]);
    expect([rig.membership.incarnation, rig.membership.member(rigId(3))]).toEqual([1, undefined]);
  });

  it("a ping to a suspect carries the suspicion; its next own word clears it", () => {
    const rig = new MemberRig();
    for (const n of [2, 3, 4]) rig.add(n);
    rig.receive(3, "gossip", {}, [claim(2, { incarnation: 0, state: suspect, accuser: rigId(3) })]);
    rig.sent.length = 0;
    rig.membership.probeNow(rig.now, rigId(2));
    rig.run(1_000);
    const claims = rig
      .take("ping")
      .filter(({ to }) => to === rigAddress(2))
      .map(({ message }) => updateOf(message.updates[0] as never));
    expect(claims[0]).toMatchObject({ id: rigId(2), state: suspect, accuser: rigId(3) });
    rig.receive(2, "gossip", {});
    expect(rig.membership.member(rigId(2))?.state).toBe(alive);
  });

  it("a death in a state sync is a suspicion here, which is not passed on, and the member is asked", () => {
    const rig = new MemberRig();
    for (const n of [2, 3, 4]) rig.add(n);
    rig.run(450_000);
    const queued = rig.membership.queued;
    rig.sent.length = 0;
    const theirs = [messageOf(claim(3, { incarnation: 7, state: dead, accuser: rigId(2) }), false)];
    const answer = rig.membership.onStateSyncRequest(rig.now, stateSync(rig, 2, theirs));
    expect(answer?.members).toHaveLength(4);
    expect(rig.membership.member(rigId(3))?.state).toBe(suspect);
    expect(rig.membership.queued).toBe(queued);
    rig.run(250_000);
    const asked = rig.take("ping").filter(({ to }) => to === rigAddress(3));
    expect(asked.length).toBeGreaterThan(0);
  });

  it("a state sync of another cluster is refused, and nothing of it is merged", () => {
    const rig = new MemberRig();
    rig.add(2);
    const foreign = stateSync(rig, 2, [messageOf(claim(5), false)], "e".repeat(32));
    expect(rig.membership.onStateSyncRequest(rig.now, foreign)).toBeUndefined();
    expect(rig.membership.member(rigId(5))).toBeUndefined();
    expect(rig.membership.counters.wrongCluster).toBe(1);
  });

  it("members come and go by the ring's word; the removed are not learned again", () => {
    const rig = new MemberRig();
    for (const n of [2, 3]) rig.add(n);
    rig.membership.removeMember(rig.now, rigId(3));
    rig.receive(2, "gossip", {}, [claim(3, { incarnation: 50 })]);
    expect(rig.membership.member(rigId(3))).toBeUndefined();
    rig.add(3);
    expect(rig.membership.member(rigId(3))?.incarnation).toBe(0);
    rig.receive(2, "gossip", {}, [claim(3, { incarnation: 51, address: "10.0.0.77:7401" })]);
    rig.add(3);
    expect(rig.membership.member(rigId(3))?.address).toBe("10.0.0.77:7401");
    rig.add(1);
    expect(rig.membership.members).toHaveLength(2);
  });

  it("tells of rings that are not this node's, and carries its own", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.membership.setRingDigest({ epoch: 4, hashHigh: 1, hashLow: 2 });
    const digest = { ringHashHigh: 1, ringHashLow: 2 };
    rig.receive(2, "ping", { head: rig.head(2, { epoch: 4, ...digest }), sequence: 1, ...target(1) });
    expect(rig.take("ack")[0]?.message.head).toMatchObject({ epoch: 4, ...digest });
    expect(rig.log.filter((line) => line.startsWith("ring"))).toEqual([]);
    rig.receive(2, "gossip", { head: rig.head(2, { epoch: 5, ...digest }) });
    rig.receive(2, "gossip", { head: rig.head(2, { epoch: 4, ringHashHigh: 9 }) });
    expect(rig.log.filter((line) => line.startsWith("ring"))).toEqual(["ring of 2: 5", "ring of 2: 4"]);
  });

  it("a member's loop delay is known from its last word", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "gossip", { head: rig.head(2, { loopDelayUs: 12_345 }) });
    expect(rig.membership.member(rigId(2))).toMatchObject({ loopDelayUs: 12_345, heardAt: rig.now });
  });
});

describe("leaving, flapping", () => {
  it("tells its leave and says when that is done; alone it is done at once", () => {
    const rig = new MemberRig();
    for (const n of [2, 3]) rig.add(n);
    rig.sent.length = 0;
    rig.membership.leave(rig.now);
    rig.run(3_100_000);
    expect(rig.log.filter((line) => line === "left")).toEqual(["left"]);
    const told = rig.take("gossip").flatMap(({ message }) => message.updates.map((one) => updateOf(one)));
    expect(told).toContainEqual(claim(1, { state: left, incarnation: 1 }));
    const alone = new MemberRig();
    alone.membership.leave(alone.now);
    alone.run(1);
    expect(alone.log).toEqual(["left"]);
  });

  it("those who leave together do not wait for each other", () => {
    const rig = new MemberRig();
    for (const n of [2, 3]) rig.add(n);
    rig.membership.leave(rig.now);
    rig.run(1);
    for (const n of [2, 3]) rig.receive(n, "gossip", {}, [claim(n, { state: left })]);
    rig.run(1);
    expect(rig.log).toContain("left");
  });

  it("a leave is not refuted by those who leave, and kills nobody twice", () => {
    const rig = new MemberRig();
    rig.add(2);
    rig.receive(2, "gossip", {}, [claim(2, { state: left })]);
    expect(rig.membership.member(rigId(2))?.state).toBe(left);
    rig.receive(2, "ping", { sequence: 1, ...target(1) });
    expect(rig.membership.member(rigId(2))?.state).toBe(left);
    rig.membership.leave(rig.now);
    rig.receive(2, "gossip", {}, [claim(1, { incarnation: 5, state: dead, accuser: rigId(2) })]);
    expect(rig.membership.incarnation).toBe(1);
  });

  it("a member that dies again and again is marked, and forgiven in time", () => {
    const rig = new MemberRig({ profile: { ...profiles.lan, syncUs: 3_600_000_000, reviveUs: 3_600_000_000 } });
    for (const n of [2, 3]) rig.add(n);
    for (let round = 1; round <= 11; round += 1) {
      rig.receive(3, "gossip", {}, [claim(2, { incarnation: round })]);
      rig.receive(3, "gossip", {}, [claim(2, { incarnation: round, state: dead, accuser: rigId(3) })]);
      rig.now = instant(rig.now + 1_000);
    }
    expect(rig.membership.member(rigId(2))?.flapping).toBe(true);
    expect(rig.log.filter((line) => line.includes("flapping"))).toEqual(["member 2: flapping true"]);
    rig.run(400_000_000);
    expect(rig.membership.member(rigId(2))?.flapping).toBe(false);
    expect(rig.log.filter((line) => line.includes("flapping"))).toEqual([
      "member 2: flapping true",
      "member 2: flapping false",
    ]);
  });
});
