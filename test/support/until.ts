/** Waiting for what the system does in its own time: files, sockets. */
import { systemClock } from "../../src/io/clock.ts";

const boundUs = 20_000_000;

/** Looks every millisecond whether the condition holds, after calling `again`; rejects when it never does. */
export async function until(condition: () => boolean, again?: () => void): Promise<void> {
  const giveUp = systemClock.now() + boundUs;
  while (!condition()) {
    if (systemClock.now() > giveUp) throw new Error("the condition never came to hold");
    again?.();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
