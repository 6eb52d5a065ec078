/** Pauses: merged where they continue each other, told apart by kind, bounded. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { PauseKind, Pauses, pausesMax } from "../../../src/metrics/pauses.ts";

function listed(pauses: Pauses): [number, number, number][] {
  const rows: [number, number, number][] = [];
  pauses.forEach((kind, from, until) => {
    rows.push([kind, from, until]);
  });
  return rows;
}

describe("Pauses", () => {
  it("takes what continues the latest of its kind for the same pause, whatever was noted between", () => {
    const pauses = new Pauses();
    pauses.note(PauseKind.loop, instant(100), instant(200));
    pauses.note(PauseKind.gc, instant(120), instant(180));
    pauses.note(PauseKind.loop, instant(100), instant(260));
    pauses.note(PauseKind.loop, instant(300), instant(310));
    expect(listed(pauses)).toEqual([
      [PauseKind.loop, 300, 310],
      [PauseKind.gc, 120, 180],
      [PauseKind.loop, 100, 260],
    ]);
    expect(pauses.lastEnd).toBe(310);
  });

  it("tells how much of a stretch lies in pauses of a kind", () => {
    const pauses = new Pauses();
    pauses.note(PauseKind.loop, instant(100), instant(200));
    pauses.note(PauseKind.loop, instant(300), instant(400));
    expect(pauses.overlap(PauseKind.loop, instant(150), instant(350))).toBe(100);
    expect(pauses.overlap(PauseKind.gc, instant(150), instant(350))).toBe(0);
    expect(pauses.overlap(PauseKind.loop, instant(400), instant(900))).toBe(0);
    expect(pauses.overlap(PauseKind.loop, instant(0), instant(900))).toBe(200);
  });

  it("forgets the oldest", () => {
    const pauses = new Pauses();
    for (let i = 0; i < pausesMax + 5; i += 1) pauses.note(PauseKind.disk, instant(10 * i), instant(10 * i + 1));
    const rows = listed(pauses);
    expect(rows.length).toBe(pausesMax);
    expect(rows.at(-1)).toEqual([PauseKind.disk, 50, 51]);
    // A kind whose latest was forgotten begins anew.
    pauses.note(PauseKind.loop, instant(0), instant(2));
    expect(listed(pauses)[0]).toEqual([PauseKind.loop, 0, 2]);
  });
});
