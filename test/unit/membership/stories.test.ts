/** Golden stories of membership: what each member comes to believe of the others, and when. */
import { describe, expect, it } from "vitest";
import { Alarm } from "../../../src/membership/effects.ts";
import { MemberState } from "../../../src/membership/member.ts";
import type { MemberSeat } from "../../../src/sim/member-seat.ts";
import { expectGolden } from "../../support/golden.ts";
import { MemberStory } from "../../support/member-story.ts";

function blockUdp(story: MemberStory, from: MemberSeat, to: MemberSeat): void {
  story.world.datagrams.block(from.position, to.position);
  story.world.datagrams.block(to.position, from.position);
}

describe("membership stories", () => {
  it("a false suspicion is refuted", () => {
    const story = new MemberStory({ seed: 1, members: 5 });
    story.say("C stands still for 2 s, long enough to be suspected but too short to be buried");
    story.seat("C").pause(story.world.now);
    story.run(2_000_000);
    story.say("C goes on");
    story.seat("C").resume(story.world.now);
    story.run(5_000_000);
    expect(story.world.agreed).toBe(true);
    expect(story.lines.some((line) => line.includes("C alive -> suspect"))).toBe(true);
    expect(story.lines.some((line) => line.includes("dead"))).toBe(false);
    expectGolden(
      "membership-refutation",
      story.text("A member that stood still is suspected, hears of it when it goes on, and refutes: nobody buries it."),
    );
  });

  it("a crash", () => {
    const story = new MemberStory({ seed: 2, members: 4 });
    story.say("D is killed");
    story.seat("D").kill(story.world.now);
    story.run(15_000_000);
    story.say("D starts again, from its own file");
    story.seat("D").boot(story.world.now);
    story.run(3_000_000);
    expect(story.world.agreed).toBe(true);
    expectGolden(
      "membership-crash",
      story.text("A crash is suspected, confirmed, and believed by all; the next life begins above all incarnations."),
    );
  });

  it("a healed split", () => {
    const story = new MemberStory({ seed: 3, members: 5 });
    story.say("A and B are cut off from C, D and E, for ten minutes");
    story.world.split([0, 1]);
    story.run(600_000_000);
    expect(story.world.belief(story.seat("A"), story.seat("E"))?.state).toBe(MemberState.dead);
    story.say("the split heals; gossip to the dead has long ended, but they are knocked at for ever");
    story.world.heal();
    story.run(60_000_000);
    expect(story.world.agreed).toBe(true);
    expectGolden(
      "membership-healed-split",
      story.text("Two halves that have long buried each other find each other again, and agree on everybody."),
    );
  });

  it("a slow member blames itself", () => {
    const story = new MemberStory({ seed: 4, members: 6 });
    const slow = story.seat("B");
    story.say("B's event loop turns only for a moment every 450 ms, for 10 s");
    for (let round = 0; round < 22; round += 1) {
      slow.pause(story.world.now);
      story.run(450_000);
      slow.resume(story.world.now);
      story.run(2_000);
    }
    const { health, counters } = slow.membership;
    story.say(`B's health score is ${health.score}; it has noticed ${counters.stalls} stalls`);
    expect(health.score).toBeGreaterThanOrEqual(5);
    story.run(60_000_000);
    story.say(`a quiet minute later its health score is ${health.score}`);
    expect(health.score).toBe(0);
    expect(story.lines.some((line) => / B: \w alive -> suspect/.test(line))).toBe(false);
    expect(story.lines.some((line) => line.includes("dead"))).toBe(false);
    expectGolden(
      "membership-slow-member",
      story.text("A member whose event loop stalls doubts itself, not the others: it accuses nobody, and nobody dies."),
    );
  });

  it("UDP alone is split", () => {
    const story = new MemberStory({ seed: 5, members: 4 });
    story.say("no datagram passes between D and the others; TCP does");
    for (const name of ["A", "B", "C"]) blockUdp(story, story.seat("D"), story.seat(name));
    story.run(90_000_000);
    expect(story.lines.some((line) => line.includes("suspect") || line.includes("dead"))).toBe(false);
    expect(story.world.alarms.some(({ alarm }) => alarm === Alarm.udpBlocked)).toBe(true);
    expectGolden(
      "membership-udp-only-split",
      story.text(
        "A firewall that drops UDP kills nobody: pings over TCP keep the member alive, and operators are told.",
      ),
    );
  });

  it("a graceful leave", () => {
    const story = new MemberStory({ seed: 6, members: 4 });
    story.say("C leaves");
    story.seat("C").membership.leave(story.world.now);
    // The alarm of a seat follows events: this call was none.
    story.seat("C").enter(story.world.now, story.seat("C").life, () => {});
    story.run(3_500_000);
    expect(story.seat("C").hasLeft).toBe(true);
    story.say("C's process ends");
    story.seat("C").kill(story.world.now);
    story.run(20_000_000);
    expect(story.lines.some((line) => line.includes("suspect"))).toBe(false);
    story.say("C starts again");
    story.seat("C").boot(story.world.now);
    story.run(3_000_000);
    expect(story.world.agreed).toBe(true);
    expectGolden(
      "membership-leave",
      story.text("A member that leaves says so: nobody suspects it, and it may come back."),
    );
  });

  it("a copied data directory", () => {
    const story = new MemberStory({ seed: 7, members: 3 });
    const clone = story.world.cloneOf(story.seat("B"));
    story.say("D starts with a copy of B's files: the same id at another address");
    clone.boot(story.world.now);
    story.run(10_000_000);
    const alarmed = story.world.alarms.filter(({ alarm }) => alarm === Alarm.cloned).map(({ seat }) => seat.position);
    expect(alarmed.sort()).toEqual([1, 3]);
    expectGolden(
      "membership-clone",
      story.text("One id live at two addresses: both lives prove it to themselves, raise the alarm, and fall silent."),
    );
  });
});
