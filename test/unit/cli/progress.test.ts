/** Seconds that pass for a command: as many as the clock says, however late each sleep ends. */
import { expect, it } from "vitest";
import { passSeconds } from "../../../src/cli/progress.ts";

/** Passes a minute on a machine where each sleep takes so much longer than it was asked to; the seconds it took, and the sleeps. */
async function minute(lateMs: number): Promise<{ seconds: number; sleeps: number }> {
  let us = 5_000_000;
  let sleeps = 0;
  const sleep = async (ms: number): Promise<void> => {
    us += 1000 * (ms + lateMs);
    sleeps += 1;
  };
  await passSeconds("waiting, seconds", 60, { shown: false, nowUs: () => us, sleep });
  return { seconds: us / 1_000_000 - 5, sleeps };
}

it("sleeps a second at a time where sleeps are exact", async () => {
  expect(await minute(0)).toEqual({ seconds: 60, sleeps: 60 });
});

it("ends in time where every sleep is late", async () => {
  expect(await minute(300)).toEqual({ seconds: 60.3, sleeps: 60 });
});

it("ends at once after the machine has stood still for longer", async () => {
  expect(await minute(90_000)).toEqual({ seconds: 91, sleeps: 1 });
});
