/** Actors: incarnations, counters and the lease that bounds them. */
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../src/base/assert.ts";
import { nodeNumber } from "../../../src/base/ids.ts";
import { instant } from "../../../src/base/time.ts";
import { type ActorEffects, Actors, type Incarnation, leaseOfBoot } from "../../../src/replica/actors.ts";

const now = instant(1);

class Recorder implements ActorEffects {
  readonly asked: number[] = [];
  drawn = 0;

  saveLease(_now: unknown, leaseTop: number): void {
    this.asked.push(leaseTop);
  }

  drawIncarnation(): Incarnation {
    this.drawn += 1;
    return { high16: 0xa000 + this.drawn, low: 0xb000_0000 + this.drawn };
  }
}

function actorsAt(leaseTop: number, leaseStep = 100): { actors: Actors; recorder: Recorder } {
  const recorder = new Recorder();
  const incarnation = { high16: 0xfffe, low: 0xffff_fffd };
  const node = nodeNumber(0xffff);
  return { actors: new Actors({ effects: recorder, node, partitions: 8, incarnation, leaseTop, leaseStep }), recorder };
}

describe("actors", () => {
  it("packs node number and incarnation into two unsigned words", () => {
    const { actors } = actorsAt(100);
    expect(actors.actorHigh(3)).toBe(0xffff_fffe);
    expect(actors.actorLow(3)).toBe(0xffff_fffd);
    expect(actors.isOwn(3, 0xffff_fffe, 0xffff_fffd)).toBe(true);
    expect(actors.isOwn(3, 0xffff_fffe, 0xffff_fffc)).toBe(false);
  });

  it("counts each partition by itself, from 1 in the first boot", () => {
    const { actors } = actorsAt(100);
    expect([actors.mint(now, 0), actors.mint(now, 0), actors.mint(now, 5)]).toEqual([1, 2, 1]);
    expect(actors.counterOf(0)).toBe(2);
    expect(actors.counterOf(1)).toBe(0);
  });

  it("starts above every counter of the boots before, whatever incarnation it is given", () => {
    const { actors } = actorsAt(300);
    expect(actors.mint(now, 7)).toBe(201);
  });

  it("asks for the next lease once, at 80 %, and goes on under the old one meanwhile", () => {
    const { actors, recorder } = actorsAt(100);
    for (let i = 0; i < 79; i += 1) actors.mint(now, 0);
    expect(recorder.asked).toEqual([]);
    for (let i = 0; i < 10; i += 1) actors.mint(now, 0);
    expect(recorder.asked).toEqual([200]);
    actors.onLeaseSaved(200);
    for (let i = 0; i < 90; i += 1) actors.mint(now, 0);
    expect(actors.counterOf(0)).toBe(179);
    expect(recorder.asked).toEqual([200]);
    actors.mint(now, 0);
    expect(recorder.asked).toEqual([200, 300]);
  });

  it("says when the lease is used up, and dies rather than mint above it", () => {
    const { actors } = actorsAt(100);
    for (let i = 0; i < 100; i += 1) {
      expect(actors.exhausted(2)).toBe(false);
      actors.mint(now, 2);
    }
    expect(actors.exhausted(2)).toBe(true);
    expect(actors.exhausted(1)).toBe(false);
    expect(() => actors.mint(now, 2)).toThrow(AssertionError);
    actors.onLeaseSaved(200);
    expect(actors.exhausted(2)).toBe(false);
    expect(actors.mint(now, 2)).toBe(101);
  });

  it("refuses a lease nobody asked for", () => {
    const { actors } = actorsAt(100);
    expect(() => actors.onLeaseSaved(200)).toThrow(AssertionError);
  });

  it("renews one partition only, and its counter goes on", () => {
    const { actors } = actorsAt(100);
    actors.mint(now, 4);
    actors.renew(now, 4);
    expect(actors.actorHigh(4)).toBe(0xffff_a001);
    expect(actors.actorLow(4)).toBe(0xb000_0001);
    expect(actors.mint(now, 4)).toBe(2);
    expect(actors.actorLow(5)).toBe(0xffff_fffd);
  });

  it("draws a new incarnation at the end of the counters", () => {
    const { actors, recorder } = actorsAt(0xffff_ffff, 10);
    for (let i = 0; i < 10; i += 1) actors.mint(now, 6);
    expect(actors.counterOf(6)).toBe(0xffff_ffff);
    expect(recorder.asked).toEqual([]);
    expect(actors.exhausted(6)).toBe(false);
    expect(actors.mint(now, 6)).toBe(1);
    expect(actors.actorLow(6)).toBe(0xb000_0001);
  });

  it("gives each boot a lease above the last one's, until the counters end", () => {
    expect(leaseOfBoot(0, 100)).toBe(100);
    expect(leaseOfBoot(250, 100)).toBe(350);
    expect(leaseOfBoot(0xffff_ff9b, 100)).toBe(0xffff_ffff);
    expect(leaseOfBoot(0xffff_ff9c, 100)).toBe(100);
  });

  it("never grows its lease past the last counter", () => {
    const { actors, recorder } = actorsAt(0xffff_fff0, 100);
    for (let i = 0; i < 100; i += 1) actors.mint(now, 0);
    expect(recorder.asked).toEqual([0xffff_ffff]);
  });
});
