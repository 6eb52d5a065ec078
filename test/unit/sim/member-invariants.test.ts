/** The invariants of membership on histories made by hand: each bad one is found, each good one is not. */
import { describe, expect, it } from "vitest";
import { nodeId } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { MemberState, type MemberView } from "../../../src/membership/member.ts";
import { profiles } from "../../../src/membership/profile.ts";
import { IncarnationsRise } from "../../../src/sim/invariants/incarnations-rise.ts";
import { compareMembers, membersAgreed } from "../../../src/sim/invariants/members-agree.ts";
import { type Blocked, NoFalseDead } from "../../../src/sim/invariants/no-false-dead.ts";
import type { MemberEvent, MemberPlace } from "../../../src/sim/member-event.ts";

type Changing = { -readonly [K in keyof MemberPlace]: MemberPlace[K] };

function place(number: number, given: Partial<Changing> = {}): Changing {
  const id = nodeId(String(number).padStart(32, "0"));
  const steady = { life: 1, alive: true, paused: false, disturbedAt: instant(0), incarnation: 1, healthFactor: 1 };
  return { name: `node ${number}`, id, ...steady, ...given };
}

const { alive, suspect, dead } = MemberState;

function event(at: number, seat: MemberPlace, about: MemberPlace, given: Partial<MemberEvent>): MemberEvent {
  const common = { state: alive, before: alive, incarnation: about.incarnation, accuser: "" as const };
  return { at: instant(at), seat, about, ...common, ...given };
}

describe("incarnations-rise", () => {
  function judge(tell: (watch: IncarnationsRise, a: Changing, b: Changing) => void): string[] {
    const found: string[] = [];
    tell(new IncarnationsRise((violation) => found.push(violation.text)), place(1), place(2));
    return found;
  }

  it("lets a member raise its own, in this life and the next", () => {
    const found = judge((watch, a, b) => {
      watch.onEvent(event(1, a, b, {}));
      b.incarnation = 2;
      watch.onEvent(event(2, a, b, {}));
      b.life = 2;
      b.incarnation = 66;
      watch.look(instant(3), b);
      watch.onEvent(event(4, a, b, {}));
    });
    expect(found).toEqual([]);
  });

  it("finds one that falls, one that is shown in two lives, and one that somebody else has raised", () => {
    const found = judge((watch, a, b) => {
      b.incarnation = 5;
      watch.look(instant(1), b);
      b.life = 2;
      watch.look(instant(2), b);
      b.incarnation = 4;
      watch.look(instant(3), b);
      watch.onEvent(event(4, a, b, { incarnation: 9 }));
      watch.onEvent(event(5, a, b, { incarnation: 4 }));
    });
    expect(found).toEqual([
      "node 2 showed incarnation 5 in two lives",
      "node 2 fell from incarnation 5 to 4",
      "node 1 believes node 2 at incarnation 9; it has shown 4",
      "node 1 held node 2 at incarnation 9 and went back to 4",
    ]);
  });
});

describe("no-false-dead", () => {
  const second = 1_000_000;
  /** Node 1 suspects node 2 at 20 s, and believes it dead 2 s later; `given` tells what happened before, between or after. */
  function judge(given: {
    readonly a?: Partial<Changing>;
    readonly b?: Partial<Changing>;
    readonly faults?: readonly (readonly [at: number, blocked: Blocked, begins: boolean])[];
    readonly accuser?: MemberPlace;
  }): number {
    let found = 0;
    const watch = new NoFalseDead(profiles.lan, 3, () => {
      found += 1;
    });
    const a = place(1, given.a);
    const b = place(2, given.b);
    const accuser = (given.accuser ?? a).id;
    for (const [at, blocked, begins] of given.faults ?? []) watch.onNetworkFault(instant(at), blocked, begins);
    watch.onEvent(event(20 * second, a, b, { state: suspect, accuser }));
    watch.onEvent(event(22 * second, a, b, { state: dead, before: suspect, accuser }));
    return found;
  }

  it("finds a death that nothing explains, by a verdict or by hearsay", () => {
    expect(judge({})).toBe(1);
    expect(judge({ accuser: place(3) })).toBe(1);
  });

  it("excuses what began, ended or stood still since the probe, and nothing that was over before", () => {
    expect(judge({ b: { alive: false } })).toBe(0);
    expect(judge({ b: { paused: true } })).toBe(0);
    expect(judge({ b: { disturbedAt: instant(19.5 * second) } })).toBe(0);
    expect(judge({ b: { disturbedAt: instant(18 * second) } })).toBe(1);
    expect(judge({ a: { healthFactor: 4 }, b: { disturbedAt: instant(18 * second) } })).toBe(0);
  });

  it("excuses a network that carries nothing, not one that carries datagrams or streams", () => {
    expect(judge({ faults: [[5 * second, "all", true]] })).toBe(0);
    const healed = [
      [5 * second, "all", true],
      [6 * second, "all", false],
    ] as const;
    expect(judge({ faults: healed })).toBe(1);
    expect(judge({ faults: [[5 * second, "udp", true]] })).toBe(1);
    expect(judge({ faults: [[5 * second, "tcp", true]] })).toBe(1);
    const both = [
      [5 * second, "udp", true],
      [18 * second, "tcp", true],
      [18 * second, "tcp", false],
    ] as const;
    expect(judge({ faults: both })).toBe(0);
  });

  it("lets one that stood still believe old news, and pass no verdict of its own", () => {
    const a = { disturbedAt: instant(21.5 * second) };
    expect(judge({ a, accuser: place(3) })).toBe(0);
    expect(judge({ a })).toBe(1);
  });
});

describe("members-agree", () => {
  const [a, b, c] = [place(1), place(2), place(3, { alive: false })];
  const view = (state: MemberState, incarnation: number): MemberView =>
    ({ state, incarnation, reachable: state <= suspect }) as MemberView;

  /** What a believes of b, b of a, and both of c. */
  function judge(ofB: MemberView | undefined, ofA: MemberView, ...ofC: readonly (MemberView | undefined)[]): string[] {
    const found: string[] = [];
    const beliefOf = (seat: MemberPlace, about: MemberPlace): MemberView | undefined =>
      about === c ? ofC[seat === a ? 0 : 1] : about === b ? ofB : ofA;
    compareMembers([a, b, c], beliefOf, (text) => found.push(text));
    if (found.length === 0) expect(membersAgreed([a, b, c], beliefOf)).toBe(true);
    return found;
  }

  it("is content when the live are alive to all, and the dead are gone", () => {
    expect(judge(view(alive, 1), view(alive, 1), view(dead, 1), view(dead, 1))).toEqual([]);
  });

  it("finds who is wrong about a member, and two who see it differently", () => {
    expect(judge(view(dead, 1), view(alive, 1), view(dead, 1), view(dead, 1))).toEqual([
      "node 1 believes node 2 gone, which is alive",
    ]);
    expect(judge(undefined, view(alive, 1), view(dead, 1), view(dead, 1))).toHaveLength(1);
    expect(judge(view(alive, 1), view(alive, 1), view(alive, 1), view(dead, 1))).toEqual([
      "node 1 believes node 3 reachable, which is not",
      "node 3 is seen differently: node 1: alive at 1, node 2: dead at 1",
    ]);
  });
});
